//! Tasks: what is to be done, in one queue that the owner steers.
//!
//! Everything that changes a task goes through [`Task::step`]: pages, the JSON interface, the command line, models.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::{clean, cut, one_line};
use crate::{Actor, Problem, Seq, TaskId, Timestamp};

pub mod birth;
pub mod step;

/// What stands before the name of a token in who made a task, when a program did.
pub const OF_PROGRAM: &str = "program:";
/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 20_000;
/// Characters of a result.
pub const RESULT_CHARS_MAX: usize = 20_000;
/// Characters of a reason, such as why a task was shelved.
pub const REASON_CHARS_MAX: usize = 500;
/// Lines of evidence one step keeps.
pub const PROOFS_MAX: usize = 8;
/// Characters of a type, of an agent's name, and of an idempotency key.
pub const NAME_CHARS_MAX: usize = 80;
/// Steps a task keeps; the oldest give way.
pub const STEPS_MAX: usize = 50;
/// Tasks one task may wait for.
pub const NEEDS_MAX: usize = 20;
/// Times a task is begun before it is given up, unless it says otherwise.
pub const ATTEMPTS_MAX_DEFAULT: u32 = 3;
/// The most that it may say.
pub const ATTEMPTS_MAX: u32 = 10;
/// Seconds before the first retry of a task that failed for now; each further one waits twice as long.
pub const RETRY_SECONDS_MIN: u64 = 30;
/// Seconds a retry waits at most.
pub const RETRY_SECONDS_MAX: u64 = 3_600;
/// Seconds before a task is looked at again whose model, or whatever else it needs, is not there.
pub const POSTPONE_SECONDS: u64 = 60;
/// Seconds a worker keeps a task without saying that it still works on it.
pub const LEASE_SECONDS: u64 = 60;
/// Seconds a task may run, unless it says otherwise.
pub const TIME_LIMIT_SECONDS: u32 = 30 * 60;
/// The kind of task that is a thought. Those that the house makes stand apart: they come by themselves, all day.
pub const THOUGHT: &str = "thought";
/// Hours for which the house keeps a thought's task after it is over; the thought itself stays.
pub const THOUGHT_TASK_HOURS: u64 = 24;
/// Room between two neighbours in the owner's order, so that many fit between them.
pub const POSITION_GAP: i64 = 1 << 20;

/// Who made a task, in words: a program is named by its token.
#[must_use]
pub fn maker(created_by: &str) -> String {
    match created_by.strip_prefix(OF_PROGRAM) {
        Some(token) => format!("a program with the token {}", cut(&one_line(token), NAME_CHARS_MAX)),
        None => created_by.to_owned(),
    }
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for the owner's word.
    PendingApproval,
    /// May be begun.
    Approved,
    /// A worker is on it.
    Running,
    /// The owner stopped it for now.
    Paused,
    /// Done.
    Completed,
    /// The owner does not want it.
    Vetoed,
    /// It did not work out.
    Failed,
    /// Laid aside, with a reason.
    Backlogged,
}

impl Status {
    /// All eight.
    pub const ALL: [Self; 8] = [
        Self::PendingApproval,
        Self::Approved,
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Vetoed,
        Self::Failed,
        Self::Backlogged,
    ];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PendingApproval => "pending_approval",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Vetoed => "vetoed",
            Self::Failed => "failed",
            Self::Backlogged => "backlogged",
        }
    }

    /// Whether nothing more happens to it by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Vetoed | Self::Failed)
    }
}

/// How soon a task is wanted, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all else.
    Urgent,
    /// Soon.
    High,
    /// In its turn.
    Normal,
    /// When nothing else is to be done.
    Low,
}

impl Priority {
    /// All four, most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Its place in the order: 0 is most urgent.
    #[must_use]
    pub const fn rank(self) -> i64 {
        match self {
            Self::Urgent => 0,
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
        }
    }
}

/// The place in the order of a priority that this version does not know.
pub const RANK_UNKNOWN: i64 = 4;

/// The word is none of those it could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: use {}", words.join(", "))]
pub struct NotAWord {
    /// What it should be.
    pub what: &'static str,
    /// What it could be.
    pub words: Vec<&'static str>,
}

macro_rules! words {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = NotAWord;
            fn from_str(text: &str) -> Result<Self, NotAWord> {
                Self::ALL
                    .into_iter()
                    .find(|one| one.name().eq_ignore_ascii_case(text.trim()))
                    .ok_or_else(|| NotAWord { what: $what, words: Self::ALL.map(Self::name).to_vec() })
            }
        }
    };
}
words!(Status, "status of a task");
words!(Priority, "priority");

/// A word as it is stored, and what it means to this version, if anything: a row of a newer version must not break a
/// list, and must not be taken for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<T> {
    /// What it means; `None` when this version does not know it.
    pub known: Option<T>,
    text: String,
}

impl<T: FromStr> Word<T> {
    /// The word as it was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { known: text.parse().ok(), text }
    }
}

impl<T: fmt::Display> From<T> for Word<T> {
    fn from(known: T) -> Self {
        Self { text: known.to_string(), known: Some(known) }
    }
}

impl<T> Word<T> {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<T> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> Serialize for Word<T> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

/// One step of the work on a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done in it.
    pub description: String,
    /// `running`, `completed`, `failed`, `waiting` or `backlogged`.
    pub status: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What came of it, shortened.
    pub output: Option<String>,
    /// What shows that it was done, one line each, at most [`PROOFS_MAX`]: a hash of what was written, how a command ended.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// Who works on a task, and until when that is believed without hearing from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker. Long and random, so that nobody else can speak for it.
    pub holder: String,
    /// Until when.
    pub until: Timestamp,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its name for machines.
    pub id: TaskId,
    /// What it is, in one line.
    pub title: String,
    /// More about it; may be empty.
    pub description: String,
    /// What kind of work it is; decides who can do it.
    pub task_type: String,
    /// Which agent is to do it.
    pub assigned_to: String,
    /// Who wanted it: `owner`, `timmy`, `system`.
    pub created_by: String,
    /// Where it stands.
    pub status: Word<Status>,
    /// How soon it is wanted.
    pub priority: Word<Priority>,
    /// Whether it waits for the owner before it is begun.
    pub requires_approval: bool,
    /// Whether whoever made it asked for a rule to approve it.
    pub auto_approve: bool,
    /// When the owner or a rule approved it.
    pub approved_at: Option<Timestamp>,
    /// The task it came from.
    pub parent_task_id: Option<TaskId>,
    /// What came of it, or why it failed.
    pub result: Option<String>,
    /// The work on it, oldest first.
    pub steps: Vec<Step>,
    /// Its place in the owner's order among those of the same priority; smaller comes first.
    pub position: i64,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// Why it was laid aside.
    pub backlog_reason: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// How often it may be begun.
    pub attempts_max: u32,
    /// Who works on it. Never shown: it is what a worker proves itself with.
    #[serde(skip)]
    pub lease: Option<Lease>,
    /// Seconds it may run at a time.
    pub time_limit_seconds: u32,
    /// A word of whoever made it, so that making it twice makes it once.
    pub idempotency_key: Option<String>,
    /// Tasks that have to be completed before it.
    pub needs: Vec<TaskId>,
    /// Before when it is not begun.
    pub not_before: Option<Timestamp>,
    /// Whether it was set aside because its workers died of it.
    pub quarantined: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last begun.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How often it was changed.
    pub version: i64,
    /// The event of its making.
    pub seq: Seq,
}

impl Task {
    /// Whether it can be picked at `now`, leaving aside the tasks it needs.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.status.known == Some(Status::Approved) && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether it is a thought that came due by itself, which no list of what is to be done shows unasked.
    #[must_use]
    pub fn is_own_thought(&self) -> bool {
        self.task_type == THOUGHT && self.created_by == Actor::System.name()
    }

    /// Whether `holder` holds its lease at `now`.
    #[must_use]
    pub fn is_held_by(&self, holder: &str, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.holder == holder && lease.until > now)
    }
}

/// Seconds before a task that failed `attempts` times is tried again: doubling from [`RETRY_SECONDS_MIN`], never more
/// than [`RETRY_SECONDS_MAX`] (exponential backoff).
#[must_use]
pub fn backoff(attempts: u32) -> Duration {
    let doubled = RETRY_SECONDS_MIN.saturating_mul(1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX));
    Duration::from_secs(doubled.min(RETRY_SECONDS_MAX))
}

/// A title as it is kept: one line without signs that do harm.
///
/// # Errors
/// When nothing is left of it, or it is longer than [`TITLE_CHARS_MAX`].
pub fn title(text: &str) -> Result<String, Problem> {
    let title = one_line(text);
    let title = title.trim();
    if title.is_empty() {
        return Err(Problem::invalid(
            "empty_title",
            "A task needs a title. Nothing was changed.",
            "Say what is to be done.",
        ));
    }
    if title.chars().count() > TITLE_CHARS_MAX {
        return Err(Problem::invalid(
            "title_too_long",
            format!("A title has at most {TITLE_CHARS_MAX} characters. Nothing was changed."),
            "Put the rest into the description.",
        ));
    }
    Ok(title.to_owned())
}

/// A description as it is kept.
///
/// # Errors
/// When it is longer than [`DESCRIPTION_CHARS_MAX`].
pub fn description(text: &str) -> Result<String, Problem> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(Problem::invalid(
            "description_too_long",
            format!("A description has at most {DESCRIPTION_CHARS_MAX} characters. Nothing was changed."),
            "Put the rest into a file and name it here.",
        ));
    }
    Ok(clean(text).trim().to_owned())
}

/// A type, an agent's name or a key as it is kept: letters, digits, `_`, `-`, `.`, `:` and `/`.
///
/// # Errors
/// When it is empty, longer than [`NAME_CHARS_MAX`], or holds another sign.
pub fn name(what: &'static str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if text.is_empty() || text.len() > NAME_CHARS_MAX || !text.chars().all(fits) {
        return Err(Problem::invalid(
            "bad_name",
            format!(
                "The {what} has 1 to {NAME_CHARS_MAX} letters, digits or the signs _ - . : /. Nothing was changed."
            ),
            format!("Choose another {what}."),
        ));
    }
    Ok(text.to_owned())
}

/// A reason as it is kept: one line, cut.
#[must_use]
pub fn reason(text: &str) -> String {
    cut(one_line(text).trim(), REASON_CHARS_MAX)
}

/// The word for who made a task.
#[must_use]
pub fn made_by(actor: &Actor) -> String {
    actor.to_string()
}

#[cfg(test)]
mod tests;
