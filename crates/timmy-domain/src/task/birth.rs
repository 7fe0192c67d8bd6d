//! How a task comes into being: its defaults, its bounds, and whether it waits for the owner.

use std::time::Duration;

use super::{
    ATTEMPTS_MAX, ATTEMPTS_MAX_DEFAULT, NEEDS_MAX, Priority, Status, TIME_LIMIT_SECONDS, description, name, title,
};
use crate::{Actor, Problem, Seq, TaskId, Timestamp, policy};

/// The kind of work when none is named: something for the agent to do.
pub const TASK_TYPE: &str = "task_request";
/// Who does it when nobody is named.
pub const AGENT: &str = "timmy";
/// Seconds a task may run at most.
pub const TIME_LIMIT_SECONDS_MAX: u32 = 24 * 3_600;
/// Years ahead a task may be due.
const DUE_YEARS_MAX: u64 = 100;

/// A task about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// What it is, in one line.
    pub title: String,
    /// More about it.
    pub description: String,
    /// What kind of work it is; [`TASK_TYPE`] when empty.
    pub task_type: String,
    /// Which agent is to do it; [`AGENT`] when empty.
    pub assigned_to: String,
    /// How soon it is wanted.
    pub priority: Priority,
    /// Whether it has to wait for the owner; `None` leaves it to the rules.
    pub requires_approval: Option<bool>,
    /// Whether a rule may approve it.
    pub auto_approve: bool,
    /// The task it came from.
    pub parent_task_id: Option<TaskId>,
    /// Tasks that have to be completed before it.
    pub needs: Vec<TaskId>,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// Before when it is not begun.
    pub not_before: Option<Timestamp>,
    /// How often it may be begun.
    pub attempts_max: u32,
    /// Seconds it may run at a time.
    pub time_limit_seconds: u32,
    /// A word that makes it once only.
    pub idempotency_key: Option<String>,
    /// Who makes it.
    pub by: Actor,
    /// The name of the token of a program that makes it.
    pub token: Option<String>,
    /// The event that led here.
    pub cause: Option<Seq>,
}

impl NewTask {
    /// A task of `by` with this title and all else as usual.
    #[must_use]
    pub fn titled(title: impl Into<String>, by: Actor) -> Self {
        Self {
            title: title.into(),
            description: String::new(),
            task_type: String::new(),
            assigned_to: String::new(),
            priority: Priority::Normal,
            requires_approval: None,
            auto_approve: true,
            parent_task_id: None,
            needs: Vec::new(),
            due: None,
            not_before: None,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            time_limit_seconds: TIME_LIMIT_SECONDS,
            idempotency_key: None,
            by,
            token: None,
            cause: None,
        }
    }

    /// Who makes it, as it is stored: the actor, and of a program the name of its token.
    #[must_use]
    pub fn created_by(&self) -> String {
        match (&self.by, &self.token) {
            (Actor::Program, Some(token)) => format!("{}{token}", super::OF_PROGRAM),
            (by, _) => by.to_string(),
        }
    }

    /// The same with every field in its form and within its bounds.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn checked(mut self, now: Timestamp) -> Result<Self, Problem> {
        self.title = title(&self.title)?;
        self.description = description(&self.description)?;
        let or =
            |text: &str, otherwise: &str| if text.trim().is_empty() { otherwise.to_owned() } else { text.to_owned() };
        self.task_type = name("task_type", &or(&self.task_type, TASK_TYPE))?.to_ascii_lowercase();
        self.assigned_to = name("assigned_to", &or(&self.assigned_to, AGENT))?.to_ascii_lowercase();
        self.idempotency_key = self.idempotency_key.map(|key| name("idempotency_key", &key)).transpose()?;
        if self.priority == Priority::Urgent && self.by == Actor::Timmy {
            // Urgent is the owner's word, whoever talked a model into it.
            self.priority = Priority::High;
        }
        self.attempts_max = self.attempts_max.clamp(1, ATTEMPTS_MAX);
        self.time_limit_seconds = self.time_limit_seconds.clamp(1, TIME_LIMIT_SECONDS_MAX);
        self.needs.sort_unstable();
        self.needs.dedup();
        if self.needs.len() > NEEDS_MAX {
            return Err(Problem::invalid(
                "too_many_needs",
                format!("A task can wait for at most {NEEDS_MAX} others. It was not made."),
                "Make one task that gathers some of them.",
            ));
        }
        let horizon = now.plus(Duration::from_secs(DUE_YEARS_MAX * 366 * 86_400));
        if self.due.into_iter().chain(self.not_before).any(|at| at > horizon) {
            return Err(Problem::invalid(
                "too_far_away",
                format!("A task is due within {DUE_YEARS_MAX} years. It was not made."),
                "Name an earlier time.",
            ));
        }
        Ok(self)
    }

    /// Whether it waits for the owner, and the rule by which it does not.
    ///
    /// What asks to wait does; an escalation always does. The owner's own tasks are approved by his making them. What
    /// the house or Timmy makes is approved when [`policy::task::rule`] has one and it asks for that, and else waits.
    #[must_use]
    pub fn status(&self) -> (Status, Option<&'static str>) {
        if self.requires_approval == Some(true) || self.task_type == "escalation" {
            return (Status::PendingApproval, None);
        }
        if self.by == Actor::Owner {
            return (Status::Approved, Some("made by the owner"));
        }
        let rule = policy::task::rule(&self.assigned_to, &self.task_type, &self.by).filter(|_| self.auto_approve);
        (if rule.is_some() { Status::Approved } else { Status::PendingApproval }, rule)
    }
}
