//! One English line for each event, as lists and terminals show it.

use super::Event;
use crate::text::{cut, one_line, plural};

/// Characters of quoted text in a sentence.
const QUOTE_CHARS_MAX: usize = 120;

fn quote(text: &str) -> String {
    cut(&one_line(text), QUOTE_CHARS_MAX)
}

impl Event {
    /// The event in one safe line of plain text.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::SystemStarted(e) => format!("Timmy {} started on {}", e.version, e.address),
            Self::SystemStopping(e) => format!("Timmy stops: {}", one_line(&e.reason)),
            Self::SystemCrashed(e) => format!("The last run ended without warning after event {}", e.last_seq),
            Self::StoreChecked(e) => {
                let count = u64::try_from(e.looked_at).unwrap_or(0);
                let (one, many) = if e.check == "chain" { ("event", "events") } else { ("page", "pages") };
                format!("Database check passed: {}, {} in {} ms", e.check, plural(count, one, many), e.duration_ms)
            }
            Self::StoreDamaged(e) => format!("Database damaged ({}): {}", e.check, quote(&e.finding)),
            Self::ErrorCaptured(e) => format!("{} failed: {}", e.component, quote(&e.message)),
            Self::ComponentRecovered(e) => format!("{} runs again", e.component),
            Self::ReactorParked(e) => format!("{} put event {} aside: {}", e.reactor, e.event_seq, quote(&e.message)),
            Self::Thought(e) => quote(&e.content),
            Self::ThoughtMissed(e) => format!("No {} thought came: {}", e.seed_type, quote(&e.why)),
            Self::ThoughtStopped(e) => format!("A thought from the {} seed was stopped", e.seed_type),
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
            Self::LoginSucceeded(e) => format!("Logged in by {}", quote(&e.how)),
            Self::LoginFailed(e) => format!("Login by {} failed, {} in a row", quote(&e.how), e.failures),
            Self::LoginEnded(_) => "Logged out".to_owned(),
            Self::TokenCreated(e) => format!("Token {} created, may {}", quote(&e.name), quote(&e.scope)),
            Self::TokenRevoked(e) => format!("Token {} revoked", quote(&e.name)),
            Self::MindChanged(e) => format!("Mind edited: {}", quote(&e.files.join(", "))),
            Self::Unknown { name, .. } => format!("{} (this version does not know the event)", quote(name)),
        }
    }
}
