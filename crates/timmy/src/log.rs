//! Log lines: to standard error for whoever watches, and warnings and errors to a small rotating file in the home.

use std::io;
use std::path::Path;
use std::sync::Arc;

use timmy_domain::settings;
use timmy_domain::tally::Counter;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub mod fields;
mod line;
mod queue;
mod rotating;

use line::Form;
use queue::Queue;
use rotating::{FILE_BYTES_MAX, Rotating};

settings! {
    /// What is logged, and how it looks.
    pub struct LogSettings in "log" {
        /// How log lines look: "text" for people, "json" for programs, one object a line with the names of docs/log-fields.md.
        format: String = "text".to_owned(), OneOf(&["text", "json"]);
        /// How much goes to standard error; "debug" has a line for each request. The environment variable TIMMY_LOG, in the words of tracing, overrides it.
        level: String = "warn".to_owned(), OneOf(&["error", "warn", "info", "debug"]);
    }
}

settings! {
    /// The file that warnings and errors are written to.
    pub struct ErrorLogSettings in "error_log" {
        /// Whether warnings and errors are written to a file, 5 MiB each, the last five kept.
        enabled: bool = true, Free;
        /// The directory of the file; empty for logs in the home.
        dir: String = String::new(), BytesMax(4_096);
    }
}

/// The log of a running server.
pub struct Logging {
    /// Why there is no log file, when there should be one; Timmy runs without it.
    pub trouble: Option<String>,
    /// Lines that were left out because they could not be written fast enough.
    pub dropped: Arc<Counter>,
    queues: Vec<Queue>,
}

impl Logging {
    /// Waits until what was logged is written, though not for long.
    pub fn end(&self) {
        self.queues.iter().for_each(Queue::end);
    }
}

/// How much goes to standard error: the variable when there is one that is understood, else the setting.
fn filter(settings: &LogSettings) -> EnvFilter {
    // Of libraries warnings, of the house what is wanted. Targets are matched by their beginning.
    let usual = || EnvFilter::new(format!("warn,timmy={}", settings.level));
    EnvFilter::try_from_env("TIMMY_LOG").unwrap_or_else(|_| usual())
}

/// Whether a line may be written at all: libraries may hold in their finer lines what passes through them, such as the
/// head of a request with its token.
fn may_be_told(meta: &tracing::Metadata<'_>) -> bool {
    meta.target().starts_with("timmy") || *meta.level() <= Level::WARN
}

/// Begins to log.
pub fn begin(settings: &LogSettings, file: &ErrorLogSettings, home: &Path) -> Logging {
    let form = if settings.format == "json" { Form::Json } else { Form::Text };
    let dropped = Arc::new(Counter::default());
    let dir = if file.dir.is_empty() { home.join("logs") } else { home.join(&file.dir) };
    let opened = file.enabled.then(|| Rotating::open(&dir, FILE_BYTES_MAX)).transpose();
    let trouble = opened.as_ref().err().map(|error| format!("no log file in {}: {error}", dir.display()));
    // A thread that does not start is a machine without memory; lines are then not missed most.
    let terminal = Queue::to(io::stderr(), Arc::clone(&dropped)).ok();
    let file = opened.ok().flatten().and_then(|file| Queue::to(file, Arc::clone(&dropped)).ok());
    let queues = terminal.iter().chain(&file).cloned().collect();
    let layer = |queue| tracing_subscriber::fmt::layer().event_format(form).with_writer(queue).with_ansi(false);
    let seen = filter(settings).and(filter_fn(may_be_told));
    let terminal = terminal.map(|queue| layer(queue).with_filter(seen).boxed());
    let file = file.map(|queue| layer(queue).with_filter(LevelFilter::WARN).boxed());
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = terminal.into_iter().chain(file).collect();
    // A second subscriber is refused; the first one stays, which is what is wanted.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Logging { trouble, dropped, queues }
}
