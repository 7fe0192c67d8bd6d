//! An approval: something waits for the owner's word. Its states, and who may move it from one to the next.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::plan::Plan;
use crate::problem::Kind;
use crate::risk::{Assessment, Band};
use crate::{Actor, ApprovalId, Problem, Seq, Timestamp};

/// Days an approval waits; then it has expired, and stays in the list as such.
pub const APPROVAL_DAYS: u64 = 7;
/// Seconds between asking and a yes, for what is very risky.
pub const COOL_DOWN_SECONDS: u64 = 60;
/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of a description, and of what is proposed.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 500;

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Waits for the owner.
    Pending,
    /// The owner said yes.
    Approved,
    /// The owner said no.
    Rejected,
    /// Nobody answered in time, or the yes was not used in time.
    Expired,
    /// Another question took its place.
    Superseded,
    /// Whoever asked no longer wants it.
    Withdrawn,
    /// The yes was used; it is good for nothing else.
    Consumed,
    /// The owner took the yes back before it was used.
    Revoked,
    /// A state of another version; nothing can be done with it.
    Unknown,
}

impl ApprovalStatus {
    /// All states this version knows.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
        Self::Withdrawn,
        Self::Consumed,
        Self::Revoked,
    ];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Consumed => "consumed",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ApprovalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word is no state of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a state of an approval: use pending, approved, rejected, expired, superseded, withdrawn, consumed or revoked"
)]
pub struct NotAStatus;

impl FromStr for ApprovalStatus {
    type Err = NotAStatus;
    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(NotAStatus)
    }
}

/// What can be done with an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Say yes.
    Approve,
    /// Say no.
    Reject,
    /// Let it lapse, since its time is over.
    Expire,
    /// Put another question in its place.
    Supersede,
    /// Take the question back.
    Withdraw,
    /// Use the yes.
    Consume,
    /// Take the yes back.
    Revoke,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Approve, Self::Reject, Self::Expire, Self::Supersede, Self::Withdraw, Self::Consume, Self::Revoke];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Expire => "expire",
            Self::Supersede => "supersede",
            Self::Withdraw => "withdraw",
            Self::Consume => "consume",
            Self::Revoke => "revoke",
        }
    }

    /// The state it leads to.
    #[must_use]
    pub const fn leads_to(self) -> ApprovalStatus {
        match self {
            Self::Approve => ApprovalStatus::Approved,
            Self::Reject => ApprovalStatus::Rejected,
            Self::Expire => ApprovalStatus::Expired,
            Self::Supersede => ApprovalStatus::Superseded,
            Self::Withdraw => ApprovalStatus::Withdrawn,
            Self::Consume => ApprovalStatus::Consumed,
            Self::Revoke => ApprovalStatus::Revoked,
        }
    }

    /// Whether the owner alone may do it.
    #[must_use]
    pub const fn is_the_owners(self) -> bool {
        matches!(self, Self::Approve | Self::Reject | Self::Revoke)
    }
}

/// Why an act was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the owner may do this, and it was somebody else.
    NotTheOwner {
        /// What was tried.
        act: Act,
        /// By whom.
        by: Actor,
    },
    /// The state forbids it.
    State {
        /// What was tried.
        act: Act,
        /// Where the approval stands.
        status: ApprovalStatus,
    },
    /// It is very risky and was asked for only a moment ago.
    CoolingDown {
        /// Seconds until a yes counts.
        seconds: u64,
    },
    /// The yes was meant for the task, and the question shows an exact plan.
    PlanUnseen {
        /// The question.
        id: ApprovalId,
    },
}

impl Refusal {
    /// The same in the words of the house.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::NotTheOwner { act, by } => Problem::new(
                Kind::Forbidden,
                "owner_only",
                format!("Only the owner can {} an approval; {by} cannot. Nothing was changed.", act.name()),
                "Decide on the page Approvals, or with `timmy approvals`.",
            ),
            Self::State { act, status } => Problem::conflict(
                "approval_state",
                format!("The approval is {status}, so it cannot be {} now. Nothing was changed.", act.leads_to()),
                match status {
                    ApprovalStatus::Expired => "Ask for it again; the old question stays in the list.",
                    ApprovalStatus::Consumed => "What it allowed was done. Each yes is good for one time.",
                    _ => "Look at it again; somebody may have decided meanwhile.",
                },
            ),
            Self::CoolingDown { seconds } => Problem::conflict(
                "cooling_down",
                format!(
                    "This is very risky, so a yes counts only after {COOL_DOWN_SECONDS} seconds; {seconds} are left."
                ),
                "Read it once more and approve it then, or reject it now.",
            )
            .retry_after(*seconds),
            Self::PlanUnseen { id } => Problem::conflict(
                "plan_unseen",
                "It asks for a yes to one exact plan, so it is decided where the plan is shown. Nothing was changed.",
                format!("Read and decide it at /approvals#a-{id}, or with `timmy approvals show {id}`."),
            ),
        }
    }
}

/// Where `act` by `by` leads from `status`.
///
/// pending → approved, rejected, expired, superseded, withdrawn; approved → consumed, revoked, expired. All else stays.
///
/// # Errors
/// [`Refusal`] when the state or the actor forbids it.
pub fn step(status: ApprovalStatus, act: Act, by: &Actor) -> Result<ApprovalStatus, Refusal> {
    // Whoever may not decide learns that first, and nothing about the state.
    if act.is_the_owners() && *by != Actor::Owner || matches!(by, Actor::Stranger | Actor::Program) {
        return Err(Refusal::NotTheOwner { act, by: by.clone() });
    }
    match (status, act) {
        (ApprovalStatus::Pending, Act::Approve | Act::Reject | Act::Expire | Act::Supersede | Act::Withdraw)
        | (ApprovalStatus::Approved, Act::Consume | Act::Revoke | Act::Expire) => Ok(act.leads_to()),
        _ => Err(Refusal::State { act, status }),
    }
}

/// What an approval is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// What kind of thing: `task`, `call`, and more as the house grows.
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl Subject {
    /// The kind of a task.
    pub const TASK: &'static str = "task";
    /// The kind of one call of a tool.
    pub const CALL: &'static str = "call";

    /// A subject of this kind and id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }

    /// The task `id`.
    pub fn task(id: impl Into<String>) -> Self {
        Self::new(Self::TASK, id)
    }

    /// The task it is, when it is one.
    #[must_use]
    pub fn as_task(&self) -> Option<&str> {
        (self.kind == Self::TASK).then_some(self.id.as_str())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// A question about to be asked. The store adds id, time and position.
#[derive(Clone, Debug, PartialEq)]
pub struct NewApproval {
    /// What it is about. A pending approval of the same subject is superseded.
    pub subject: Subject,
    /// The question in one line; cut to [`TITLE_CHARS_MAX`].
    pub title: String,
    /// Why it is asked; cut to [`DESCRIPTION_CHARS_MAX`].
    pub description: String,
    /// What will be done after a yes; cut to [`DESCRIPTION_CHARS_MAX`].
    pub proposed_action: String,
    /// What exactly will be done; `None` when nothing is executed by the yes itself.
    pub plan: Option<Plan>,
    /// How risky it is.
    pub risk: Assessment,
    /// When the question lapses; `None` for [`APPROVAL_DAYS`] from now.
    pub expires_at: Option<Timestamp>,
    /// Who asks.
    pub by: Actor,
    /// The event that led here.
    pub cause: Option<Seq>,
}

/// An approval as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What it is about.
    pub subject: Subject,
    /// The question in one line.
    pub title: String,
    /// Why it is asked.
    pub description: String,
    /// What will be done after a yes.
    pub proposed_action: String,
    /// Where it stood when it was last written; [`Approval::standing`] knows the time too.
    pub status: ApprovalStatus,
    /// How often it was changed.
    pub version: i64,
    /// How risky it is, and why.
    pub risk: Assessment,
    /// What exactly will be done; `None` when nothing is, or when what is stored does not fit its hash.
    pub plan: Option<Plan>,
    /// The hash that the yes is bound to; `None` when nothing is executed by it.
    pub plan_hash: Option<Digest>,
    /// From when on a yes counts.
    pub not_before: Timestamp,
    /// When the question lapses, and a yes that was not used.
    pub expires_at: Timestamp,
    /// When it was asked.
    pub created_at: Timestamp,
    /// Who asked, as stored.
    pub created_by: String,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// Who decided: the actor, and after a colon through which key, such as `owner:phone`.
    pub decided_by: Option<String>,
    /// Why, in the words of whoever decided.
    pub reason: Option<String>,
    /// The event that asked.
    pub seq: Seq,
}

impl Approval {
    /// Where it stands at `now`: what is overdue has expired, also before anybody wrote that down.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> ApprovalStatus {
        let waits = match self.status {
            ApprovalStatus::Pending => true,
            // A yes without a plan was carried out when it was given; there is nothing left to lapse.
            ApprovalStatus::Approved => self.plan_hash.is_some(),
            _ => false,
        };
        if waits && self.expires_at <= now { ApprovalStatus::Expired } else { self.status }
    }

    /// Whether a yes needs the owner's password, where one is set.
    #[must_use]
    pub fn needs_step_up(&self) -> bool {
        self.risk.band == Band::StepUp
    }

    /// Whether a yes to the task it is about answers it too. What binds an exact plan is answered only where the plan
    /// is shown; a plan that cannot be read any more is one all the same. This is the one place that says so.
    ///
    /// # Errors
    /// [`Refusal::PlanUnseen`] when it has a plan.
    pub const fn answered_by_its_task(&self) -> Result<(), Refusal> {
        if self.plan_hash.is_some() { Err(Refusal::PlanUnseen { id: self.id }) } else { Ok(()) }
    }

    /// Where `act` by `by` leads at `now`.
    ///
    /// # Errors
    /// [`Refusal`] when state, actor or time forbids it.
    pub fn step(&self, act: Act, by: &Actor, now: Timestamp) -> Result<ApprovalStatus, Refusal> {
        let from = self.standing(now);
        // Writing down that it has expired is the one thing that can be done with what is overdue.
        let from = if act == Act::Expire && from == ApprovalStatus::Expired { self.status } else { from };
        if act == Act::Expire && self.expires_at > now {
            return Err(Refusal::State { act, status: from });
        }
        let to = step(from, act, by)?;
        if act == Act::Approve && self.not_before > now {
            let seconds = self.not_before.since(now).as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX);
            return Err(Refusal::CoolingDown { seconds });
        }
        Ok(to)
    }
}

/// What is done with an approval, by whom, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub act: Act,
    /// Who does it.
    pub actor: Actor,
    /// Through which key: `browser`, the name of a token, `command line`; empty when there is none.
    pub through: String,
    /// Why; cut to [`REASON_CHARS_MAX`].
    pub reason: Option<String>,
}

impl Decision {
    /// A decision of the owner, who came in through `through`.
    pub fn by_owner(act: Act, through: impl Into<String>, reason: Option<String>) -> Self {
        Self { act, actor: Actor::Owner, through: through.into(), reason }
    }

    /// A decision of the house.
    #[must_use]
    pub fn by_system(act: Act, reason: impl Into<String>) -> Self {
        Self { act, actor: Actor::System, through: String::new(), reason: Some(reason.into()) }
    }

    /// Who decided, as it is stored: `owner:phone`.
    #[must_use]
    pub fn decided_by(&self) -> String {
        if self.through.is_empty() { self.actor.to_string() } else { format!("{}:{}", self.actor, self.through) }
    }
}

/// When a question asked at `now` lapses.
#[must_use]
pub fn expiry(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(APPROVAL_DAYS * 86_400))
}

/// From when on a yes counts for a question of this risk asked at `now`.
#[must_use]
pub fn not_before(risk: &Assessment, now: Timestamp) -> Timestamp {
    if risk.band == Band::StepUp { now.plus(Duration::from_secs(COOL_DOWN_SECONDS)) } else { now }
}

#[cfg(test)]
mod tests;
