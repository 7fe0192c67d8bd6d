//! What each event carries. Bodies only grow: new fields are optional or have a default.
//!
//! long because: one table, with the body of every event.

use serde::{Deserialize, Serialize};

use crate::observation::ObservationKind;
use crate::thought::{Place, SeedType};
use crate::{ApprovalId, Digest, MessageId, RuleId, Seq, TaskId, ThoughtId, Timestamp};

macro_rules! bodies {
    ($( $(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $fdoc:literal])+ $field:ident : $ty:ty, )* } )*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            pub struct $name {
                $( $(#[doc = $fdoc])+ pub $field: $ty, )*
            }
        )*
    };
}

bodies! {
    /// The server started.
    SystemStarted {
        /// Version of the binary.
        version: String,
        /// Address it listens on.
        address: String,
        /// How strong the fence around child processes was measured, such as `T3`; absent in older events.
        sandbox: Option<String>,
    }
    /// The server stops.
    SystemStopping {
        /// Why, in words.
        reason: String,
    }
    /// The last run ended without saying so.
    SystemCrashed {
        /// The last event of that run.
        last_seq: i64,
    }
    /// A check of the database ended well.
    StoreChecked {
        /// What was checked, such as `integrity` or `chain`.
        check: String,
        /// How many rows or pages were looked at.
        looked_at: i64,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// A check of the database found damage.
    StoreDamaged {
        /// What was checked.
        check: String,
        /// What is wrong, in words.
        finding: String,
    }
    /// Events that were kept long enough left the log.
    StorePruned {
        /// How many of them concerned the operator.
        operator: i64,
        /// How many of them were for whoever looks for a fault.
        debug: i64,
        /// The position of the first of them.
        first: i64,
        /// The position of the last of them.
        last: i64,
    }
    /// The places where events left the log are signed.
    StoreCheckpoint {
        /// How many checkpoints there are, one for each 256 positions from which events left.
        checkpoints: i64,
        /// How many events have left the log in all.
        removed: i64,
        /// The last position they speak of.
        upto: i64,
        /// Which key signed, by the first 16 digits of its hash.
        key: String,
    }
    /// The log goes on under another signing key.
    StoreKeyReplaced {
        /// The key that signs now, by the first 16 digits of its hash.
        key: String,
        /// The key before it.
        before: String,
        /// The first position it signs.
        since: i64,
    }
    /// The disk was full for a while, and is not any more.
    StoreResumed {
        /// When the first write was refused.
        full_since: Timestamp,
        /// How long writing was refused, in seconds.
        seconds: i64,
    }
    /// The machine's clock was set.
    ClockJumped {
        /// By how much, in seconds; negative when it was set back.
        seconds: i64,
    }
    /// A backup was made.
    BackupMade {
        /// Its file, in the folder `backups` of the home.
        file: String,
        /// Bytes of the file.
        bytes: i64,
        /// Who asked: `owner` or `nightly`.
        why: String,
        /// What is in it, such as `home` or `thoughts`.
        areas: Vec<String>,
        /// The last event in it.
        last_seq: i64,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// A backup could not be made.
    BackupFailed {
        /// Who asked: `owner` or `nightly`.
        why: String,
        /// What happened, in words.
        finding: String,
    }
    /// The nightly backup was left out.
    BackupSkipped {
        /// Bytes that are free.
        free_bytes: i64,
        /// Bytes that should be free.
        needed_bytes: i64,
    }
    /// A backup was unpacked and checked, and it is whole.
    BackupDrilled {
        /// Its file.
        file: String,
        /// Events whose chain was verified.
        events: i64,
        /// Rows of all tables, counted and as many as the backup says.
        rows: i64,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// A restore from a backup would fail.
    BackupDrillFailed {
        /// Its file.
        file: String,
        /// What is wrong, in words.
        finding: String,
    }
    /// A backup was put in place of the home.
    RestoreDone {
        /// The backup's file.
        file: String,
        /// When it was made.
        made_at: Timestamp,
        /// The last event in it.
        last_seq: i64,
        /// What the names of the files that were there before end in.
        kept_as: String,
    }
    /// One area of a backup was brought into this home.
    AreaImported {
        /// Which area.
        area: String,
        /// The backup's file.
        file: String,
        /// Things that were not here and are now.
        added: i64,
        /// Things that were here already, the same.
        same: i64,
        /// Things that were left as they are here, because they differ or have no room.
        refused: i64,
    }
    /// A component failed, or a request hit a fault of the house.
    ErrorCaptured {
        /// Which component or route.
        component: String,
        /// What happened, in one line.
        message: String,
        /// Same fault, same fingerprint: 16 hexadecimal digits.
        fingerprint: String,
        /// How often this fault was seen since the server started, this time included.
        count: u64,
        /// What Timmy does about it.
        action: String,
    }
    /// A component that had failed runs again.
    ComponentRecovered {
        /// Which component.
        component: String,
        /// How many times it was restarted since the server started.
        restarts: u64,
    }
    /// A reactor put an event aside.
    ReactorParked {
        /// Which reactor.
        reactor: String,
        /// The event it failed on.
        event_seq: i64,
        /// The last failure, in one line.
        message: String,
    }
    /// Timmy thought something, or the owner put a thought in.
    Thought {
        /// Its id.
        thought_id: ThoughtId,
        /// What it grew from.
        seed_type: SeedType,
        /// The first 200 characters.
        content: String,
        /// The thought before it.
        parent_id: Option<ThoughtId>,
        /// Who made it.
        provider: String,
        /// Which model.
        model: String,
        /// Where it was made.
        place: Place,
    }
    /// A thought was due and did not come.
    ThoughtMissed {
        /// What it would have grown from.
        seed_type: SeedType,
        /// Why it did not come, in words.
        why: String,
    }
    /// The owner stopped a thought in the making.
    ThoughtStopped {
        /// What it grew from.
        seed_type: SeedType,
    }
    /// Timmy rests instead of thinking.
    ThinkingRested {
        /// Why, in words.
        why: String,
        /// Until when; absent when only the owner ends it.
        until: Option<Timestamp>,
    }
    /// A thought moved through the queue of tasks by itself.
    ThinkingTask {
        /// The task.
        task_id: TaskId,
        /// What became of it, such as `created`, `started` or `completed`.
        act: String,
    }
    /// The owner paused thinking.
    ThinkingPaused {
        /// Until when; absent when only the owner ends it.
        until: Option<Timestamp>,
    }
    /// The owner let Timmy think again.
    ThinkingResumed {
    }
    /// The owner kept a thought.
    ThoughtKept {
        /// Which one.
        thought_id: ThoughtId,
    }
    /// The owner no longer keeps a thought.
    ThoughtReleased {
        /// Which one.
        thought_id: ThoughtId,
    }
    /// The owner asked for fewer thoughts like one, or took that back.
    ThoughtFewer {
        /// Which one.
        thought_id: ThoughtId,
        /// Its seed.
        seed_type: SeedType,
        /// The chance of this seed from now on, in percent of its usual chance.
        weight_percent: i64,
    }
    /// The owner said something.
    MessageReceived {
        /// The message.
        message_id: MessageId,
        /// Through which door.
        channel: String,
        /// The first 200 characters.
        content: String,
    }
    /// Timmy answered.
    MessageReplied {
        /// The answer.
        message_id: MessageId,
        /// The message it answers.
        answers: MessageId,
        /// The first 200 characters.
        content: String,
        /// Who answered.
        provider: String,
        /// Which model.
        model: String,
        /// Where.
        place: Place,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// The owner stopped an answer.
    MessageStopped {
        /// The answer as far as it came.
        message_id: MessageId,
        /// The message it answers.
        answers: MessageId,
    }
    /// No answer came.
    MessageFailed {
        /// The record of the failure.
        message_id: MessageId,
        /// The message that has no answer.
        answers: MessageId,
        /// Why, in words.
        why: String,
    }
    /// The owner pointed at a folder.
    WatchAdded {
        /// Number of the folder.
        folder_id: i64,
        /// Its path.
        path: String,
    }
    /// The owner no longer points at a folder.
    WatchRemoved {
        /// Number of the folder.
        folder_id: i64,
        /// Its path.
        path: String,
    }
    /// A watched folder cannot be read.
    WatchFailed {
        /// Number of the folder.
        folder_id: i64,
        /// Its path.
        path: String,
        /// Why, in words.
        why: String,
    }
    /// Timmy saw something in a watched folder.
    Observed {
        /// Number of the folder.
        folder_id: i64,
        /// The folder's name.
        folder: String,
        /// What kind of thing.
        kind: ObservationKind,
        /// One sentence.
        summary: String,
    }
    /// A provider of models answers.
    ProviderUp {
        /// Which provider.
        provider: String,
        /// Models it offers, at most 20.
        models: Vec<String>,
    }
    /// A provider of models no longer answers.
    ProviderDown {
        /// Which provider.
        provider: String,
        /// Why, in words.
        why: String,
    }
    /// A model failed too often and is left alone for a while.
    CircuitOpened {
        /// Of which provider.
        provider: String,
        /// Which model; empty while its name is unknown.
        model: String,
        /// The last reason, in words.
        why: String,
        /// For how many seconds.
        seconds: i64,
    }
    /// A model that was left alone is well again.
    CircuitClosed {
        /// Of which provider.
        provider: String,
        /// Which model; empty while its name is unknown.
        model: String,
    }
    /// A provider has no key or no credit and is held back.
    ProviderHeld {
        /// Which provider.
        provider: String,
        /// Why, in words.
        why: String,
        /// For how many seconds.
        seconds: i64,
    }
    /// The owner switched a provider off or on.
    ProviderSwitched {
        /// Which provider.
        provider: String,
        /// Whether it is switched off now.
        disabled: bool,
    }
    /// The owner had the rests of a provider forgotten.
    CircuitReset {
        /// Which provider.
        provider: String,
    }
    /// The owner took back that the rests of a provider were forgotten.
    CircuitsBack {
        /// Which provider.
        provider: String,
    }
    /// The owner tried a provider out.
    ProviderTested {
        /// Which provider.
        provider: String,
        /// Which model answered; empty when none did.
        model: String,
        /// Why none did, in words; empty when one answered.
        why: String,
        /// How long it took, in milliseconds.
        ms: i64,
    }
    /// The owner put the providers into another order.
    ProvidersOrdered {
        /// The providers in their new order.
        providers: Vec<String>,
    }
    /// The owner keeps everything on this machine for a while, or no longer.
    LocalOnly {
        /// Until when; nothing when it is over by his word.
        until: Option<Timestamp>,
    }
    /// A budget for models is used up.
    BudgetReached {
        /// Which provider was not asked for it.
        provider: String,
        /// Whose budget: `day`, `provider` or `task`.
        budget: String,
    }
    /// Somebody logged in.
    LoginSucceeded {
        /// How: `code` or `password`.
        how: String,
    }
    /// Somebody failed to log in.
    LoginFailed {
        /// How they tried.
        how: String,
        /// Failures in a row so far.
        failures: u64,
    }
    /// A session ended by the owner's wish.
    LoginEnded {
    }
    /// Sessions of browsers were ended from the list of sessions.
    LoginSessionsEnded {
        /// How many.
        sessions_ended: u64,
        /// The public handle of the one that was meant; none when all others were.
        session: Option<String>,
    }
    /// The owner set a password, or another one.
    LoginPasswordSet {
        /// Sessions that ended with it.
        sessions_ended: u64,
    }
    /// The owner took the password away.
    LoginPasswordRemoved {
        /// Sessions that ended with it.
        sessions_ended: u64,
    }
    /// The owner made a token.
    TokenCreated {
        /// Its name.
        name: String,
        /// What it may do.
        scope: String,
    }
    /// The owner withdrew a token.
    TokenRevoked {
        /// Its name.
        name: String,
    }
    /// The owner changed a setting in the configuration file; it takes effect at the next start.
    SettingsChanged {
        /// Section and key with a dot between. The value is in the file and nowhere else.
        key: String,
        /// Whether it was set; otherwise it was taken out and its default holds.
        set: bool,
    }
    /// Files of `mind/` or its history were gone, and were begun anew.
    MindRenewed {
        /// Files that were written anew, relative to `mind/`, at most 20.
        files: Vec<String>,
        /// Whether the history was gone too, and begins anew.
        history: bool,
    }
    /// A file in `mind/` was edited and took effect.
    MindChanged {
        /// Which files, relative to `mind/`, at most 20.
        files: Vec<String>,
    }
    /// Something is to be done.
    TaskCreated {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// What kind of work it is.
        task_type: String,
        /// How soon it is wanted.
        priority: String,
        /// Where it stands.
        status: String,
        /// Which agent is to do it.
        assigned_to: String,
    }
    /// A task may be begun.
    TaskApproved {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The owner does not want it.
    TaskVetoed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The work was stopped for now.
    TaskPaused {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The work goes on.
    TaskResumed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It was stopped for good.
    TaskCancelled {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It is begun again.
    TaskRetried {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It was laid aside.
    TaskBacklogged {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It was taken up again.
    TaskUnbacklogged {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The work waits for the owner's word.
    TaskWaiting {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// What it says was changed.
    TaskModified {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// The fields that changed.
        changed: Vec<String>,
    }
    /// It has another place.
    TaskReordered {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// The priority among whose tasks it stands.
        priority: String,
    }
    /// A worker begins.
    TaskStarted {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Which attempt this is, from 1.
        attempt: u32,
    }
    /// What it came to was sent back.
    TaskSentBack {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// What of it: the name of a thing; `None` is its result.
        artifact: Option<String>,
        /// What the owner said about it, shortened.
        reason: String,
        /// The task that is to do it better.
        again: TaskId,
    }
    /// The owner's word about something a task produced.
    ArtifactRated {
        /// Which task.
        task_id: TaskId,
        /// Which of its things.
        artifact: Seq,
        /// Its name.
        name: String,
        /// Whether it is good.
        good: bool,
    }
    /// What the owner does himself is due.
    TaskDue {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// When it is wanted.
        due: Timestamp,
    }
    /// What it needs is not there.
    TaskPostponed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// What is missing.
        reason: String,
    }
    /// It is done.
    TaskCompleted {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// How often it was begun.
        attempts: u32,
    }
    /// The work did not go well.
    TaskFailed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
        /// When it is tried again; `None` when it is not.
        retry_at: Option<Timestamp>,
    }
    /// Its worker went away.
    TaskRecycled {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// How often it was begun.
        attempts: u32,
    }
    /// Its workers went away each time.
    TaskQuarantined {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// How often it was begun.
        attempts: u32,
    }
    /// What was left of the last run was looked through at the start.
    QueueDrained {
        /// Tasks that were begun again, since their worker went away.
        recycled: u64,
        /// Tasks that were laid aside, since nobody here can do them.
        backlogged: u64,
        /// Tasks that wait for the owner.
        skipped: u64,
        /// Tasks that were set aside, since their worker went away too often.
        failed: u64,
    }
    /// A tool is about to be used.
    ToolCalled {
        /// The tool.
        tool: String,
        /// The hash of what exactly it does.
        plan_hash: Digest,
    }
    /// A tool was used: the receipt.
    ToolCompleted {
        /// The tool.
        tool: String,
        /// The hash of what exactly it did.
        plan_hash: Digest,
        /// Files that were read or changed, as far as they are named.
        files: Vec<String>,
        /// Hosts that were asked.
        hosts: Vec<String>,
        /// Bytes that came in.
        bytes_in: u64,
        /// Bytes that went out.
        bytes_out: u64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// Whether there was more than is told.
        truncated: bool,
        /// Whether the effect was there already, from a run that was cut off.
        was_done: bool,
    }
    /// A tool could not be used, or what it tried did not work.
    ToolFailed {
        /// The tool.
        tool: String,
        /// The hash of what exactly it was to do; `None` when there was no plan.
        plan_hash: Option<Digest>,
        /// What went wrong.
        reason: String,
    }
    /// Something waits for the owner's word.
    ApprovalRequested {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// How risky it is, from 0 to 100.
        risk: u8,
        /// The hash of the plan that a yes would be bound to.
        plan_hash: Option<Digest>,
        /// When the question lapses.
        expires_at: Timestamp,
    }
    /// A rule let something of middling risk run.
    PolicyAllowed {
        /// The tool.
        tool: String,
        /// What exactly, in one line made from the plan.
        title: String,
        /// How risky it is, from 0 to 100.
        risk: u8,
        /// The rule.
        rule_id: RuleId,
        /// The hash of what exactly it does.
        plan_hash: Digest,
        /// The task it belongs to, if any.
        task_id: Option<String>,
    }
    /// Questions came in the quiet hours, which are over now.
    ApprovalGathered {
        /// How many of them still wait.
        count: u64,
    }
    /// The owner said yes.
    ApprovalApproved {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// The owner said no.
    ApprovalRejected {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Nobody answered in time, or a yes was not used in time.
    ApprovalExpired {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Another question took its place.
    ApprovalSuperseded {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Whoever asked no longer wants it.
    ApprovalWithdrawn {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// The yes was used.
    ApprovalConsumed {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// The owner took the yes back.
    ApprovalRevoked {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Something was refused without asking.
    PolicyDenied {
        /// The tool that was to be used.
        tool: String,
        /// The rule that refused it.
        rule: String,
        /// What it found, in words.
        why: String,
        /// The hash of the plan.
        plan_hash: Digest,
    }
    /// The owner turned the strict profile on or off.
    GoldenChanged {
        /// Whether it is on.
        on: bool,
    }
    /// The owner made a rule.
    RuleCreated {
        /// Which rule.
        rule_id: RuleId,
        /// What it allows, in one line.
        title: String,
        /// Who made it, and through which key.
        by: String,
    }
    /// The owner took a rule back.
    RuleRevoked {
        /// Which rule.
        rule_id: RuleId,
        /// What it allowed, in one line.
        title: String,
        /// Who took it back, and through which key.
        by: String,
    }
    /// The owner's answers suggest a rule.
    RuleSuggested {
        /// What it would allow, in one line.
        title: String,
        /// How often the owner said yes to this shape.
        approvals: u64,
        /// Names the shape, so that it is suggested once.
        shape: Digest,
    }
    /// A model was registered.
    ModelRegistered {
        /// Its name.
        name: String,
        /// How it lies on the disk.
        format: String,
        /// Where; empty for a model of an Ollama server.
        path: String,
        /// How it came: `pulled`, `pulled unverified`, `imported`, `registered` or `brought back`.
        how: String,
    }
    /// A model was taken out of the register.
    ModelRemoved {
        /// Its name.
        name: String,
        /// Whether its file was put aside, from where it can come back.
        file_aside: bool,
    }
    /// A model was switched on or off.
    ModelSwitched {
        /// Its name.
        name: String,
        /// Whether it may be asked now.
        active: bool,
    }
    /// An agent got a model of its own, or lost it.
    ModelAssigned {
        /// The agent.
        agent: String,
        /// The model; empty when it has none of its own any more.
        model: String,
    }
    /// A model is being fetched.
    ModelPullStarted {
        /// Its name.
        name: String,
        /// Its bytes.
        bytes: u64,
        /// Bytes of it that were there already.
        bytes_here: u64,
        /// From where.
        host: String,
    }
    /// How far a model has come.
    ModelPullProgress {
        /// Its name.
        name: String,
        /// Bytes that are here.
        bytes_here: u64,
        /// Its bytes.
        bytes: u64,
    }
    /// Fetching a model ended without it.
    ModelPullEnded {
        /// Its name.
        name: String,
        /// Why, in words.
        why: String,
        /// Bytes that are here, from where the next time goes on.
        bytes_here: u64,
    }
}
