//! The cascade: providers in order, one deadline for all, and a typed reason for every one that did not answer.
//!
//! Models come in the order of the settings; one that let a call run into the void lately is asked after the others,
//! and one that fails again and again is left alone for a while ([`breaker`]). Reflex is asked only when every model
//! failed. After the first word has reached the reader nothing is asked again unless the caller allows it, and then
//! behind a mark. What is known outlives a restart ([`Cascade::store`]).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use timmy_domain::model::running::Weighed;
use timmy_domain::thought::Place;
use timmy_domain::{Sensitivity, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::provider::{Call, Finish, Provider, Usage};
use crate::request::{ChatRequest, TaskClass, ToolCall};

use abilities::Needs;
use cache::Cache;
use climb::Climb;
use ladder::Rung;
use member::Member;
use mode::Mode;
use money::Books;
use recent::{Recent, Ring, Step};

mod abilities;
mod action;
mod attempt;
mod booking;
pub mod breaker;
mod cache;
mod climb;
mod embed;
mod errand;
mod error;
mod figures;
mod known;
mod ladder;
pub mod learned;
mod member;
mod mode;
pub mod money;
pub mod recent;
pub mod record;
mod rules;

pub use embed::Embedded;
pub use errand::{Errand, LOOK, PULL, TRACE};
pub use error::CascadeError;
pub use figures::ProviderFigures;
pub use known::{ModelStatus, StoredModel};
pub use member::{ProviderState, ProviderStatus, Unpriced};
pub use mode::LOCAL_MS_MAX;
pub use rules::{CascadeSettings, Rules};

/// How long a provider that ran into the void is asked after the others, in milliseconds.
pub const REST_MS: u64 = 15_000;
/// Changes that wait to be told; the oldest go first.
const CHANGES_MAX: usize = 256;
/// The word for a model that the cascade chooses.
const AUTO: &str = "auto";

/// Providers in order. A clone is another handle to the same cascade.
#[derive(Clone)]
pub struct Cascade(Arc<Inner>);

struct Inner {
    members: Vec<Member>,
    /// Positions by the owner's word; members that are not named follow in the order of the settings.
    order: RwLock<Vec<usize>>,
    rules: Rules,
    mode: Mode,
    cache: Mutex<Cache>,
    recent: Mutex<Ring>,
    changes: Mutex<VecDeque<Change>>,
    books: OnceLock<Arc<dyn Books>>,
    wall: Mutex<Option<(u64, Timestamp)>>,
    seed: AtomicU64,
    born: Instant,
}

/// What a call was, for the list of the last ones.
#[derive(Clone, Copy, Debug)]
struct What {
    class: TaskClass,
    label: Sensitivity,
    cached: bool,
}

/// An answer and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub content: String,
    /// Tools the model wants to be called.
    pub tool_calls: Vec<ToolCall>,
    /// Who answered.
    pub provider: String,
    /// Which model; empty for reflex.
    pub model: String,
    /// Where it was made.
    pub place: Place,
    /// What it cost.
    pub usage: Usage,
    /// Why it ended.
    pub finish: Finish,
    /// From the question to the end, failed attempts included, in milliseconds.
    pub duration_ms: u64,
    /// From the question to the first word, in milliseconds; `None` when there was none.
    pub first_token_ms: Option<u64>,
    /// Those who were asked before and failed.
    pub attempts: Vec<Attempt>,
    /// Whether it was given before to the same question, and kept.
    pub cached: bool,
    /// Whether it holds the beginning of an answer that broke off, behind which another model began again.
    pub restarted: bool,
    /// What it cost with all attempts, in millionths of a dollar.
    pub cost_micros: u64,
}

/// A provider that was asked, or passed by, and gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who.
    pub provider: String,
    /// Which model; empty for its own while that is unknown.
    pub model: String,
    /// Why.
    pub failure: Failure,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A provider came or went since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeChange {
    /// Who.
    pub provider: String,
    /// Whether it answers now.
    pub up: bool,
    /// The models it offers.
    pub models: Vec<String>,
    /// Why it does not answer; empty when it does.
    pub why: String,
}

/// A decision of the router that is worth telling. No word of what was asked or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A model failed too often and is left alone.
    Opened {
        /// Of which provider.
        provider: String,
        /// Which model; empty while unknown.
        model: String,
        /// The last reason, in words.
        why: String,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// A model that was left alone is well again.
    Closed {
        /// Of which provider.
        provider: String,
        /// Which model; empty while unknown.
        model: String,
    },
    /// A provider has no key or no credit and is held back.
    Held {
        /// Which one.
        provider: String,
        /// Why, in words.
        why: String,
        /// For how long, in milliseconds.
        ms: u64,
    },
}

/// What the owner can do to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It is asked again.
    Enable,
    /// It is not asked.
    Disable,
    /// Every rest and hold of it is forgotten.
    ResetCircuit,
}

impl Control {
    /// The act of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "enable" => Some(Self::Enable),
            "disable" => Some(Self::Disable),
            "reset_circuit" => Some(Self::ResetCircuit),
            _ => None,
        }
    }
}

impl Cascade {
    /// The providers in the order in which they are asked, by the default rules. Reflex comes last wherever it stands.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Self {
        Self::with(providers, Rules::default())
    }

    /// The same by these rules.
    #[must_use]
    pub fn with(providers: Vec<Arc<dyn Provider>>, rules: Rules) -> Self {
        let (reflex, models): (Vec<_>, Vec<_>) = providers.into_iter().partition(|p| p.info().place == Place::Reflex);
        let members: Vec<Member> =
            models.into_iter().chain(reflex).map(|provider| Member::new(provider, rules.threshold)).collect();
        Self(Arc::new(Inner {
            order: RwLock::new((0..members.len()).collect()),
            members,
            mode: Mode::new(rules.offline),
            cache: Mutex::new(Cache::new(rules.cache_entries, rules.cache_ms)),
            rules,
            recent: Mutex::default(),
            changes: Mutex::default(),
            books: OnceLock::new(),
            wall: Mutex::new(None),
            seed: AtomicU64::new(0x9E37_79B9_7F4A_7C15),
            born: Instant::now(),
        }))
    }

    /// What it goes by.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// Who keeps the books of what leaves and what it costs. Set once; a later one is ignored. Without books a
    /// provider that has a price is not asked.
    pub fn keep_books(&self, books: Arc<dyn Books>) {
        let _ = self.0.books.set(books);
    }

    /// Where chance begins.
    pub fn seed(&self, seed: u64) {
        self.0.seed.store(seed, Ordering::Relaxed);
    }

    /// What the wall clock says now, for dates that providers tell.
    pub fn set_wall(&self, wall: Timestamp) {
        *lock(&self.0.wall) = Some((self.0.now(), wall));
    }

    /// Asks in order until one answers.
    ///
    /// Each model has what is left of the time. While another model comes after it, it has half of the time for its
    /// first token, and less when it is known to be faster. Reflex takes no time and is asked even when none is left.
    ///
    /// # Errors
    /// The reason of each provider that was asked or passed by.
    pub async fn complete(&self, request: &ChatRequest, call: &Call) -> Result<Answer, CascadeError> {
        let (inner, began) = (&*self.0, Instant::now());
        // Who wants to hear one provider alone does not want to hear what another one said.
        let any = call.manner.only.is_none();
        let kept = any.then(|| lock(&inner.cache).get(request, inner.now())).flatten();
        if let Some(kept) = kept {
            return Ok(inner.again(request, call, kept, began).await);
        }
        // Boxed: the state of a climb is large, and whoever waits for it would be as large.
        let (done, path, cost) = Box::pin(Climb::new(inner, request, call, began).climb()).await;
        if let Ok(answer) = &done
            && answer.place != Place::Reflex
        {
            lock(&inner.cache).put(request, answer, inner.now());
        }
        let what = What { class: request.class, label: request.sensitivity(), cached: false };
        inner.remember(what, call, began, path, cost);
        if let (Some(recorder), Ok(answer)) = (&inner.rules.recorder, &done) {
            recorder.write(request, answer);
        }
        done
    }

    /// Who would be asked for `request` now, in order, with the reason why one would not. Asks nobody.
    #[must_use]
    pub fn explain(&self, request: &ChatRequest) -> Vec<Attempt> {
        let inner = &*self.0;
        let rungs = inner.rungs(request, Needs::of(request), Instant::now());
        let told = |rung: Rung| {
            let member = inner.members.get(rung.member)?;
            let known_as = member.known_as(rung.model.as_deref());
            let failure = match rung.skip {
                Some(failure) => Err(failure),
                None => inner.may_ask(member, request, &known_as),
            };
            let failure = failure.err().unwrap_or(Failure::NothingToSay);
            Some(Attempt { provider: member.name().to_owned(), model: known_as, failure, duration_ms: 0 })
        };
        rungs.into_iter().filter_map(told).collect()
    }

    /// Asks every provider whether it is there, all at once, `each` within its time, and tells which came or went
    /// since the last look. Reflex is always there and never told; one elsewhere is not looked for while everything
    /// stays here, and else stands in the books.
    pub async fn probe_all(&self, each: Duration) -> Vec<ProbeChange> {
        let inner = &*self.0;
        let asked = inner.members.iter().filter(|m| !m.is_reflex());
        let looks = asked.map(|member| async move { member.looked(inner.look(member, each).await?) });
        futures_util::future::join_all(looks).await.into_iter().flatten().collect()
    }

    /// What a model file means for the provider that runs files, before it is loaded; `None` when none does.
    pub async fn weigh(&self, file: &Path) -> Option<Result<Weighed, String>> {
        let looked = self.0.in_order().find_map(|(_, member)| member.provider().weigh(file.to_owned()))?;
        Some(looked.await)
    }

    /// How every provider is, in the order in which they are asked.
    #[must_use]
    pub fn status(&self) -> Vec<ProviderStatus> {
        let now = self.0.now();
        let rules = &self.0.rules;
        let told = |member: &Member| ProviderStatus { unpriced: rules.unpriced(member), ..member.status(now) };
        self.0.in_order().map(|(_, member)| told(member)).collect()
    }

    /// What each provider was asked for and gave, in order.
    #[must_use]
    pub fn figures(&self) -> Vec<ProviderFigures> {
        self.0.in_order().map(|(_, member)| member.read_figures()).collect()
    }

    /// The last calls and their paths, newest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Recent> {
        lock(&self.0.recent).newest_first()
    }

    /// Whether a language model answered when it was last asked. One that has no price, and is not asked for that, is none.
    #[must_use]
    pub fn has_model(&self) -> bool {
        self.0.members.iter().any(|m| !m.is_reflex() && m.is_up() && !self.0.rules.unpriced(m).all)
    }

    /// Does what the owner said to the provider `name`. Says whether there is one.
    pub fn control(&self, name: &str, control: Control) -> bool {
        let Some(member) = self.0.members.iter().find(|m| m.name() == name) else { return false };
        match control {
            Control::Enable => member.switch(false),
            Control::Disable => member.switch(true),
            Control::ResetCircuit => member.reset(self.0.now()),
        }
        true
    }

    /// Asks the providers in this order from now on. Names that are none are passed by, providers that are not named
    /// follow in the order of the settings, and reflex stays last.
    pub fn set_order(&self, names: &[String]) {
        let members = &self.0.members;
        let place = |m: &Member| names.iter().position(|n| n == m.name()).unwrap_or(names.len());
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|n| members.get(*n).map(|m| (m.is_reflex(), place(m))));
        *self.0.order.write().unwrap_or_else(PoisonError::into_inner) = order;
    }

    /// Keeps everything on this machine for this long, at most [`LOCAL_MS_MAX`]; nothing ends that. Calls on their way
    /// to another machine are given up.
    pub fn keep_local(&self, length: Option<Duration>) {
        let now = self.0.now();
        self.0.mode.keep_local(length.map(|l| now.saturating_add(millis(l).min(LOCAL_MS_MAX))));
    }

    /// How long everything is still kept on this machine by the owner's key.
    #[must_use]
    pub fn local_for(&self) -> Option<Duration> {
        let now = self.0.now();
        self.0.mode.local_until(now).map(|until| Duration::from_millis(until - now))
    }

    /// Leave to reach another machine now, for whatever is no question to a model. It ends when the token is cancelled.
    ///
    /// # Errors
    /// [`Failure::Privacy`] with the reason, while everything stays here.
    pub fn leave(&self) -> Result<CancellationToken, Failure> {
        self.0.mode.leave(self.0.now())
    }

    /// Whether this run never asks anybody elsewhere.
    #[must_use]
    pub fn offline(&self) -> bool {
        self.0.mode.offline()
    }

    /// What the router decided since the last time, oldest first.
    #[must_use]
    pub fn take_changes(&self) -> Vec<Change> {
        lock(&self.0.changes).drain(..).collect()
    }

    /// What is known of every model, to be kept over a restart.
    #[must_use]
    pub fn store(&self) -> Vec<StoredModel> {
        let inner = &*self.0;
        let all = inner.members.iter().filter(|m| !m.is_reflex());
        all.flat_map(|m| m.store(inner.now(), inner.made_of(m.name()))).collect()
    }

    /// Takes back what was kept `ago` before now. A hold counts only while the settings of its provider are the same.
    pub fn restore(&self, stored: &[StoredModel], ago: Duration) {
        let inner = &*self.0;
        for row in stored {
            if let Some(member) = inner.members.iter().find(|m| m.name() == row.provider) {
                member.restore(row, inner.now(), millis(ago), inner.made_of(&row.provider));
            }
        }
    }
}

impl Inner {
    /// Milliseconds since this cascade was made.
    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }

    /// A wall-clock time in milliseconds of the cascade's clock, when the wall clock is known.
    fn at_wall(&self, until: Timestamp) -> Option<u64> {
        lock(&self.wall).map(|(then, wall)| climb::at_wall(until, wall, then))
    }

    /// A random number (SplitMix64, Steele et al. 2014).
    fn roll(&self) -> u64 {
        let seed = self.seed.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn made_of(&self, name: &str) -> u64 {
        self.rules.made_of.get(name).copied().unwrap_or(0)
    }

    fn in_order(&self) -> impl Iterator<Item = (usize, &Member)> {
        let order = self.order.read().unwrap_or_else(PoisonError::into_inner).clone();
        order.into_iter().filter_map(|n| Some((n, self.members.get(n)?)))
    }

    /// The rungs of a call. The provider that is wished for by name comes first, and whoever lists a model that is wished
    /// for by a bare name; models that rest go behind the others, not away: when the others fail too, they get their
    /// chance.
    fn rungs(&self, request: &ChatRequest, needs: Needs, now: Instant) -> Vec<Rung> {
        let wished = request.model.as_deref().filter(|model| !model.is_empty() && *model != AUTO);
        let mut order: Vec<(usize, &Member)> = self.in_order().collect();
        // Looked up once each.
        order.sort_by_cached_key(|(_, m)| (m.is_reflex(), !wished.is_some_and(|w| m.is_meant(w)), m.rests(now)));
        let rungs = order.into_iter().map(|(n, m)| m.rungs(n, wished, request.class, needs, &self.rules.book));
        rungs.flatten().collect()
    }

    /// Whether `member` would be asked now.
    fn may_ask(&self, member: &Member, request: &ChatRequest, model: &str) -> Result<(), Failure> {
        if member.place() == Place::Remote {
            self.mode.leave(self.now())?;
            request.for_remote()?;
            self.rules.price(member, model)?;
        }
        member.would_admit(model, self.now())
    }

    fn settle(&self, line: Option<i64>, cost_micros: u64, answered: bool) {
        if let (Some(line), Some(books)) = (line, self.books.get()) {
            books.settle(line, cost_micros, answered);
        }
    }

    fn tell(&self, change: Change) {
        let mut changes = lock(&self.changes);
        if changes.len() == CHANGES_MAX {
            changes.pop_front();
        }
        changes.push_back(change);
    }

    /// A kept answer, given once more.
    async fn again(&self, request: &ChatRequest, call: &Call, kept: Answer, began: Instant) -> Answer {
        if let Some(answering) = &call.manner.answering {
            let _ = answering.set(kept.provider.clone());
        }
        let mut deltas = crate::deltas::Deltas::new(call.deltas.clone());
        deltas.push(&kept.content);
        deltas.flush(&call.cancel).await;
        let path = vec![Step { provider: kept.provider.clone(), model: kept.model.clone(), word: "kept", took_ms: 0 }];
        self.remember(What { class: request.class, label: request.sensitivity(), cached: true }, call, began, path, 0);
        let took = millis(began.elapsed());
        let usage = Usage::default();
        Answer {
            duration_ms: took,
            first_token_ms: Some(took),
            attempts: Vec::new(),
            cached: true,
            cost_micros: 0,
            usage,
            ..kept
        }
    }

    fn remember(&self, what: What, call: &Call, began: Instant, path: Vec<Step>, cost: u64) {
        lock(&self.recent).push(Recent {
            ended: Instant::now(),
            purpose: call.manner.purpose,
            class: what.class.name(),
            label: what.label,
            cached: what.cached,
            took_ms: millis(began.elapsed()),
            cost_micros: cost,
            path,
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
