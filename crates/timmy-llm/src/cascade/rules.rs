//! What a cascade goes by, as the owner set it.

use std::collections::BTreeMap;
use std::time::Duration;

use timmy_domain::settings;

use super::abilities::Book;
use super::member::{Member, Unpriced};
use super::money::{Caps, EVERY, Price, Prices};
use super::record::Recorder;
use crate::failure::Failure;
use crate::files::ModelFiles;
use crate::provider::Embedder;
use crate::registered::Registered;

settings! {
    /// Who answers, and in which order.
    pub struct CascadeSettings in "cascade" {
        /// The providers in order. Reflex is asked only when every other one failed.
        providers: Vec<String> = vec!["ollama".to_owned(), "engine".to_owned(), "reflex".to_owned()], Free;
        /// The provider that is asked first, or "auto" for the order above.
        prefer: String = "auto".to_owned(), BytesMax(64);
        /// Failures in a row after which a model is left alone for a minute, and longer each time.
        circuit_breaker_threshold: u64 = 5, Range(1, 100);
        /// Which models are asked for which work, such as "vision: ollama/llava:7b ollama/moondream". Work is chat,
        /// thought, tool_use, code, vision, embedding or summary. A provider without a line uses its own model.
        models: Vec<String> = Vec::new(), Free;
        /// Whether providers on other machines are never asked.
        offline: bool = false, Free;
        /// Milliseconds after which a second provider is asked as well while you wait for an answer; 0 for never.
        hedge_ms: u64 = 0, Range(0, 60_000);
        /// Answers that are kept for the same question, when no tool and no chance is part of it; 0 for none.
        cache_entries: u64 = 256, Range(0, 10_000);
        /// How long they are kept, in minutes.
        cache_minutes: u64 = 60, Range(1, 10_080);
        /// What models cost, such as "openai/gpt-4o-mini 0.15 0.60": dollars for a million tokens read and written.
        /// A model without a line is free, unless it is asked elsewhere with a key: then no budget could hold it, and
        /// it is not asked before it has a price ("far/model 0 0" when it costs nothing) or the budgets are 0.
        prices: Vec<String> = Vec::new(), Free;
        /// What all models together may cost in one day, in cents; 0 for no limit.
        budget_day_cents: u64 = 500, Range(0, 1_000_000);
        /// What one task may cost, in cents; 0 for no limit.
        budget_task_cents: u64 = 100, Range(0, 1_000_000);
        /// What one provider may cost in one day, in cents; 0 for no limit.
        budget_provider_cents: u64 = 0, Range(0, 1_000_000);
        /// Whether questions and answers are written to traffic.jsonl in the home, without what is labelled local.
        /// "replay" among the providers answers from that file what was asked before.
        record: bool = false, Free;
    }
}

/// What a cascade goes by.
#[derive(Debug)]
pub struct Rules {
    /// Failures in a row that open a circuit.
    pub threshold: u32,
    /// Which models for which work.
    pub(super) book: Book,
    /// What models cost.
    pub(super) prices: Prices,
    /// What may be spent.
    pub caps: Caps,
    /// After how long a second provider is asked as well; zero for never.
    pub hedge: Duration,
    /// Whether nobody elsewhere is ever asked.
    pub offline: bool,
    /// Answers that are kept.
    pub cache_entries: usize,
    /// How long they are kept, in milliseconds.
    pub cache_ms: u64,
    /// Tells the settings of a provider from others, so that a hold ends when they change.
    pub made_of: BTreeMap<String, u64>,
    /// Where traffic is written.
    pub recorder: Option<Recorder>,
    /// Model files the owner registered, for whoever runs them.
    pub files: ModelFiles,
    /// What the owner said of the models he registered.
    pub registered: Registered,
}

impl Default for Rules {
    fn default() -> Self {
        // The defaults name no models and no prices, so there is nothing that could be wrong.
        Self::of(&CascadeSettings::default()).unwrap_or(Self {
            threshold: 5,
            book: Book::default(),
            prices: Prices::default(),
            caps: Caps::default(),
            hedge: Duration::ZERO,
            offline: false,
            cache_entries: 0,
            cache_ms: 0,
            made_of: BTreeMap::new(),
            recorder: None,
            files: ModelFiles::default(),
            registered: Registered::default(),
        })
    }
}

impl Rules {
    /// The rules of these settings.
    ///
    /// # Errors
    /// A sentence that names the line that cannot be read.
    pub fn of(settings: &CascadeSettings) -> Result<Self, String> {
        Ok(Self {
            threshold: u32::try_from(settings.circuit_breaker_threshold).unwrap_or(u32::MAX),
            book: Book::parse(&settings.models).map_err(|why| format!("[cascade] models: {why}"))?,
            prices: Prices::parse(&settings.prices).map_err(|why| format!("[cascade] prices: {why}"))?,
            caps: Caps {
                day: cents(settings.budget_day_cents),
                task: cents(settings.budget_task_cents),
                provider: cents(settings.budget_provider_cents),
            },
            hedge: Duration::from_millis(settings.hedge_ms),
            offline: settings.offline,
            cache_entries: usize::try_from(settings.cache_entries).unwrap_or(usize::MAX),
            cache_ms: settings.cache_minutes.saturating_mul(60_000),
            made_of: BTreeMap::new(),
            recorder: None,
            files: ModelFiles::default(),
            registered: Registered::default(),
        })
    }
}

impl Rules {
    /// Whether `member` sends a bill that a budget has to hold.
    fn binds(&self, member: &Member) -> bool {
        self.caps.any() && member.provider().is_billed()
    }

    /// What `model` of `member` costs, as it is booked before it is asked; an unknown model has an empty name.
    ///
    /// # Errors
    /// [`Failure::NoPrice`] when it is paid for by a price nobody knows, and so no budget could hold it.
    pub(super) fn price(&self, member: &Member, model: &str) -> Result<Price, Failure> {
        let (provider, bound) = (member.name(), self.binds(member));
        // The price of another model says nothing of one that is not known yet.
        let model = if bound && model.is_empty() { EVERY } else { model };
        match self.prices.known(provider, model) {
            None if bound => Err(Failure::NoPrice { model: format!("{provider}/{model}") }),
            known => Ok(known.unwrap_or_default()),
        }
    }

    /// The models of `member` that are not asked for that reason: of its own, those of its lines, and the one that makes
    /// vectors.
    pub(super) fn unpriced(&self, member: &Member) -> Unpriced {
        if !self.binds(member) {
            return Unpriced::default();
        }
        let vectors = member.provider().embedder().map(Embedder::model).filter(|model| !model.is_empty());
        let lines = self.book.all_of(member.name()).map(str::to_owned);
        let mut all: Vec<String> = lines.chain([member.known_as(None)]).chain(vectors).collect();
        all.sort();
        all.dedup();
        let models: Vec<String> = all.iter().filter_map(|model| self.price(member, model).err()?.unpriced()).collect();
        Unpriced { all: models.len() == all.len(), models }
    }
}

/// A budget in millionths of a dollar; zero cents stand for no bound.
fn cents(cents: u64) -> Option<u64> {
    (cents > 0).then(|| cents.saturating_mul(10_000))
}
