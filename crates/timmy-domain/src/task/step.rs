//! What can be done with a task, where each act leads, and who may do it. The one place that decides it.

use std::time::Duration;

use crate::event::{
    Event, TaskApproved, TaskBacklogged, TaskCancelled, TaskCompleted, TaskFailed, TaskModified, TaskPaused,
    TaskPostponed, TaskQuarantined, TaskRecycled, TaskReordered, TaskResumed, TaskRetried, TaskStarted,
    TaskUnbacklogged, TaskVetoed, TaskWaiting,
};
use crate::problem::Kind;
use crate::text::cut;
use crate::{Actor, Problem, Timestamp};

use super::{Lease, Priority, RESULT_CHARS_MAX, STEPS_MAX, Status, Step, Task, Word, backoff, reason};

/// What of a task is to be changed; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another title.
    pub title: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another agent.
    pub assigned_to: Option<String>,
    /// Another priority.
    pub priority: Option<Priority>,
    /// Another time by which it is wanted; `Some(None)` takes it away.
    pub due: Option<Option<Timestamp>>,
}

/// How the work on a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with what came of it.
    Done(String),
    /// It did not work now and may work later.
    Transient(String),
    /// It did not work and is not tried again: whoever wanted it asks for a new one when it is due.
    Failed(String),
    /// It cannot work as it stands: laid aside until somebody changes something.
    Permanent(String),
    /// The owner has to be asked first; the work goes on from where it stands.
    Waits(String),
    /// What it needs is not there, such as a model: it is looked at again after a minute, and counts as no attempt.
    Postponed(String),
    /// The house stops in the middle of it; it is begun again with the next start, and counts as no attempt.
    Interrupted,
}

/// What is done with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The owner says yes.
    Approve,
    /// The owner does not want it.
    Veto(String),
    /// Change what it says.
    Modify(Edit),
    /// Stop the work for now.
    Pause,
    /// Let the work go on.
    Resume,
    /// Stop it for good.
    Cancel(String),
    /// Begin a failed one again.
    Retry,
    /// Lay it aside, with a reason.
    Backlog(String),
    /// Take it up again.
    Unbacklog,
    /// The owner did it himself; what came of it, if anything.
    Complete(String),
    /// Put it at another place in the owner's order, among those of that priority.
    Move(i64, Priority),
    /// A worker begins.
    Start(Lease),
    /// The worker that holds it is done with it.
    Finish {
        /// The word of its lease.
        holder: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// Its worker is gone.
    Recycle,
}

impl Act {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Veto(_) => "veto",
            Self::Modify(_) => "modify",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel(_) => "cancel",
            Self::Retry => "retry",
            Self::Backlog(_) => "backlog",
            Self::Unbacklog => "unbacklog",
            Self::Complete(_) => "complete",
            Self::Move(..) => "move",
            Self::Start(_) => "start",
            Self::Finish { .. } => "finish",
            Self::Recycle => "recycle",
        }
    }

    /// Whether `status` allows it.
    #[must_use]
    pub const fn fits(&self, status: Status) -> bool {
        use Status as S;
        match self {
            Self::Approve => matches!(status, S::PendingApproval),
            Self::Pause | Self::Finish { .. } | Self::Recycle => matches!(status, S::Running),
            Self::Resume => matches!(status, S::Paused),
            Self::Retry => matches!(status, S::Failed),
            Self::Unbacklog => matches!(status, S::Backlogged),
            Self::Start(_) => matches!(status, S::Approved),
            Self::Backlog(_) => !matches!(status, S::Completed | S::Vetoed | S::Backlogged),
            Self::Veto(_) | Self::Modify(_) | Self::Cancel(_) | Self::Complete(_) | Self::Move(..) => {
                !matches!(status, S::Completed | S::Vetoed)
            }
        }
    }

    /// Whether `by` may do it with `task`.
    fn allowed(&self, task: &Task, by: &Actor) -> bool {
        match (self, by) {
            (_, Actor::Stranger | Actor::Program) => false,
            (Self::Start(_) | Self::Finish { .. } | Self::Recycle, _) => *by == Actor::System,
            (_, Actor::Owner) => true,
            // A question nobody answered in time is laid aside; a pause is the owner's.
            (Self::Backlog(_), _) => true,
            (_, Actor::System) => false,
            (Self::Unbacklog, _) => true,
            // Urgent is the owner's word: text that talked a model into it must not push its own work ahead.
            (Self::Modify(edit), _) => edit.priority != Some(Priority::Urgent),
            (Self::Move(_, priority), _) => *priority != Priority::Urgent,
            (Self::Cancel(_), _) => task.created_by == by.name(),
            _ => false,
        }
    }
}

/// A task after an act, and what is told about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The task as it is now.
    pub task: Task,
    /// What happened.
    pub event: Event,
}

impl Task {
    /// What `act` by `by` makes of this task at `now`. Nothing is changed when it is refused.
    ///
    /// # Errors
    /// A [`Problem`] that says which state, actor or lease forbids it.
    pub fn step(&self, act: Act, by: &Actor, now: Timestamp) -> Result<Change, Problem> {
        if !act.allowed(self, by) {
            return Err(not_yours(&act, by));
        }
        let Some(status) = self.status.known else { return Err(self.foreign(&act)) };
        if !act.fits(status) {
            return Err(self.state(&act, status));
        }
        // A worker that does not know how urgent a task is leaves it to one that does.
        if matches!(act, Act::Start(_)) && self.priority.known.is_none() {
            return Err(self.foreign(&act));
        }
        let mut task = self.clone();
        task.version += 1;
        task.updated_at = now;
        let event = task.apply(act, now)?;
        Ok(Change { task, event })
    }

    fn apply(&mut self, act: Act, now: Timestamp) -> Result<Event, Problem> {
        let (task_id, title) = (self.id, self.title.clone());
        Ok(match act {
            Act::Approve => {
                self.to(Status::Approved);
                self.approved_at = Some(now);
                TaskApproved { task_id, title, reason: String::new() }.into()
            }
            Act::Veto(why) => {
                self.end(Status::Vetoed, now, "vetoed by the owner");
                TaskVetoed { task_id, title, reason: reason(&why) }.into()
            }
            Act::Cancel(why) => {
                self.end(Status::Failed, now, "cancelled by user");
                self.result = Some("cancelled by user".to_owned());
                TaskCancelled { task_id, title, reason: reason(&why) }.into()
            }
            Act::Complete(result) => {
                self.end(Status::Completed, now, "done by the owner");
                let result = cut(result.trim(), RESULT_CHARS_MAX);
                self.result = (!result.is_empty()).then_some(result);
                TaskCompleted { task_id, title, attempts: self.attempts }.into()
            }
            Act::Modify(edit) => TaskModified { task_id, title, changed: self.edit(edit) }.into(),
            Act::Pause => {
                self.stop("paused by the owner", now);
                self.to(Status::Paused);
                TaskPaused { task_id, title, reason: String::new() }.into()
            }
            Act::Resume => {
                self.to(Status::Approved);
                TaskResumed { task_id, title, reason: String::new() }.into()
            }
            Act::Retry => {
                self.fresh();
                TaskRetried { task_id, title, reason: String::new() }.into()
            }
            Act::Backlog(why) => {
                let why = reason(&why);
                self.stop("laid aside", now);
                self.to(Status::Backlogged);
                self.backlog_reason = Some(why.clone());
                TaskBacklogged { task_id, title, reason: why }.into()
            }
            Act::Unbacklog => {
                self.fresh();
                TaskUnbacklogged { task_id, title, reason: String::new() }.into()
            }
            Act::Move(position, priority) => {
                self.position = position;
                self.priority = priority.into();
                TaskReordered { task_id, title, priority: priority.name().to_owned() }.into()
            }
            Act::Start(lease) => self.begin(lease, now)?,
            Act::Finish { holder, outcome } => self.finish(&holder, outcome, now)?,
            Act::Recycle => self.recycle(now),
        })
    }

    fn to(&mut self, status: Status) {
        self.status = Word::from(status);
    }

    /// Ends the running step, if there is one, and lets go of the worker.
    fn stop(&mut self, how: &str, now: Timestamp) {
        self.lease = None;
        self.end_step(how, "failed", now);
    }

    fn end_step(&mut self, output: &str, status: &str, now: Timestamp) {
        if let Some(step) = self.steps.last_mut().filter(|step| step.completed_at.is_none()) {
            step.status = status.to_owned();
            step.completed_at = Some(now);
            step.output = Some(cut(output, super::REASON_CHARS_MAX));
        }
    }

    fn end(&mut self, status: Status, now: Timestamp, how: &str) {
        self.stop(how, now);
        self.to(status);
        self.completed_at = Some(now);
        self.backlog_reason = None;
        self.not_before = None;
    }

    /// As before its first attempt. What the owner never approved still waits for the owner.
    fn fresh(&mut self) {
        let waits = self.requires_approval && self.approved_at.is_none();
        self.to(if waits { Status::PendingApproval } else { Status::Approved });
        self.lease = None;
        self.result = None;
        self.completed_at = None;
        self.started_at = None;
        self.backlog_reason = None;
        self.not_before = None;
        self.attempts = 0;
        self.quarantined = false;
    }

    fn edit(&mut self, edit: Edit) -> Vec<String> {
        let mut changed = Vec::new();
        let mut note = |what: &str, differs: bool| {
            if differs {
                changed.push(what.to_owned());
            }
        };
        if let Some(title) = edit.title {
            note("title", title != self.title);
            self.title = title;
        }
        if let Some(description) = edit.description {
            note("description", description != self.description);
            self.description = description;
        }
        if let Some(agent) = edit.assigned_to {
            note("assigned_to", agent != self.assigned_to);
            self.assigned_to = agent;
        }
        if let Some(priority) = edit.priority {
            note("priority", self.priority.known != Some(priority));
            self.priority = priority.into();
        }
        if let Some(due) = edit.due {
            note("due", due != self.due);
            self.due = due;
        }
        changed
    }

    fn begin(&mut self, lease: Lease, now: Timestamp) -> Result<Event, Problem> {
        if self.not_before.is_some_and(|at| at > now) {
            return Err(Problem::conflict(
                "not_yet",
                format!("The task “{}” waits before it is tried again. Nothing was changed.", self.title),
                "It is begun by itself when the time has come; `retry` or `resume` does not wait.",
            ));
        }
        self.to(Status::Running);
        self.attempts += 1;
        self.not_before = None;
        self.started_at = Some(now);
        self.completed_at = None;
        self.lease = Some(lease);
        self.note("processing", now);
        Ok(TaskStarted { task_id: self.id, title: self.title.clone(), attempt: self.attempts }.into())
    }

    /// Adds a step that begins now; the one before it has ended.
    pub fn note(&mut self, description: &str, now: Timestamp) {
        self.end_step("", "completed", now);
        self.steps.push(Step {
            description: cut(description, super::REASON_CHARS_MAX),
            status: "running".to_owned(),
            started_at: now,
            completed_at: None,
            output: None,
            evidence: Vec::new(),
        });
        let over = self.steps.len().saturating_sub(STEPS_MAX);
        self.steps.drain(..over);
    }

    /// Adds to the step that runs what shows that it was done, or ends it with why it was not; nothing when none runs.
    pub fn prove(&mut self, lines: &[String], failed: Option<&str>, now: Timestamp) {
        let Some(step) = self.steps.last_mut().filter(|step| step.completed_at.is_none()) else { return };
        step.evidence.extend(lines.iter().map(|line| super::reason(line)));
        step.evidence.truncate(super::PROOFS_MAX);
        if let Some(why) = failed {
            self.end_step(&super::reason(why), "failed", now);
        }
    }

    fn finish(&mut self, holder: &str, outcome: Outcome, now: Timestamp) -> Result<Event, Problem> {
        if !self.is_held_by(holder, now) {
            return Err(Problem::conflict(
                "not_your_lease",
                format!("Another worker has “{}”, or the time of this one is over. Nothing was changed.", self.title),
                "Nothing has to be done: whoever holds it goes on.",
            ));
        }
        let (task_id, title) = (self.id, self.title.clone());
        Ok(match outcome {
            Outcome::Done(result) => {
                self.end_step(&result, "completed", now);
                self.end(Status::Completed, now, "");
                self.result = Some(cut(&result, RESULT_CHARS_MAX));
                TaskCompleted { task_id, title, attempts: self.attempts }.into()
            }
            Outcome::Waits(question) => {
                self.end_step(&question, "waiting", now);
                self.lease = None;
                // Asking is no attempt that went wrong.
                self.attempts = self.attempts.saturating_sub(1);
                self.requires_approval = true;
                self.approved_at = None;
                self.to(Status::PendingApproval);
                TaskWaiting { task_id, title, reason: reason(&question) }.into()
            }
            Outcome::Postponed(why) => {
                self.stop(&why, now);
                self.attempts = self.attempts.saturating_sub(1);
                self.to(Status::Approved);
                self.not_before = Some(now.plus(Duration::from_secs(super::POSTPONE_SECONDS)));
                self.result = Some(cut(&why, RESULT_CHARS_MAX));
                TaskPostponed { task_id, title, reason: reason(&why) }.into()
            }
            Outcome::Interrupted => {
                self.stop("the house stopped", now);
                self.attempts = self.attempts.saturating_sub(1);
                self.to(Status::Approved);
                TaskRecycled { task_id, title, attempts: self.attempts }.into()
            }
            Outcome::Permanent(why) => {
                self.stop(&why, now);
                self.to(Status::Backlogged);
                self.backlog_reason = Some(reason(&why));
                TaskBacklogged { task_id, title, reason: reason(&why) }.into()
            }
            Outcome::Transient(why) if self.attempts < self.attempts_max => {
                self.stop(&why, now);
                self.to(Status::Approved);
                self.not_before = Some(now.plus(backoff(self.attempts)));
                self.result = Some(cut(&why, RESULT_CHARS_MAX));
                TaskFailed { task_id, title, reason: reason(&why), retry_at: self.not_before }.into()
            }
            Outcome::Transient(why) | Outcome::Failed(why) => {
                self.stop(&why, now);
                self.end(Status::Failed, now, &why);
                self.result = Some(cut(&why, RESULT_CHARS_MAX));
                TaskFailed { task_id, title, reason: reason(&why), retry_at: None }.into()
            }
        })
    }

    /// Its worker died. It is tried again at once, until it has cost as many workers as it may have attempts.
    fn recycle(&mut self, now: Timestamp) -> Event {
        let (task_id, title) = (self.id, self.title.clone());
        self.stop("the worker went away", now);
        if self.attempts >= self.attempts_max {
            self.end(Status::Failed, now, "");
            self.quarantined = true;
            self.result = Some(format!("its worker went away {} times; it is set aside", self.attempts));
            return TaskQuarantined { task_id, title, attempts: self.attempts }.into();
        }
        self.to(Status::Approved);
        TaskRecycled { task_id, title, attempts: self.attempts }.into()
    }

    fn state(&self, act: &Act, status: Status) -> Problem {
        let hint = match (act, status) {
            (Act::Approve, Status::Approved | Status::Running) => "It is approved already.",
            (Act::Pause, Status::Approved) => "It does not run yet. Lay it aside instead.",
            (Act::Resume, Status::Backlogged) => "It was laid aside: take it up again with unbacklog.",
            (Act::Resume | Act::Retry | Act::Unbacklog, Status::Approved) => "It waits for its turn already.",
            (_, Status::Completed | Status::Vetoed) => "It is over. Make a new task.",
            _ => "Look at it again; it may have changed meanwhile.",
        };
        Problem::conflict(
            "task_state",
            format!("The task “{}” is {status}, so “{}” does not fit. Nothing was changed.", self.title, act.name()),
            hint,
        )
    }

    /// A row of another version: it is shown, and left alone.
    fn foreign(&self, act: &Act) -> Problem {
        Problem::conflict(
            "unknown_to_this_version",
            format!(
                "The task “{}” has the status “{}” and the priority “{}”, which this version does not know, so “{}” is \
                 refused. Nothing was changed.",
                self.title,
                self.status,
                self.priority,
                act.name()
            ),
            "Open it with the version that wrote it.",
        )
    }
}

fn not_yours(act: &Act, by: &Actor) -> Problem {
    Problem::new(
        Kind::Forbidden,
        "owner_only",
        format!("“{}” is not for {by} to do with this task. Nothing was changed.", act.name()),
        "The owner can do it on the page Tasks, or with `timmy task`.",
    )
}
