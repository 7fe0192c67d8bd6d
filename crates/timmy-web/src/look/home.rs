//! Home: what happens, and what waits for the owner.

use askama::Template;

use super::folders::{FolderView, SeenView};
use super::mind::{Budget, ModelRow};
use super::thinking::ThoughtView;
use super::{Absent, Shell, State, Way, When, asset, icon};
use crate::nav;

/// Something that needs the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRow {
    /// Why it needs the owner: shape, word, tone.
    pub state: State,
    /// What it is.
    pub title: String,
    /// Where it is read.
    pub href: String,
    /// One line more: since when, what was tried.
    pub sub: String,
    /// The primary act, as a link; a form lives where the link leads.
    pub act: Option<Way>,
}

/// Something of middling risk that a rule of the owner let run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuledRow {
    /// What it was.
    pub title: String,
    /// Its task, or the rules.
    pub href: String,
    /// How risky it was, and how it is undone.
    pub sub: String,
    /// How it is undone. Absent where nothing can be.
    pub undo: Option<Undoing>,
    /// When.
    pub at: When,
}

/// The undoing of something that a rule let run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undoing {
    /// It may be asked for; the hash of the plan that is undone.
    Offered(String),
    /// It was asked for: where its task stands, and where that is read.
    Asked(State, String),
}

/// What Timmy does at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doing {
    /// Thinking, answering, resting, paused.
    pub state: State,
    /// What, in one sentence.
    pub title: String,
    /// With what, or why: `because it is between 22:00 and 07:00`.
    pub sub: String,
    /// When it began, when it runs.
    pub since: Option<When>,
    /// Where the stop form posts to, when it can be stopped: `/talk/{id}/stop`, `/thinking/stop`.
    pub stop: Option<String>,
}

/// The one step that gets a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoModel {
    /// What is the case: which provider was asked and does not answer.
    pub text: String,
    /// The step in words.
    pub step: String,
    /// The step as a command.
    pub command: String,
}

/// What changes on Home while it is looked at. As a fragment: `GET /now`.
#[derive(Template)]
#[template(path = "parts/now.html")]
pub struct NowPart {
    /// What waits for the owner.
    pub waiting: Vec<WaitingRow>,
    /// Whether the panel of what waits is the lit one; false while the first-run panel is.
    pub lit: bool,
    /// What the owner's rules let run in the last day, newest first.
    pub ruled: Vec<RuledRow>,
    /// What Timmy does.
    pub doing: Doing,
    /// The latest thoughts, newest first, one or two.
    pub thoughts: Vec<ThoughtView>,
    /// Why there is no thought; read when there is none.
    pub no_thought: Absent,
    /// What was seen last, newest first, at most five.
    pub seen: Vec<SeenView>,
    /// Whether any folder is watched; without one nothing is said about what was seen.
    pub watches: bool,
    /// The secret of the session.
    pub csrf: String,
}

/// The rail of Home. As a fragment: `GET /now/rail`.
#[derive(Template)]
#[template(path = "parts/rail.html")]
pub struct RailPart {
    /// The providers, in the order they are asked.
    pub models: Vec<ModelRow>,
    /// The day's budget; `None` when thinking is switched off.
    pub budget: Option<Budget>,
    /// When the next thought may come, in words: `14:17`, `when thinking resumes`.
    pub next: String,
    /// Why then: `about every 5 min when idle`.
    pub next_why: String,
    /// Whether thinking is switched off in the settings; then no act is offered.
    pub off: bool,
    /// Whether the owner paused thinking; then the act is to resume.
    pub paused: bool,
    /// The secret of the session.
    pub csrf: String,
}

/// Home. `GET /`.
#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    /// What surrounds it.
    pub shell: Shell,
    /// What changes.
    pub part: NowPart,
    /// The rail.
    pub rail: RailPart,
    /// The watched folders. None: the lit panel asks for the first one.
    pub folders: Vec<FolderView>,
    /// What was typed into the path field and refused; empty otherwise.
    pub path_typed: String,
    /// Why it was refused; empty otherwise.
    pub path_problem: String,
    /// The step to a model, when none is found.
    pub no_model: Option<NoModel>,
}
