//! One English line for each event, as lists and terminals show it.

use super::Event;
use crate::text::{cut, one_line, plural};

/// Characters of quoted text in a sentence.
const QUOTE_CHARS_MAX: usize = 120;

/// Bytes of a mebibyte, in which people read sizes.
const MIB: i64 = 1024 * 1024;

/// A length of time in its largest whole unit.
fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    match seconds {
        0..120 => plural(seconds, "second", "seconds"),
        120..7_200 => plural(seconds / 60, "minute", "minutes"),
        7_200..172_800 => plural(seconds / 3_600, "hour", "hours"),
        _ => plural(seconds / 86_400, "day", "days"),
    }
}

/// How many sessions ended with a change of the password.
fn sessions_ended(count: u64) -> String {
    match count {
        0 => "no other session was open".to_owned(),
        count => format!("{} ended", plural(count, "other session", "other sessions")),
    }
}

fn quote(text: &str) -> String {
    cut(&one_line(text), QUOTE_CHARS_MAX)
}

/// The reason behind a sentence, when one was given.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({})", quote(reason)) }
}

impl Event {
    /// The event in one safe line of plain text.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one table, one arm for each event, which the compiler asks for")]
    pub fn sentence(&self) -> String {
        match self {
            Self::SystemStarted(e) => {
                let sandbox = e.sandbox.as_ref().map(|tier| format!(", sandbox {tier}")).unwrap_or_default();
                format!("Timmy {} started on {}{sandbox}", e.version, e.address)
            }
            Self::SystemStopping(e) => format!("Timmy stops: {}", one_line(&e.reason)),
            Self::SystemCrashed(e) => format!("The last run ended without warning after event {}", e.last_seq),
            Self::StoreChecked(e) => {
                let count = u64::try_from(e.looked_at).unwrap_or(0);
                let (one, many) = if e.check == "chain" { ("event", "events") } else { ("page", "pages") };
                format!("Database check passed: {}, {} in {} ms", e.check, plural(count, one, many), e.duration_ms)
            }
            Self::StoreDamaged(e) => format!("Database damaged ({}): {}", e.check, quote(&e.finding)),
            Self::StorePruned(e) => {
                let count = u64::try_from(e.operator.saturating_add(e.debug)).unwrap_or(0);
                format!("{} between {} and {} left the log", plural(count, "old event", "old events"), e.first, e.last)
            }
            Self::StoreCheckpoint(e) => {
                let count = u64::try_from(e.checkpoints).unwrap_or(0);
                format!("{} up to event {} signed", plural(count, "checkpoint", "checkpoints"), e.upto)
            }
            Self::StoreKeyReplaced(e) => {
                format!(
                    "From event {} on the log is signed with key {}, before with {}",
                    e.since,
                    quote(&e.key),
                    quote(&e.before)
                )
            }
            Self::StoreResumed(e) => format!("Writing goes on after {} on a full disk", span(e.seconds)),
            Self::ClockJumped(e) if e.seconds < 0 => format!("The machine's clock was set back by {}", span(e.seconds)),
            Self::ClockJumped(e) => format!("The machine's clock was set forward by {}", span(e.seconds)),
            Self::BackupMade(e) => format!("Backup made: {}, up to event {}", quote(&e.file), e.last_seq),
            Self::BackupFailed(e) => format!("No backup was made: {}", quote(&e.finding)),
            Self::BackupSkipped(e) => format!(
                "The nightly backup was left out: {} MiB are free, {} MiB should be",
                e.free_bytes / MIB,
                e.needed_bytes / MIB
            ),
            Self::BackupDrilled(e) => format!("Backup checked as a restore would: {} is whole", quote(&e.file)),
            Self::BackupDrillFailed(e) => {
                format!("Backup {} would not restore: {}", quote(&e.file), quote(&e.finding))
            }
            Self::RestoreDone(e) => format!("Restored from {}, up to event {}", quote(&e.file), e.last_seq),
            Self::AreaImported(e) => {
                format!("Brought in {}: {} added, {} the same, {} refused", quote(&e.area), e.added, e.same, e.refused)
            }
            Self::ErrorCaptured(e) => format!("{} failed: {}", e.component, quote(&e.message)),
            Self::ComponentRecovered(e) => format!("{} runs again", e.component),
            Self::ReactorParked(e) => format!("{} put event {} aside: {}", e.reactor, e.event_seq, quote(&e.message)),
            Self::Thought(e) => quote(&e.content),
            Self::ThoughtMissed(e) => format!("No {} thought came: {}", e.seed_type, quote(&e.why)),
            Self::ThoughtStopped(e) => format!("A thought from the {} seed was stopped", e.seed_type),
            Self::ThinkingTask(e) => format!("The task of a thought: {}", quote(&e.act)),
            Self::ThinkingRested(e) => format!("Timmy rests: {}", quote(&e.why)),
            Self::ThinkingPaused(e) => match e.until {
                Some(until) => format!("Thinking paused until {} UTC", &until.to_string()[11..16]),
                None => "Thinking paused".to_owned(),
            },
            Self::ThinkingResumed(_) => "Thinking resumed".to_owned(),
            Self::ThoughtKept(_) => "A thought was kept".to_owned(),
            Self::ThoughtReleased(_) => "A thought is no longer kept".to_owned(),
            Self::ThoughtFewer(e) => {
                format!("{} thoughts now come at {} % of their usual chance", e.seed_type, e.weight_percent)
            }
            Self::MessageReceived(e) => format!("You: {}", quote(&e.content)),
            Self::MessageReplied(e) => format!("Timmy: {}", quote(&e.content)),
            Self::MessageStopped(_) => "An answer was stopped".to_owned(),
            Self::MessageFailed(e) => format!("No answer: {}", quote(&e.why)),
            Self::WatchAdded(e) => format!("Watching {}", quote(&e.path)),
            Self::WatchRemoved(e) => format!("No longer watching {}", quote(&e.path)),
            Self::WatchFailed(e) => format!("Cannot read {}: {}", quote(&e.path), quote(&e.why)),
            Self::Observed(e) => quote(&e.summary),
            Self::ProviderUp(e) if e.models.is_empty() => format!("{} answers", quote(&e.provider)),
            Self::ProviderUp(e) => format!("{} answers with {}", quote(&e.provider), quote(&e.models.join(", "))),
            Self::ProviderDown(e) => format!("{} does not answer: {}", quote(&e.provider), quote(&e.why)),
            Self::CircuitOpened(e) => {
                let which = format!("{} {}", e.provider, e.model);
                format!("{} failed too often and rests for {}: {}", quote(which.trim()), span(e.seconds), quote(&e.why))
            }
            Self::CircuitClosed(e) => {
                let which = format!("{} {}", e.provider, e.model);
                format!("{} is well again", quote(which.trim()))
            }
            Self::ProviderHeld(e) => {
                format!("{} is not asked for {}: {}", quote(&e.provider), span(e.seconds), quote(&e.why))
            }
            Self::ProviderSwitched(e) if e.disabled => format!("{} is switched off", quote(&e.provider)),
            Self::ProviderSwitched(e) => format!("{} is switched on", quote(&e.provider)),
            Self::CircuitReset(e) => format!("{} starts with a clean slate", quote(&e.provider)),
            Self::CircuitsBack(e) => format!("{} rests as before", quote(&e.provider)),
            Self::ProviderTested(e) if e.why.is_empty() => {
                format!("{} was tried out and answered with {} in {} ms", quote(&e.provider), quote(&e.model), e.ms)
            }
            Self::ProviderTested(e) => {
                format!("{} was tried out and did not answer: {}", quote(&e.provider), quote(&e.why))
            }
            Self::ProvidersOrdered(e) => format!("Models are asked in this order: {}", quote(&e.providers.join(", "))),
            Self::LocalOnly(e) => e.until.map_or_else(
                || "What may leave this machine may leave it again".to_owned(),
                |until| format!("Everything stays on this machine until {until}"),
            ),
            Self::BudgetReached(e) if e.budget == "day" => {
                format!("The budget for models of this day is used up; {} is not asked", quote(&e.provider))
            }
            Self::BudgetReached(e) => {
                format!("The budget of the {} is used up; {} is not asked", quote(&e.budget), quote(&e.provider))
            }
            Self::LoginSucceeded(e) => format!("Logged in by {}", quote(&e.how)),
            Self::LoginFailed(e) => format!("Login by {} failed, {} in a row", quote(&e.how), e.failures),
            Self::LoginEnded(_) => "Logged out".to_owned(),
            Self::LoginSessionsEnded(e) => match &e.session {
                Some(session) => format!("Ended the session {} of a browser", quote(session)),
                None => format!("Logged other browsers out; {}", sessions_ended(e.sessions_ended)),
            },
            Self::LoginPasswordSet(e) => format!("Set the password; {}", sessions_ended(e.sessions_ended)),
            Self::LoginPasswordRemoved(e) => format!("Removed the password; {}", sessions_ended(e.sessions_ended)),
            Self::TokenCreated(e) => format!("Token {} created, may {}", quote(&e.name), quote(&e.scope)),
            Self::TokenRevoked(e) => format!("Token {} revoked", quote(&e.name)),
            Self::SettingsChanged(e) if e.set => format!("Setting {} was changed", quote(&e.key)),
            Self::SettingsChanged(e) => format!("Setting {} is as usual again", quote(&e.key)),
            Self::MindRenewed(e) if e.history => "The history of the mind was gone and begins anew".to_owned(),
            Self::MindRenewed(e) => format!("Gone from the mind and written anew: {}", quote(&e.files.join(", "))),
            Self::MindChanged(e) => format!("Mind edited: {}", quote(&e.files.join(", "))),
            Self::TaskCreated(e) => format!("New task: {}", quote(&e.title)),
            Self::TaskApproved(e) => format!("Task approved: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskVetoed(e) => format!("Task vetoed: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskModified(e) => format!("Task changed ({}): {}", e.changed.join(", "), quote(&e.title)),
            Self::TaskPaused(e) => format!("Task paused: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskResumed(e) => format!("Task goes on: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskCancelled(e) => format!("Task cancelled: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskRetried(e) => format!("Task begun again: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskBacklogged(e) => format!("Task laid aside: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskUnbacklogged(e) => format!("Task taken up again: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskReordered(e) => format!("Task moved among the {} ones: {}", e.priority, quote(&e.title)),
            Self::TaskStarted(e) => format!("Task begun: {}", quote(&e.title)),
            Self::TaskWaiting(e) => format!("Task waits for your word: {}{}", quote(&e.title), because(&e.reason)),
            Self::TaskDue(e) => format!("It is time: {}", quote(&e.title)),
            Self::TaskPostponed(e) => format!("Task waits{}: {}", because(&e.reason), quote(&e.title)),
            Self::TaskCompleted(e) => format!("Task done: {}", quote(&e.title)),
            Self::TaskFailed(e) => {
                let then = if e.retry_at.is_some() { ", to be tried again" } else { "" };
                format!("Task failed{then}: {}{}", quote(&e.title), because(&e.reason))
            }
            Self::TaskRecycled(e) => format!("Task begun again, its worker went away: {}", quote(&e.title)),
            Self::TaskQuarantined(e) => {
                format!(
                    "Task set aside after {}: {}",
                    plural(e.attempts.into(), "attempt", "attempts"),
                    quote(&e.title)
                )
            }
            Self::TaskSentBack(e) => match &e.artifact {
                Some(name) => format!("Sent back, {} of {}{}", quote(name), quote(&e.title), because(&e.reason)),
                None => format!("Sent back: {}{}", quote(&e.title), because(&e.reason)),
            },
            Self::ArtifactRated(e) => {
                format!("Found {}: {}", if e.good { "good" } else { "not good" }, quote(&e.name))
            }
            Self::QueueDrained(e) => format!(
                "At the start: {} begun again, {} laid aside, {} waiting for you, {} set aside",
                e.recycled, e.backlogged, e.skipped, e.failed
            ),
            Self::ToolCalled(e) => format!("Uses the tool {}", one_line(&e.tool)),
            Self::ToolCompleted(e) => format!("Used the tool {} in {} ms", one_line(&e.tool), e.duration_ms),
            Self::ToolFailed(e) => format!("The tool {} failed{}", one_line(&e.tool), because(&e.reason)),
            Self::ApprovalRequested(e) => format!("Waits for your word: {} (risk {})", quote(&e.title), e.risk),
            Self::ApprovalApproved(e) => format!("Approved: {}{}", quote(&e.title), because(&e.reason)),
            Self::ApprovalRejected(e) => format!("Rejected: {}{}", quote(&e.title), because(&e.reason)),
            Self::ApprovalExpired(e) => {
                format!("Expired unanswered or unused: {}{}", quote(&e.title), because(&e.reason))
            }
            Self::ApprovalSuperseded(e) => {
                format!("Replaced by another question: {}{}", quote(&e.title), because(&e.reason))
            }
            Self::ApprovalWithdrawn(e) => format!("No longer asked for: {}{}", quote(&e.title), because(&e.reason)),
            Self::ApprovalConsumed(e) => format!("Done with your yes: {}{}", quote(&e.title), because(&e.reason)),
            Self::ApprovalRevoked(e) => format!("The yes was taken back: {}{}", quote(&e.title), because(&e.reason)),
            Self::PolicyAllowed(e) => format!("Let run by your rule (risk {}): {}", e.risk, quote(&e.title)),
            Self::ApprovalGathered(e) => {
                format!("{} in the quiet hours", plural(e.count, "question came", "questions came"))
            }
            Self::PolicyDenied(e) => format!("{} refused by {}: {}", quote(&e.tool), quote(&e.rule), quote(&e.why)),
            Self::GoldenChanged(e) if e.on => "Timmy asks again before anything with an outside effect".to_owned(),
            Self::GoldenChanged(_) => "GOLDEN_TIMMY is off: only risk decides what Timmy asks about".to_owned(),
            Self::RuleCreated(e) => format!("A rule was made: {}", quote(&e.title)),
            Self::RuleRevoked(e) => format!("A rule was taken back: {}", quote(&e.title)),
            Self::RuleSuggested(e) => {
                format!("A rule is suggested after {}: {}", plural(e.approvals, "yes", "times yes"), quote(&e.title))
            }
            Self::ModelRegistered(e) => format!("The model {} was {}", quote(&e.name), quote(&e.how)),
            Self::ModelRemoved(e) => format!("The model {} was removed", quote(&e.name)),
            Self::ModelSwitched(e) if e.active => format!("The model {} may be asked again", quote(&e.name)),
            Self::ModelSwitched(e) => format!("The model {} is not asked any more", quote(&e.name)),
            Self::ModelAssigned(e) if e.model.is_empty() => format!("{} has no model of its own now", quote(&e.agent)),
            Self::ModelAssigned(e) => format!("{} works with the model {} now", quote(&e.agent), quote(&e.model)),
            Self::ModelPullStarted(e) => {
                format!("The model {} is being fetched from {}", quote(&e.name), quote(&e.host))
            }
            Self::ModelPullProgress(e) if e.bytes == 0 => format!("The model {} comes", quote(&e.name)),
            Self::ModelPullProgress(e) => {
                format!("The model {} is {} % here", quote(&e.name), e.bytes_here.saturating_mul(100) / e.bytes.max(1))
            }
            Self::ModelPullEnded(e) => format!("Fetching the model {} ended: {}", quote(&e.name), quote(&e.why)),
            Self::ModelSpeedMeasured(e) => format!(
                "This machine reads {} MB a second from memory and {} MB from its disk",
                e.memory_read_bytes_per_second / 1_000_000,
                e.disk_read_bytes_per_second / 1_000_000
            ),
            Self::Unknown { name, .. } => format!("{} (this version does not know the event)", quote(name)),
        }
    }
}
