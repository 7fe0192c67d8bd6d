//! The models on this machine: those that are here, those that come, and those there are to get. `GET /models`.

use askama::Template;
use timmy_core::library::Offer;
use timmy_core::library::pulls::{Pull, PullState};
use timmy_core::library::speed::Speeds;
use timmy_domain::model::Model;
use timmy_domain::model::advice::{self, Fit, Measured};
use timmy_domain::model::catalogue;
use timmy_domain::model::running::Running;

use super::shell::Shell;
use super::{State, asset, icon};
use crate::nav;

/// A model that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelHere {
    /// Its name.
    pub name: String,
    /// Used, switched off, or there.
    pub state: State,
    /// What it is, its size and where it lies.
    pub about: String,
    /// Which way its weights would come and what a token takes, in words; empty where that is not known.
    pub running: String,
    /// Whether it may be asked.
    pub active: bool,
    /// Whether the house works with it.
    pub used: bool,
}

/// A model that comes, or was asked for in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// How far it is, in words.
    pub about: String,
    /// How far it is, in percent.
    pub percent: u64,
    /// Whether it can be stopped.
    pub runs: bool,
    /// Whether it can be asked for again.
    pub again: bool,
}

/// A model there is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToGet {
    /// Its name.
    pub name: String,
    /// How it fits this machine.
    pub state: State,
    /// Its family, size and licence.
    pub about: String,
    /// Whether Timmy can fetch it.
    pub fetchable: bool,
    /// Whether it is the one to get first.
    pub advised: bool,
}

/// What changes on the page. As a fragment: `GET /models/parts`.
#[derive(Template)]
#[template(path = "parts/library.html")]
pub struct ModelsPart {
    /// Those that are here.
    pub here: Vec<ModelHere>,
    /// Those that come.
    pub coming: Vec<Coming>,
    /// Those there are to get.
    pub to_get: Vec<ToGet>,
    /// What the machine has, in a sentence or two.
    pub machine: String,
    /// How fast it is, and how that was measured.
    pub speed: String,
    /// Whether that is still being measured.
    pub measuring: bool,
    /// The secret of the session.
    pub csrf: String,
}

/// What the owner wrote into the form of an address, when it was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FromAddress {
    /// The name.
    pub name: String,
    /// The address.
    pub url: String,
    /// The checksum.
    pub sha256: String,
}

/// The page.
#[derive(Template)]
#[template(path = "models.html")]
pub struct ModelsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What changes.
    pub part: ModelsPart,
    /// What stands in the form of an address.
    pub from: FromAddress,
}

/// What the machine has, in one sentence.
#[must_use]
pub fn machine(measured: Measured) -> String {
    format!(
        "This machine has {} of memory, {} of it free for a model now, and {} of room on its disk.",
        size(measured.memory_bytes),
        size(advice::budget_bytes(measured)),
        size(measured.disk_free_bytes)
    )
}

/// How fast it is, and how that was measured. `at` is when.
#[must_use]
pub fn speed(speeds: Speeds, at: &str) -> String {
    let Speeds { measuring, disk_read_bytes_per_second: disk, memory_read_bytes_per_second: memory, .. } = speeds;
    if measuring {
        return "How fast it reads its memory and its disk is being measured, which takes a second or two.".to_owned();
    }
    let disk = match disk {
        0 => "how fast its disk is could not be measured".to_owned(),
        disk => format!("its disk at {} a second", size(disk)),
    };
    format!(
        "Measured at {at}, as busy as it was then: it reads its memory at {} a second, all processors together, and \
         {disk}. For each token a model is read once, so none is faster than that.",
        size(memory)
    )
}

/// Bytes for people: `1.3 GB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0 => "size not known".to_owned(),
        1_000_000_000.. => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// A clause as the beginning of a sentence.
fn capital(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl ModelHere {
    /// A registered model; `used` is the one the house works with, `running` how files would be run.
    #[must_use]
    pub fn of(model: &Model, used: Option<&str>, running: &[Running]) -> Self {
        let used = model.active && used == Some(model.name.as_str());
        let state = match (model.active, used) {
            (false, _) => State::resting("Switched off"),
            (true, true) => State::well("Used"),
            (true, false) => State::resting("Here"),
        };
        let place = if model.path.is_empty() { "kept by Ollama" } else { &model.path };
        let what = if model.description.is_empty() { model.format.name() } else { &model.description };
        let about = format!("{}, {}, {place}", capital(what), size(model.bytes));
        let own = running.iter().find(|running| running.name == model.name);
        let running = own.map(|running| capital(&running.words)).unwrap_or_default();
        Self { name: model.name.clone(), state, about, running, active: model.active, used }
    }
}

impl Coming {
    /// A pull as it stands.
    #[must_use]
    pub fn of(pull: &Pull) -> Self {
        let state = match pull.state {
            PullState::Waiting => State::resting("Waits for its turn"),
            PullState::Fetching => State::running("Comes"),
            PullState::Stopping => State::running("Stops"),
            PullState::Done => State::well("Here"),
            PullState::Cancelled => State::resting("Stopped"),
            PullState::Failed => State::degraded("Failed"),
        };
        let percent = pull.bytes_here.saturating_mul(100) / pull.bytes.max(1);
        let mut about = format!("{percent} % of {}", size(pull.bytes));
        if !pull.checksum_known {
            about.push_str(match pull.state {
                PullState::Done => ". Nothing was verified: no checksum was given",
                _ => ", without a checksum, so nothing is verified",
            });
        }
        if pull.state == PullState::Fetching && pull.bytes_per_second > 0 {
            let seconds = pull.bytes.saturating_sub(pull.bytes_here) / pull.bytes_per_second;
            about.push_str(&format!(", {} a second, {} min left", size(pull.bytes_per_second), seconds.div_ceil(60)));
        }
        if !pull.why.is_empty() && pull.state == PullState::Failed {
            about.push_str(&format!(": {}. {}", pull.why, pull.hint));
        }
        // What came from an address is asked for again by its form.
        let known = catalogue::find(&pull.name).is_some();
        let ended = matches!(pull.state, PullState::Cancelled | PullState::Failed);
        if ended && !known {
            about.push_str(&format!("{} Give its address again to go on", if about.ends_with('.') { "" } else { "." }));
        }
        let again = known && ended;
        Self {
            name: pull.name.clone(),
            state,
            about,
            percent,
            runs: pull.state.runs() && pull.state != PullState::Stopping,
            again,
        }
    }
}

impl ToGet {
    /// An entry of the catalogue; `advised` is the one to get first.
    #[must_use]
    pub fn of(offer: &Offer, advised: Option<&str>) -> Self {
        let fetchable = !offer.sha256.is_empty();
        let state = match offer.fit {
            _ if !fetchable => State::resting("Checksum unknown: import by path"),
            Fit::Memory => State::well("Fits in memory"),
            Fit::Streams { tenths_per_token: t } => {
                State::resting(format!("Larger than memory, at least {}.{} s a token", t / 10, t % 10))
            }
            Fit::TooLarge => State::degraded("Too large for this machine"),
            Fit::NoRoom => State::degraded("No room on the disk"),
            Fit::Unknown => State::resting("Larger than memory, how slow is not known"),
        };
        let kind = if offer.embeds { "for vectors" } else { "writes" };
        let mut about = format!("{}, {kind}, {}", offer.family, offer.quantisation);
        if offer.bytes > 0 {
            about.push_str(&format!(", {}, needs {} of memory", size(offer.bytes), size(offer.memory_bytes)));
        }
        about.push_str(&format!(", licence {}", offer.licence));
        if offer.fit == Fit::Memory && offer.tenths_of_tokens_per_second > 0 {
            let tenths = offer.tenths_of_tokens_per_second;
            about.push_str(&format!(", at most {}.{} tokens a second here", tenths / 10, tenths % 10));
        }
        Self { name: offer.name.to_owned(), state, about, fetchable, advised: advised == Some(offer.name) }
    }
}
