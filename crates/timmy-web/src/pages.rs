//! The pages: each handler reads the store in one look, fills a view, and draws it. None waits for a model.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use timmy_core::mind::thinking::Doing;
use timmy_core::pulse::Tone as PulseTone;
use timmy_core::status::{self, Signs, Status};
use timmy_core::work::due;
use timmy_domain::approval::Approval;
use timmy_domain::message::Message;
use timmy_domain::observation::WatchedFolder;
use timmy_domain::task::Task;
use timmy_domain::text::cut;
use timmy_domain::{Life, Seq, Timestamp};
use timmy_store::{Reader, StoreError};

use crate::auth::Visit;
use crate::did::Did;
use crate::errors::Refusal;
use crate::guard;
use crate::look::{Bar, Clock, Notice, Now, Pulse, Shell, State, Tone};
use crate::nav;
use crate::web::Web;

pub mod approvals;
pub mod backups;
pub mod doing;
pub mod events;
pub mod health;
pub mod home;
pub mod keys;
pub mod library;
pub mod login;
pub mod look;
pub mod models;
pub mod palette;
pub mod password;
pub mod router;
pub mod sessions;
pub mod settings;
pub mod steer;
pub mod talk;
pub mod tasks;
pub mod thinking;
pub mod undo;
pub mod watch;

/// What every page needs from the store.
pub struct Around {
    /// The newest message.
    pub newest: Vec<Message>,
    /// The watched folders.
    pub folders: Vec<WatchedFolder>,
    /// The newest questions that wait for the owner.
    pub asked: Vec<Approval>,
    /// How many wait in all.
    pub asked_count: u64,
    /// What the owner wanted to do by now.
    pub due: Vec<Task>,
    /// The last event.
    pub last_seq: Seq,
}

impl Around {
    /// How many questions wait beside those that are named.
    #[must_use]
    pub fn unnamed(&self) -> usize {
        usize::try_from(self.asked_count).unwrap_or(usize::MAX).saturating_sub(self.asked.len())
    }

    fn read(r: &Reader<'_>, now: Timestamp) -> Result<Self, StoreError> {
        let (asked, asked_count) = status::asked(r, now)?;
        let (newest, due) = (r.messages(None, 1)?, due::shown(r, now)?);
        Ok(Self { newest, folders: r.folders()?, asked, asked_count, due, last_seq: r.last_seq()? })
    }
}

/// [`gather`] on this very thread, for pages that want only a bounded number of rows that an index finds.
///
/// # Errors
/// When the store cannot be read.
pub async fn gather_here<T: Send + 'static>(
    web: &Web,
    work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<(Around, T), Refusal> {
    let now = web.app.ctx.now();
    Ok(web.app.ctx.store.read_here(move |r| Ok((Around::read(r, now)?, work(r)?))).await?)
}

/// Reads what surrounds a page, and what the page itself wants, in one look.
///
/// # Errors
/// When the store cannot be read.
pub async fn gather<T: Send + 'static>(
    web: &Web,
    work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<(Around, T), Refusal> {
    let now = web.app.ctx.now();
    Ok(web.app.ctx.store.read(move |r| Ok((Around::read(r, now)?, work(r)?))).await?)
}

/// What Timmy is and does, from what was gathered.
#[must_use]
pub fn status(web: &Web, around: &Around) -> Status {
    status::decide(Signs {
        writes_refused: web.app.ctx.store.writes_refused(),
        parts: &web.app.ctx.reports.all(),
        doing: &web.app.thinking.doing(),
        turns: web.app.talk.turns.count(),
        waiting: status::waiting(&around.asked, &around.due, &around.newest, &around.folders),
    })
}

/// The state with the Pulse, as it stands on every page.
#[must_use]
pub fn now(web: &Web, clock: &Clock, around: &Around) -> Now {
    let status = status(web, around);
    let why = match status.state {
        Life::Degraded => "/health/page".to_owned(),
        Life::Working => "/talk".to_owned(),
        Life::Waiting => status.waiting.first().map_or_else(|| "/".to_owned(), |w| w.href.clone()),
        Life::Idle | Life::Thinking => "/thinking".to_owned(),
    };
    let act = match (status.state, status.waiting.as_slice(), web.app.thinking.doing()) {
        (Life::Waiting, [one], _) => one.title.clone(),
        (Life::Waiting, [first, more @ ..], _) => {
            format!("{}, and {} more", first.title, more.len() + around.unnamed())
        }
        (Life::Idle, _, Doing::Resting { until, why }) => doing::resting(until, &why, clock),
        // The note is a sentence of its own, often a question.
        (Life::Thinking, _, Doing::Thinking { note, .. }) => format!("Thinking: {}", cut(&note, 160)),
        _ => status.act,
    };
    Now {
        life: status.state,
        act: act.trim_end_matches('.').to_owned(),
        aside: doing::aside(web, clock),
        why: Some(why),
        waiting: status.waiting.len() + around.unnamed(),
        pulse: pulse(web, clock),
    }
}

/// The last hour as it is drawn.
fn pulse(web: &Web, clock: &Clock) -> Pulse {
    let hour = web.app.pulse.hour(clock.now);
    let mut pulse = Pulse::quiet();
    let mut counts = [0_usize; 5];
    for (bar, minute) in pulse.bars.iter_mut().zip(hour.bars()) {
        let (at, tone) = match minute.tone {
            PulseTone::Calm if minute.steps == 0 => (0, Tone::Calm),
            PulseTone::Calm => (1, Tone::Calm),
            PulseTone::Voice => (2, Tone::Voice),
            PulseTone::Live => (3, Tone::Live),
            PulseTone::Warn => (4, Tone::Warn),
            PulseTone::Bad => (4, Tone::Bad),
        };
        counts[at] += 1;
        *bar = Bar { height: minute.steps, tone, spark: minute.asked };
    }
    let names = ["quiet", "small things", "thinking", "working", "trouble"];
    let said =
        [2, 3, 4, 1, 0].into_iter().filter(|at| counts[*at] > 0).map(|at| format!("{} in {}", names[at], counts[at]));
    pulse.label = format!("Last 60 minutes: {}.", said.collect::<Vec<_>>().join(", "));
    let marks =
        [60_u64, 45, 30, 15].map(|back| clock.minute(clock.now.minus(std::time::Duration::from_secs(back * 60))).text);
    pulse.axis = marks.into_iter().chain(["now".to_owned()]).collect();
    pulse
}

/// What surrounds the page at `route`.
#[must_use]
pub fn shell(web: &Web, visit: &Visit, around: &Around, route: &str) -> Shell {
    let page = nav::page(route);
    Shell {
        page,
        title: page.map_or("Not here", |p| p.title).to_owned(),
        above: None,
        path: visit.path.clone(),
        now: now(web, &web.clock(), around),
        theme: visit.theme,
        density: visit.density,
        side: visit.device.side,
        keys: visit.device.keys.clone(),
        csrf: visit.csrf(),
        version: web.version.clone(),
        host: web.machine.clone(),
        live_seq: around.last_seq,
        notice: None,
        told: visit.device.did.as_ref().map(Did::told),
    }
}

/// What surrounds a page that is none of the navigation, such as a refusal.
///
/// # Errors
/// When the store cannot be read.
pub async fn shell_alone(web: &Web, visit: &Visit, title: &str) -> Result<Shell, Refusal> {
    let (around, ()) = gather_here(web, |_| Ok(())).await?;
    Ok(Shell { title: title.to_owned(), ..shell(web, visit, &around, "") })
}

/// The notice of an act that was refused.
#[must_use]
pub fn refused(problem: &timmy_domain::Problem) -> Notice {
    Notice { state: State::degraded("Not done"), text: format!("{} {}", problem.message, problem.hint) }
}

/// Back to `path`, with a GET.
#[must_use]
pub fn see(path: &str) -> Response {
    let to = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// Back to the page a form stood on, when that is one of this site; else to `otherwise`.
#[must_use]
pub fn back(path: Option<&str>, otherwise: &str) -> Response {
    see(path.and_then(guard::local_path).unwrap_or(otherwise))
}

/// The status of a refusal.
#[must_use]
pub fn status_of(problem: &timmy_domain::Problem) -> StatusCode {
    StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// `/mobile`: every page is mobile.
pub async fn mobile() -> Response {
    see("/")
}
