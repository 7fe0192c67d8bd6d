//! A provider in the cascade and what is known of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_domain::thought::Place;
use tokio::time::Instant;

use super::abilities::{self, Book, Needs, Shelf};
use super::action::Harm;
use super::breaker::Circuit;
use super::figures::{Figures, ProviderFigures};
use super::known::{Hold, Known, ModelStatus, StoredModel};
use super::ladder::Rung;
use super::{ProbeChange, REST_MS, millis};
use crate::failure::{Failure, Stage};
use crate::provider::{Completion, Health, Provider};
use crate::request::TaskClass;

/// What stands behind the name of a model that makes vectors. A server may well write and yet make no vectors, so the
/// one is remembered apart from the other.
pub const VECTORS: &str = "(vectors)";
/// Models of one provider of which something is remembered; the one unused for longest goes first.
pub const MODELS_KNOWN_MAX: usize = 64;

/// Whether a provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// Nobody has asked yet.
    Unknown,
    /// It answered when last asked.
    Up,
    /// It did not.
    Down {
        /// Why, in words.
        why: String,
        /// The one step that helps, where the failure names it; empty where it is the usual one of such a provider.
        hint: String,
    },
}

/// How a provider is.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderStatus {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: &'static str,
    /// Where its answers are made.
    pub place: Place,
    /// Whether it answers.
    pub state: ProviderState,
    /// The models it offers.
    pub models: Vec<String>,
    /// The model it would use now; empty while unknown.
    pub model_in_use: String,
    /// Its version, of the engine what runs its models; empty while unknown, and where it does not tell.
    pub version: String,
    /// How long ago it was last asked for an answer, in milliseconds; `None` when it never was.
    pub last_used_ms: Option<u64>,
    /// How often it was asked for an answer.
    pub calls: u64,
    /// How often it gave none; calls that were given up are not counted.
    pub failures: u64,
    /// Why the last call failed, in words; empty when it did not.
    pub last_failure: String,
    /// Whether the owner switched it off.
    pub disabled: bool,
    /// Why it is held back, in words; empty when it is not.
    pub held: String,
    /// How long it is still held back, in milliseconds.
    pub held_ms: u64,
    /// What is not asked because nobody knows what it costs.
    pub unpriced: Unpriced,
    /// What is known of each of its models that was asked.
    pub known: Vec<ModelStatus>,
}

/// The models of a provider that are paid for by a price nobody knows, while a budget is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpriced {
    /// Their names behind the provider's; `*` for one that is not known yet.
    pub models: Vec<String>,
    /// Whether it has no other ones.
    pub all: bool,
}

impl ProviderStatus {
    /// The circuit of the model in use in one word: `closed`, `open` or `half_open`. One that is held back is open.
    #[must_use]
    pub fn circuit(&self) -> &'static str {
        if !self.held.is_empty() {
            return "open";
        }
        let of_words = || self.known.iter().find(|k| !k.model.ends_with(VECTORS));
        let own = self.known.iter().find(|k| k.model == self.model_in_use).or_else(of_words);
        own.map_or("closed", |k| k.circuit.name())
    }
}

/// A provider in the cascade.
pub struct Member {
    provider: Arc<dyn Provider>,
    record: Mutex<Record>,
    figures: Figures,
    threshold: u32,
}

struct Record {
    state: ProviderState,
    /// What the last look told, so that only changes are told.
    told: Option<bool>,
    health: Health,
    /// The day whose looks stand in the books, as far as it was known.
    look_booked: Option<Option<i64>>,
    rests_until: Option<Instant>,
    /// Whether nobody was there when it was last asked or looked for. A server that only fails is there.
    away: bool,
    last_used: Option<Instant>,
    calls: u64,
    failures: u64,
    last_failure: String,
    disabled: bool,
    hold: Option<Hold>,
    known: BTreeMap<String, Known>,
}

/// Leave to ask one model once. Dropped without a word it gives back the place of a call that tries the model out.
pub struct Permit<'a> {
    member: &'a Member,
    /// The model, as it is known by.
    pub model: String,
    probe: Option<u64>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.probe.take() {
            self.member.record().known.get_mut(&self.model).into_iter().for_each(|k| k.breaker.gave_up(number));
        }
    }
}

/// What an attempt changed that is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The circuit opened, for this many milliseconds.
    Opened(u64),
    /// The circuit closed.
    Closed,
    /// The provider is held back, for this many milliseconds.
    Held(u64),
}

/// How an attempt went, for [`Member::ended`].
pub struct Ended<'a> {
    /// The answer, or why there is none.
    pub done: Result<&'a Completion, &'a Failure>,
    /// What the failure says about its health.
    pub harm: Harm,
    /// When the first word came after the question.
    pub first_word: Option<Duration>,
    /// How long all of it took.
    pub took: Duration,
    /// Tokens that were asked, estimated.
    pub prompt_tokens: u64,
    /// The time, in milliseconds of the cascade's clock.
    pub now: u64,
    /// Until when it is held back, as far as it told, in milliseconds of the cascade's clock.
    pub until: Option<u64>,
    /// A random number.
    pub roll: u64,
}

impl Member {
    /// Nobody has asked it yet. Its circuits open after `threshold` failures in a row.
    pub fn new(provider: Arc<dyn Provider>, threshold: u32) -> Self {
        let reflex = provider.info().place == Place::Reflex;
        let record = Record {
            state: if reflex { ProviderState::Up } else { ProviderState::Unknown },
            told: None,
            health: Health::default(),
            look_booked: None,
            rests_until: None,
            away: false,
            last_used: None,
            calls: 0,
            failures: 0,
            last_failure: String::new(),
            disabled: false,
            hold: None,
            known: BTreeMap::new(),
        };
        Self { provider, record: Mutex::new(record), figures: Figures::default(), threshold }
    }

    pub fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    pub fn name(&self) -> &str {
        &self.provider.info().name
    }

    pub fn place(&self) -> Place {
        self.provider.info().place
    }

    pub fn is_reflex(&self) -> bool {
        self.place() == Place::Reflex
    }

    pub fn is_up(&self) -> bool {
        let record = self.record();
        record.state == ProviderState::Up && !record.disabled
    }

    /// Whether a wish for `model` means this one: by its own name before a slash, or because it lists that model.
    pub fn is_meant(&self, model: &str) -> bool {
        let by_name = model.strip_prefix(self.name()).is_some_and(|rest| rest.starts_with('/'));
        by_name || self.record().health.models.iter().any(|listed| listed == model)
    }

    pub fn rests(&self, now: Instant) -> bool {
        self.record().rests_until.is_some_and(|until| now < until)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted of its calls.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What was counted of its calls, for whoever looks from outside.
    pub fn read_figures(&self) -> ProviderFigures {
        let info = self.provider.info();
        let up = match self.record().state {
            ProviderState::Unknown => None,
            ProviderState::Up => Some(true),
            ProviderState::Down { .. } => Some(false),
        };
        self.figures.read(&info.name, info.place, up)
    }

    /// The rungs it gives to a call: one for each model that may be asked, or one that says why none is.
    pub fn rungs(&self, number: usize, wished: Option<&str>, class: TaskClass, needs: Needs, book: &Book) -> Vec<Rung> {
        let reflex = self.is_reflex();
        let can = self.provider.capabilities();
        let rung =
            |model, skip| Rung { member: number, model, skip, reflex, context_tokens: can.context_tokens, tries: 0 };
        if reflex {
            return vec![rung(None, None)];
        }
        let record = self.record();
        let shelf = Shelf {
            provider: self.name(),
            offered: &record.health.models,
            own: &record.health.model_in_use,
            can,
            local: self.place() == Place::Local,
        };
        match abilities::resolve(shelf, wished, class, needs, book) {
            Ok(models) => models.into_iter().map(|model| rung(model, None)).collect(),
            Err(what) => vec![rung(None, Some(Failure::Unsupported { what: what.to_owned() }))],
        }
    }

    /// The name under which `model` is known, `None` being its own: that of the model which is asked in truth, and not
    /// the one under which a server answered before.
    pub fn known_as(&self, model: Option<&str>) -> String {
        let asked = self.provider.asks(model);
        if asked.is_empty() { self.record().health.model_in_use.clone() } else { asked }
    }

    /// Asks for leave to ask `model` at `now`.
    pub fn admit(&self, model: &str, now: u64) -> Result<Permit<'_>, Failure> {
        let mut record = self.record();
        let permit = |probe| Permit { member: self, model: model.to_owned(), probe };
        if self.is_reflex() {
            return Ok(permit(None));
        }
        if record.disabled {
            return Err(Failure::Resting { what: "the owner switched it off".to_owned() });
        }
        if let Some(hold) = record.hold.as_ref().filter(|hold| now < hold.until) {
            let what = format!("{}; it is tried again in {}", hold.why, soon(hold.until - now));
            return Err(Failure::Resting { what });
        }
        if record.known.len() >= MODELS_KNOWN_MAX && !record.known.contains_key(model) {
            // One whose circuit is open is kept longest: forgotten, it would be asked at once.
            let rank = |known: &Known| (known.breaker.circuit(now) != Circuit::Closed, known.last_used);
            let oldest = record.known.iter().min_by_key(|(_, k)| rank(k)).map(|(name, _)| name.clone());
            oldest.into_iter().for_each(|name| drop(record.known.remove(&name)));
        }
        let known = record.known.entry(model.to_owned()).or_insert_with(|| Known::new(self.threshold));
        known.admit(now).map(permit)
    }

    /// Whether it would be asked for `model`. Takes no place.
    ///
    /// # Errors
    /// Why not.
    pub fn would_admit(&self, model: &str, now: u64) -> Result<(), Failure> {
        let record = self.record();
        if record.disabled {
            return Err(Failure::Resting { what: "the owner switched it off".to_owned() });
        }
        if let Some(hold) = record.hold.as_ref().filter(|hold| now < hold.until) {
            return Err(Failure::Resting {
                what: format!("{}; it is tried again in {}", hold.why, soon(hold.until - now)),
            });
        }
        match record.known.get(model) {
            Some(known) if !known.breaker.would_admit(now) => Err(resting(known.breaker.left_ms(now))),
            _ => Ok(()),
        }
    }

    /// How long the first word of `model` may take for a prompt of `tokens`, as far as that was learned.
    pub fn patience(&self, model: &str, tokens: u64, now: u64) -> Option<Duration> {
        let record = self.record();
        let known = record.known.get(model)?;
        known.speeds.patience(tokens, known.is_cold(now))
    }

    /// Remembers how a call went, and says what that changed.
    pub fn ended(&self, mut permit: Permit<'_>, ended: &Ended<'_>) -> Option<Turn> {
        let mut record = self.record();
        let asked = !matches!(
            ended.done,
            Err(Failure::Privacy { .. } | Failure::Budget { .. } | Failure::Resting { .. } | Failure::Outrun)
        );
        if asked {
            record.note(ended.done, !permit.model.ends_with(VECTORS));
        }
        let mut name = permit.model.clone();
        if let Ok(completion) = ended.done {
            record.hold = None;
            if name.is_empty() && !completion.model.is_empty() {
                // Now that its name is known, what was learned before belongs to it.
                name.clone_from(&completion.model);
                if let Some(known) = record.known.remove("") {
                    record.known.entry(name.clone()).or_insert(known);
                }
                record.health.model_in_use.clone_from(&name);
            }
        }
        let probe = permit.probe.take();
        let known = record.known.get_mut(&name)?;
        let turn = known.ended(probe, ended);
        let Some(until) = (ended.harm == Harm::Holds).then(|| Hold::until(ended.now, ended.until)) else { return turn };
        let why = ended.done.err().map(ToString::to_string).unwrap_or_default();
        record.hold = Some(Hold { why, until });
        Some(Turn::Held(until.saturating_sub(ended.now)))
    }

    /// Whether the looks of `day` stand in the books already.
    pub fn was_looked_at(&self, day: Option<i64>) -> bool {
        self.record().look_booked == Some(day)
    }

    /// The looks of `day` stand in the books from now on.
    pub fn look_is_booked(&self, day: Option<i64>) {
        self.record().look_booked = Some(day);
    }

    /// Remembers whether it is there, and tells when that changed since the last look.
    pub fn looked(&self, found: Result<Health, Failure>) -> Option<ProbeChange> {
        let provider = self.name().to_owned();
        let mut record = self.record();
        let (state, why) = match found {
            Ok(health) => {
                record.health = health;
                (ProviderState::Up, String::new())
            }
            Err(failure) => (down(&failure), failure.to_string()),
        };
        let up = state == ProviderState::Up;
        let was_away = std::mem::replace(&mut record.away, !up);
        if up && was_away {
            // It was away and is there again: nobody waits for the end of a rest.
            record.known.values_mut().for_each(|known| known.breaker.came_back());
            record.rests_until = None;
        }
        record.state = state;
        let changed = record.told.replace(up) != Some(up);
        let models = if up { record.health.models.clone() } else { Vec::new() };
        changed.then_some(ProbeChange { provider, up, models, why })
    }

    /// Switches it off or on by the owner's word.
    pub fn switch(&self, off: bool) {
        self.record().disabled = off;
    }

    /// Forgets every rest and hold by the owner's word.
    pub fn reset(&self, now: u64) {
        let mut record = self.record();
        record.hold = None;
        record.rests_until = None;
        record.known.values_mut().for_each(|known| known.breaker.reset(now));
    }

    /// What is worth keeping of it at `now`; `made_of` tells its settings from others.
    pub fn store(&self, now: u64, made_of: u64) -> Vec<StoredModel> {
        let record = self.record();
        let hold = record.hold.as_ref().filter(|hold| now < hold.until);
        let rows = record.known.iter();
        rows.map(|(model, known)| known.store(self.name(), model, now, hold, made_of)).collect()
    }

    /// Takes back what was kept `ago` milliseconds ago.
    pub fn restore(&self, stored: &StoredModel, now: u64, ago: u64, made_of: u64) {
        let mut known = Known::new(self.threshold);
        let hold = known.restore(stored, now, ago, made_of);
        let mut record = self.record();
        if record.known.len() < MODELS_KNOWN_MAX {
            record.known.insert(stored.model.clone(), known);
        }
        if hold.is_some() {
            record.hold = hold;
        }
    }

    pub fn status(&self, now: u64) -> ProviderStatus {
        let info = self.provider.info();
        let record = self.record();
        let hold = record.hold.as_ref().filter(|hold| now < hold.until);
        ProviderStatus {
            name: info.name.clone(),
            kind: info.kind,
            place: info.place,
            state: record.state.clone(),
            models: record.health.models.clone(),
            model_in_use: record.health.model_in_use.clone(),
            version: record.health.version.clone().unwrap_or_default(),
            last_used_ms: record.last_used.map(|at| millis(at.elapsed())),
            calls: record.calls,
            failures: record.failures,
            last_failure: record.last_failure.clone(),
            disabled: record.disabled,
            held: hold.map(|hold| hold.why.clone()).unwrap_or_default(),
            held_ms: hold.map_or(0, |hold| hold.until - now),
            unpriced: Unpriced::default(),
            known: record.known.iter().map(|(model, known)| known.status(model, now)).collect(),
        }
    }
}

impl Record {
    /// Remembers how a call went. What it made besides `words` says little of whether it can answer in words.
    fn note(&mut self, done: Result<&Completion, &Failure>, words: bool) {
        let now = Instant::now();
        self.calls += 1;
        self.last_used = Some(now);
        match done {
            Ok(completion) => {
                self.state = ProviderState::Up;
                self.away = false;
                if words {
                    self.rests_until = None;
                }
                self.last_failure.clear();
                if self.health.model_in_use.is_empty() {
                    self.health.model_in_use.clone_from(&completion.model);
                }
            }
            // Nobody is to blame for what the owner stopped or set a bound to.
            Err(Failure::Cancelled | Failure::SpentUp { .. }) => {}
            Err(failure) => {
                self.failures += 1;
                self.away |= failure.is_nobody_there();
                self.last_failure = failure.to_string();
                if is_away(failure) && (words || !matches!(failure, Failure::NoModel { .. })) {
                    self.state = down(failure);
                }
                if words && ran_into_the_void(failure) {
                    self.rests_until = Some(now + Duration::from_millis(REST_MS));
                }
            }
        }
    }
}

/// A length of time in words.
fn soon(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

/// Why a rung rests, in the words of [`Failure::Resting`].
pub fn resting(ms: u64) -> Failure {
    Failure::Resting { what: format!("it failed too often and rests for another {}", soon(ms)) }
}

/// Whether the failure means that nobody can answer there until something changes.
fn is_away(failure: &Failure) -> bool {
    let unreached = matches!(failure, Failure::Timeout { stage: Stage::Connect } | Failure::Unreachable { .. });
    let lacks = matches!(failure, Failure::NoModel { .. } | Failure::NotBuiltIn { .. });
    unreached || lacks || matches!(failure, Failure::Auth | Failure::Billing { .. })
}

/// Away for this reason.
fn down(failure: &Failure) -> ProviderState {
    let hint = match failure {
        Failure::NotBuiltIn { hint, .. } => hint.clone(),
        _ => String::new(),
    };
    ProviderState::Down { why: failure.to_string(), hint }
}

/// Whether the failure cost the caller's time without a word. A refused connection costs none.
fn ran_into_the_void(failure: &Failure) -> bool {
    matches!(failure, Failure::Timeout { stage: Stage::Connect | Stage::FirstToken | Stage::Stall })
}
