//! The event catalogue: everything that can happen in the house, by its dotted name.
//!
//! One line in [`catalogue!`] adds an event; the compiler then asks for its fields and its sentence.
//! Names only grow: a name this binary does not know decodes to [`Event::Unknown`], so an older
//! binary after a rollback still reads the log.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Seq, Timestamp};

mod bodies;
mod envelope;
mod sentence;
pub use bodies::*;

/// Bytes the JSON body of one event may hold.
pub const EVENT_DATA_BYTES_MAX: usize = 16 * 1024;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The owner, through any door.
    Owner,
    /// Timmy, of his own accord.
    Timmy,
    /// The house itself: start, stop, checks.
    System,
    /// Somebody or something not logged in.
    Stranger,
    /// A program of others that was let in with a token and speaks for itself, not for the owner.
    Program,
}

impl Actor {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Timmy, Self::System, Self::Stranger, Self::Program];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Timmy => "timmy",
            Self::System => "system",
            Self::Stranger => "stranger",
            Self::Program => "program",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An actor this binary does not know reads as [`Actor::System`]; the stored text stays as it is.
impl From<&str> for Actor {
    fn from(text: &str) -> Self {
        Self::ALL.into_iter().find(|a| a.name() == text).unwrap_or(Self::System)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Of interest to somebody who looks for a fault.
    Debug,
    /// Nothing is wrong.
    Info,
    /// Something is off; the house copes.
    Warning,
    /// Something failed.
    Error,
}

impl Severity {
    /// All of them, mild ones first. The position is the stored number.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// The wire word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl FromStr for Severity {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(())
    }
}

/// Whom it concerns; decides how long it is kept, whatever its severity: what concerns the owner for ever, the rest as
/// the settings of `[retention]` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The owner.
    Person,
    /// Whoever looks after the house.
    Operator,
    /// Whoever looks for a fault.
    Debug,
}

/// The body of a variant.
trait Body: Serialize + for<'de> Deserialize<'de> {}
impl<T: Serialize + for<'de> Deserialize<'de>> Body for T {}

fn encode<T: Body>(body: &T) -> String {
    // A body is plain data with text keys, so encoding cannot fail; an empty object is the safe way out.
    serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned())
}

macro_rules! catalogue {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal, $severity:ident, $audience:ident; )*) => {
        /// Something that happened. Each variant has one stable dotted name.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $( $(#[doc = $doc])+ $variant($variant), )*
            /// An event of a newer or older binary, kept as it is.
            Unknown {
                /// Its dotted name.
                name: String,
                /// Its body.
                data: Value,
            },
        }

        impl Event {
            /// The dotted name.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$variant(_) => $name, )*
                    Self::Unknown { name, .. } => name,
                }
            }

            /// The dotted name, apart from the event: of a known one without a copy.
            #[must_use]
            pub fn into_name(self) -> Cow<'static, str> {
                match self {
                    $( Self::$variant(_) => Cow::Borrowed($name), )*
                    Self::Unknown { name, .. } => Cow::Owned(name),
                }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(&self) -> Severity {
                match self {
                    $( Self::$variant(_) => Severity::$severity, )*
                    Self::Unknown { .. } => Severity::Info,
                }
            }

            /// The body as JSON text.
            #[must_use]
            pub fn data_json(&self) -> String {
                match self {
                    $( Self::$variant(body) => encode(body), )*
                    Self::Unknown { data, .. } => data.to_string(),
                }
            }

            /// Reads an event back. Never fails: a name or body that does not fit becomes [`Event::Unknown`].
            #[must_use]
            pub fn decode(name: &str, data: &str) -> Self {
                let known = match name {
                    $( $name => serde_json::from_str(data).map(Self::$variant).ok(), )*
                    _ => None,
                };
                known.unwrap_or_else(|| Self::Unknown {
                    name: name.to_owned(),
                    data: serde_json::from_str(data).unwrap_or(Value::Null),
                })
            }

            /// The catalogue: name, severity, audience and meaning of every event, in the order of declaration.
            #[must_use]
            pub fn catalogue() -> Vec<(&'static str, Severity, Audience, String)> {
                vec![$( ($name, Severity::$severity, Audience::$audience, [$($doc.trim()),+].join(" ")), )*]
            }

            /// Whom an event of this name concerns; a name this binary does not know concerns the operator.
            #[must_use]
            pub fn audience_of(name: &str) -> Audience {
                match name {
                    $( $name => Audience::$audience, )*
                    _ => Audience::Operator,
                }
            }

            /// Whom it concerns.
            #[must_use]
            pub const fn audience(&self) -> Audience {
                match self {
                    $( Self::$variant(_) => Audience::$audience, )*
                    Self::Unknown { .. } => Audience::Operator,
                }
            }
        }

        $( impl From<$variant> for Event {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        } )*
    };
}

catalogue! {
    /// The server started.
    SystemStarted = "system.started", Info, Operator;
    /// The server stops.
    SystemStopping = "system.stopping", Info, Operator;
    /// The last run ended without saying so: killed, or the power went.
    SystemCrashed = "system.crashed", Warning, Operator;
    /// A check of the database ended.
    StoreChecked = "store.checked", Info, Operator;
    /// A check of the database found damage; writing has stopped.
    StoreDamaged = "store.damaged", Error, Person;
    /// Events that were kept long enough left the log.
    StorePruned = "store.pruned", Info, Operator;
    /// The places where events left the log are signed, so that the chain still proves the others.
    StoreCheckpoint = "store.checkpoint", Info, Operator;
    /// The log goes on under another signing key, as after a restore on another machine.
    StoreKeyReplaced = "store.key_replaced", Warning, Person;
    /// The disk was full for a while; what was written since is stored again.
    StoreResumed = "store.resumed", Warning, Person;
    /// The machine's clock was set, by more than a moment.
    ClockJumped = "system.clock_jumped", Warning, Operator;
    /// A backup was made and lies in the home.
    BackupMade = "backup.made", Info, Person;
    /// A backup could not be made.
    BackupFailed = "backup.failed", Error, Person;
    /// The nightly backup was left out, because the disk has too little room.
    BackupSkipped = "backup.skipped", Warning, Person;
    /// A backup was unpacked, opened and checked as a restore would do it, and it is whole.
    BackupDrilled = "backup.drilled", Info, Operator;
    /// A backup was unpacked and checked, and a restore from it would fail.
    BackupDrillFailed = "backup.drill_failed", Error, Person;
    /// The owner put a backup in place of the home.
    RestoreDone = "restore.done", Info, Person;
    /// The owner brought one area of a backup into this home.
    AreaImported = "restore.imported", Info, Person;
    /// A component failed, or a request hit a fault of the house.
    ErrorCaptured = "error.captured", Error, Person;
    /// A component that had failed runs again.
    ComponentRecovered = "component.recovered", Info, Operator;
    /// A reactor failed on one event too often, put it aside and went on.
    ReactorParked = "reactor.parked", Error, Person;
    /// Timmy thought something, or the owner put a sentence among the thoughts. Written by `Tx::insert_thought`.
    Thought = "timmy.thought", Info, Person;
    /// A thought was due and did not come.
    ThoughtMissed = "timmy.thought_missed", Warning, Operator;
    /// The owner stopped a thought in the making.
    ThoughtStopped = "timmy.thought_stopped", Info, Person;
    /// Timmy rests instead of thinking, and why.
    ThinkingRested = "thinking.rested", Debug, Operator;
    /// A thought moved through the queue of tasks by itself. What the owner does with its task is told as of any other.
    ThinkingTask = "thinking.task", Debug, Debug;
    /// The owner paused thinking.
    ThinkingPaused = "thinking.paused", Info, Person;
    /// The owner let Timmy think again.
    ThinkingResumed = "thinking.resumed", Info, Person;
    /// The owner kept a thought.
    ThoughtKept = "thought.kept", Info, Person;
    /// The owner no longer keeps a thought.
    ThoughtReleased = "thought.released", Info, Person;
    /// The owner asked for fewer thoughts like one, or took that back.
    ThoughtFewer = "thought.fewer", Info, Person;
    /// The owner said something.
    MessageReceived = "message.received", Info, Person;
    /// Timmy answered.
    MessageReplied = "message.replied", Info, Person;
    /// The owner stopped an answer.
    MessageStopped = "message.stopped", Info, Person;
    /// No answer came.
    MessageFailed = "message.failed", Warning, Person;
    /// The owner pointed at a folder.
    WatchAdded = "watch.added", Info, Person;
    /// The owner no longer points at a folder.
    WatchRemoved = "watch.removed", Info, Person;
    /// A watched folder cannot be read.
    WatchFailed = "watch.failed", Warning, Person;
    /// Timmy saw something in a watched folder.
    Observed = "watch.observed", Info, Person;
    /// A provider of models answers.
    ProviderUp = "router.provider_up", Info, Operator;
    /// A provider of models no longer answers.
    ProviderDown = "router.provider_down", Warning, Operator;
    /// A model failed too often and is left alone for a while.
    CircuitOpened = "router.circuit_opened", Warning, Operator;
    /// A model that was left alone is well again.
    CircuitClosed = "router.circuit_closed", Info, Operator;
    /// A provider has no key or no credit and is held back.
    ProviderHeld = "router.provider_held", Warning, Operator;
    /// The owner switched a provider off or on.
    ProviderSwitched = "router.provider_switched", Info, Person;
    /// The owner had the rests of a provider forgotten.
    CircuitReset = "router.circuit_reset", Info, Person;
    /// The owner took back that the rests of a provider were forgotten.
    CircuitsBack = "router.circuits_back", Info, Person;
    /// The owner tried a provider out.
    ProviderTested = "router.tested", Info, Person;
    /// The owner put the providers into another order.
    ProvidersOrdered = "router.ordered", Info, Person;
    /// The owner keeps everything on this machine for a while, or no longer.
    LocalOnly = "router.local_only", Info, Person;
    /// A budget for models is used up.
    BudgetReached = "router.budget_reached", Warning, Person;
    /// Somebody logged in.
    LoginSucceeded = "login.succeeded", Info, Operator;
    /// Somebody failed to log in.
    LoginFailed = "login.failed", Warning, Operator;
    /// A session ended by the owner's wish.
    LoginEnded = "login.ended", Info, Operator;
    /// Sessions of browsers were ended from the list of sessions.
    LoginSessionsEnded = "login.sessions_ended", Info, Person;
    /// The owner set a password, or another one; every other session ended.
    LoginPasswordSet = "login.password_set", Info, Person;
    /// The owner took the password away; every other session ended.
    LoginPasswordRemoved = "login.password_removed", Info, Person;
    /// The owner made a token.
    TokenCreated = "token.created", Info, Person;
    /// The owner withdrew a token.
    TokenRevoked = "token.revoked", Info, Person;
    /// The persona, a prompt or a seed in `mind/` was edited and took effect.
    MindChanged = "mind.changed", Info, Person;
    /// Files of `mind/` or its history were gone, and Timmy began them anew.
    MindRenewed = "mind.renewed", Warning, Person;
    /// The owner changed a setting in the configuration file.
    SettingsChanged = "settings.changed", Info, Person;
    /// Something is to be done.
    TaskCreated = "task.created", Info, Person;
    /// A task may be begun.
    TaskApproved = "task.approved", Info, Person;
    /// The owner does not want a task.
    TaskVetoed = "task.vetoed", Info, Person;
    /// What a task says was changed.
    TaskModified = "task.modified", Info, Person;
    /// The work on a task was stopped for now.
    TaskPaused = "task.paused", Info, Person;
    /// The work on a task goes on.
    TaskResumed = "task.resumed", Info, Person;
    /// A task was stopped for good.
    TaskCancelled = "task.cancelled", Info, Person;
    /// A failed task is begun again.
    TaskRetried = "task.retried", Info, Person;
    /// A task was laid aside.
    TaskBacklogged = "task.backlogged", Info, Person;
    /// A task was taken up again.
    TaskUnbacklogged = "task.unbacklogged", Info, Person;
    /// A task has another place in the order.
    TaskReordered = "task.reordered", Info, Operator;
    /// A worker begins with a task.
    TaskStarted = "task.started", Info, Operator;
    /// The work on a task waits for the owner's word.
    TaskWaiting = "task.waiting", Info, Person;
    /// What a task needs is not there; it is looked at again soon.
    TaskPostponed = "task.postponed", Info, Operator;
    /// The time has come by which the owner wanted to have done something himself.
    TaskDue = "task.due", Info, Person;
    /// A task is done.
    TaskCompleted = "task.completed", Info, Person;
    /// The work on a task did not go well.
    TaskFailed = "task.failed", Warning, Person;
    /// The worker of a task went away; the task is begun again.
    TaskRecycled = "task.recycled", Warning, Operator;
    /// A task was set aside, since its workers went away each time.
    TaskQuarantined = "task.quarantined", Error, Person;
    /// The owner sent back what a task came to; another task is to do it better.
    TaskSentBack = "task.sent_back", Info, Person;
    /// The owner said whether something a task produced is good.
    ArtifactRated = "artifact.rated", Info, Person;
    /// What was left of the last run was looked through at the start.
    QueueDrained = "task.startup_drain", Info, Operator;
    /// A tool is about to be used.
    ToolCalled = "tool.called", Info, Operator;
    /// A tool was used: the receipt.
    ToolCompleted = "tool.completed", Info, Operator;
    /// A tool could not be used, or what it tried did not work.
    ToolFailed = "tool.failed", Warning, Operator;
    /// Something waits for the owner's word.
    ApprovalRequested = "approval.requested", Info, Person;
    /// The owner said yes.
    ApprovalApproved = "approval.approved", Info, Person;
    /// The owner said no.
    ApprovalRejected = "approval.rejected", Info, Person;
    /// Nobody answered in time, or a yes was not used in time.
    ApprovalExpired = "approval.expired", Warning, Person;
    /// Another question took the place of one that waited.
    ApprovalSuperseded = "approval.superseded", Info, Person;
    /// Whoever asked no longer wants it.
    ApprovalWithdrawn = "approval.withdrawn", Info, Person;
    /// A yes was used, and is good for nothing else.
    ApprovalConsumed = "approval.consumed", Info, Person;
    /// The owner took a yes back before it was used.
    ApprovalRevoked = "approval.revoked", Info, Person;
    /// Something was refused without asking, and which rule refused it.
    PolicyDenied = "policy.denied", Warning, Person;
    /// Something of middling risk was let run by a rule of the owner, and stands in the digest.
    PolicyAllowed = "policy.allowed", Info, Person;
    /// The quiet hours are over, and questions that came in them wait.
    ApprovalGathered = "approval.gathered", Info, Person;
    /// The owner turned the strict profile, GOLDEN_TIMMY, on or off.
    GoldenChanged = "policy.golden_changed", Warning, Person;
    /// The owner made a rule by which things happen without being asked.
    RuleCreated = "rule.created", Info, Person;
    /// The owner took a rule back.
    RuleRevoked = "rule.revoked", Info, Person;
    /// The owner's answers suggest a rule; nothing follows it until the owner makes it.
    RuleSuggested = "rule.suggested", Info, Person;
    /// A model was registered: fetched, imported or named by the owner.
    ModelRegistered = "model.registered", Info, Person;
    /// A model was taken out of the register.
    ModelRemoved = "model.removed", Info, Person;
    /// A model was switched on or off.
    ModelSwitched = "model.switched", Info, Person;
    /// An agent got a model of its own, or lost it.
    ModelAssigned = "model.assigned", Info, Person;
    /// The owner asked for a model, and it is being fetched.
    ModelPullStarted = "model.pull_started", Info, Person;
    /// How far a model has come; at most one for each tenth of it.
    ModelPullProgress = "model.pull_progress", Info, Operator;
    /// Fetching a model ended without it; what came stays, and the next time goes on from there.
    ModelPullEnded = "model.pull_ended", Warning, Person;
    /// How fast this machine reads its memory and its disk was measured, which bounds how fast models are here.
    ModelSpeedMeasured = "model.speed_measured", Info, Operator;
}

/// An event about to be written. The store adds position, time and hash.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub event: Event,
    /// Which part of the house says so, such as `thinking`.
    pub source: &'static str,
    /// Who did it.
    pub actor: Actor,
    /// The event that led here.
    pub cause: Option<Seq>,
    /// The task it belongs to.
    pub task_id: Option<String>,
    /// The agent it belongs to.
    pub agent_id: Option<String>,
}

impl NewEvent {
    /// An event of `source`, done by the house itself and without a cause.
    pub fn new(source: &'static str, event: impl Into<Event>) -> Self {
        Self { event: event.into(), source, actor: Actor::System, cause: None, task_id: None, agent_id: None }
    }

    /// The same, done by `actor`.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// The same, led here by the event at `cause`.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Option<Seq>>) -> Self {
        self.cause = cause.into();
        self
    }

    /// The same, belonging to the agent `agent_id`.
    #[must_use]
    pub fn agent(mut self, agent_id: &str) -> Self {
        self.agent_id = Some(agent_id.to_owned());
        self
    }
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its position; positions have no gaps except where retention removed rows.
    pub seq: Seq,
    /// Its id, a UUID.
    pub id: String,
    /// Its dotted name.
    pub name: String,
    /// Which part of the house said so.
    pub source: String,
    /// Who did it, as stored.
    pub actor: String,
    /// The event that led here.
    pub cause: Option<Seq>,
    /// The task it belongs to.
    pub task_id: Option<String>,
    /// The agent it belongs to.
    pub agent_id: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The body as JSON text.
    pub data: String,
    /// When it was written.
    pub at: Timestamp,
    /// SHA-256 over the previous hash and this row.
    pub hash: [u8; 32],
}

impl Record {
    /// The typed event.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::decode(&self.name, &self.data)
    }

    /// The live envelope: `{"v":1,"seq","event","data","timestamp"}` plus
    /// `source, actor, cause, task_id, agent_id, severity, id`.
    #[must_use]
    pub fn envelope(&self) -> Value {
        serde_json::json!({
            "v": 1,
            "seq": self.seq,
            "event": self.name,
            "data": serde_json::from_str::<Value>(&self.data).unwrap_or(Value::Null),
            "timestamp": self.at,
            "id": self.id,
            "source": self.source,
            "actor": self.actor,
            "cause": self.cause,
            "task_id": self.task_id,
            "agent_id": self.agent_id,
            "severity": self.severity,
        })
    }
}

#[cfg(test)]
mod tests;
