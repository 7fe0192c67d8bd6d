//! Traces: what took how long because of what, for a collector the owner names. Off unless he does.
//!
//! A span holds names, ids, durations and counts, never words of a person or a model. Its values are made of words
//! of the house, of names from the settings, and of numbers; there is no way to put other text in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timmy_domain::tally::Counter;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Timestamp, settings};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock::Clock;

pub mod context;
pub mod export;
pub mod otlp;

pub use context::Context;

/// Spans that wait to be sent; more are dropped and counted.
pub const SPANS_QUEUED_MAX: usize = 2_048;
/// Characters of a name in a span.
const NAME_CHARS_MAX: usize = 120;

settings! {
    /// Traces for a collector of yours. Nothing leaves while no collector is named.
    pub struct TelemetrySettings in "telemetry" {
        /// The base address of an OpenTelemetry collector that takes OTLP over HTTP in JSON, such as "http://127.0.0.1:4318"; empty sends nothing. Names, ids, durations and counts are sent, never what anybody said.
        otlp_endpoint: String = String::new(), BytesMax(2_048);
    }
}

impl TelemetrySettings {
    /// Whether the collector can be asked at all. Nothing is looked up.
    ///
    /// # Errors
    /// What is wrong with its address, in words.
    pub fn check(&self) -> Result<(), String> {
        let endpoint = self.otlp_endpoint.trim();
        if endpoint.is_empty() { Ok(()) } else { timmy_tools::collector::address(endpoint).map(|_| ()) }
    }
}

/// What a span is, in the words of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work inside the house.
    Internal = 1,
    /// An answer to a request from outside.
    Server = 2,
    /// A request to somebody else.
    Client = 3,
}

/// A value of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word of the house.
    Word(&'static str),
    /// A name from the settings, or an id.
    Name(String),
    /// A number.
    Number(i64),
}

impl Value {
    /// A name from the settings or an id, as one line within its bound.
    #[must_use]
    pub fn name(text: &str) -> Self {
        Self::Name(cut(&one_line(text), NAME_CHARS_MAX))
    }

    /// A count; one that does not fit becomes the largest.
    #[must_use]
    pub fn count(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A piece of work that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Where it belongs and who it is.
    pub context: Context,
    /// The span it is part of.
    pub parent: Option<[u8; 8]>,
    /// What it is, in a few words of the house.
    pub name: String,
    /// What kind of work.
    pub kind: Kind,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Its figures and names.
    pub values: Vec<(&'static str, Value)>,
    /// Why it failed, in one word; `None` when it did not.
    pub failed: Option<&'static str>,
}

/// Where spans go. Cheap to clone; while it is off, it costs a look at a flag.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<Inside>>);

struct Inside {
    endpoint: String,
    clock: Arc<dyn Clock>,
    chance: Chance,
    queue: Mutex<VecDeque<Span>>,
    rung: Notify,
    figures: Figures,
}

/// What became of spans.
#[derive(Debug, Default)]
pub struct Figures {
    /// Spans the collector took.
    pub sent: Counter,
    /// Spans that found no place in the queue, that the collector refused, or that it could not take in time.
    pub dropped: Counter,
    /// Attempts to reach the collector that failed.
    pub failures: Counter,
}

/// A piece of work under way. It ends when it is dropped, and is then on its way to the collector.
pub struct Live(Option<Box<Open>>);

struct Open {
    to: Arc<Inside>,
    began: Instant,
    span: Span,
}

impl Telemetry {
    /// Spans for the collector that `settings` name; off when they name none.
    #[must_use]
    pub fn new(settings: &TelemetrySettings, clock: Arc<dyn Clock>, chance: Chance) -> Self {
        let endpoint = settings.otlp_endpoint.trim();
        if endpoint.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(Inside {
            endpoint: endpoint.to_owned(),
            clock,
            chance,
            queue: Mutex::default(),
            rung: Notify::new(),
            figures: Figures::default(),
        })))
    }

    /// The collector, as the settings name it; `None` when there is none.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.0.as_deref().map(|inside| inside.endpoint.as_str())
    }

    /// What became of spans; `None` when there is no collector.
    #[must_use]
    pub fn figures(&self) -> Option<&Figures> {
        self.0.as_deref().map(|inside| &inside.figures)
    }

    /// Spans that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.as_deref().map_or(0, |inside| inside.queue().len())
    }

    /// A piece of work begins, as part of the one in hand when there is one.
    #[must_use]
    pub fn begin(&self, name: &str, kind: Kind) -> Live {
        self.begin_under(name, kind, context::current())
    }

    /// A piece of work begins, as part of `parent`, which may belong to another program.
    #[must_use]
    pub fn begin_under(&self, name: &str, kind: Kind, parent: Option<Context>) -> Live {
        let Some(to) = self.0.clone() else { return Live(None) };
        let trace = parent.map_or_else(|| to.chance.bytes(), |p| p.trace);
        let span = Span {
            context: Context { trace, span: to.chance.bytes() },
            parent: parent.map(|p| p.span),
            name: cut(name, NAME_CHARS_MAX),
            kind,
            began: to.clock.now(),
            ended: Timestamp::EPOCH,
            values: Vec::new(),
            failed: None,
        };
        Live(Some(Box::new(Open { to, began: Instant::now(), span })))
    }
}

impl Inside {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, span: Span) {
        let mut queue = self.queue();
        if queue.len() >= SPANS_QUEUED_MAX {
            drop(queue);
            self.figures.dropped.one();
            return;
        }
        queue.push_back(span);
        drop(queue);
        self.rung.notify_one();
    }
}

impl Live {
    /// Adds a value.
    pub fn set(&mut self, key: &'static str, value: Value) {
        if let Some(open) = &mut self.0 {
            open.span.values.push((key, value));
        }
    }

    /// It failed, for this reason in one word.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(open) = &mut self.0 {
            open.span.failed = Some(why);
        }
    }

    /// It did not fail after all.
    pub fn well(&mut self) {
        if let Some(open) = &mut self.0 {
            open.span.failed = None;
        }
    }

    /// Runs `work` so that what begins in it is part of this.
    pub async fn within<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            Some(open) => context::within(open.span.context, work).await,
            None => work.await,
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            let Open { to, began, mut span } = *open;
            // Measured by the clock that never goes back; the wall clock says only when it began.
            span.ended = span.began.plus(began.elapsed());
            to.take_in(span);
        }
    }
}
