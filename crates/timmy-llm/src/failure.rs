//! Why no answer came: a closed list of reasons, each with words and one thing the owner can do.

use std::fmt;
use std::time::Duration;

use timmy_domain::Timestamp;

/// How [`Failure::Unreachable`] begins when nobody listens at the address.
pub(crate) const NOBODY_LISTENS: &str = "nobody listens at";

/// The stage at which time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reaching the server.
    Connect,
    /// Waiting for the first token.
    FirstToken,
    /// Waiting for the next token.
    Stall,
    /// The whole answer.
    Total,
}

/// Why a provider gave no answer. Shown, it is a clause that can stand after "ollama: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody answers at the address.
    #[error("{what}")]
    Unreachable {
        /// What happened, with the address.
        what: String,
    },
    /// Time ran out.
    #[error("{stage}")]
    Timeout {
        /// Where.
        stage: Stage,
    },
    /// The provider wants fewer requests.
    #[error("it takes no more requests for now{}", after(*retry_after))]
    RateLimited {
        /// When it takes the next one, as far as it told.
        retry_after: Option<Duration>,
    },
    /// The provider does not accept the key.
    #[error("it does not accept the key")]
    Auth,
    /// The account has no credit, or has used up what it allows itself.
    #[error("the account has no credit left{}", again(*until))]
    Billing {
        /// When it has some again, as far as the provider told.
        until: Option<Timestamp>,
    },
    /// The request is longer than the model can read.
    #[error("the request is longer than the model can read")]
    ContextLength,
    /// The provider refuses the content.
    #[error("it refuses to answer this by its content policy")]
    ContentPolicy,
    /// The provider does not understand the request.
    #[error("it refused the request with status {status}{}", reason(detail))]
    BadRequest {
        /// The HTTP status.
        status: u16,
        /// The provider's words, cleaned and cut; may be empty.
        detail: String,
    },
    /// The provider failed and said nothing more.
    #[error("it failed with status {status}")]
    ServerError {
        /// The HTTP status.
        status: u16,
    },
    /// The provider failed and said why.
    #[error("it failed: {detail}")]
    ServerFault {
        /// The provider's words, cleaned and cut.
        detail: String,
    },
    /// The answer is not what the protocol promises.
    #[error("{what}")]
    Malformed {
        /// What is wrong with it.
        what: String,
    },
    /// The answer is over a bound.
    #[error("the answer was broken off: {what}")]
    TooLarge {
        /// Which bound.
        what: String,
    },
    /// The provider is there and has no model to answer with.
    #[error("it has no model to answer with (asked for {model})")]
    NoModel {
        /// The model that was asked for.
        model: String,
        /// How to get one.
        hint: String,
    },
    /// The request must not travel to this provider.
    #[error("not asked, because {what}")]
    Privacy {
        /// What must stay.
        what: String,
    },
    /// Reflex has nothing new to say.
    #[error("nothing has changed that could be told")]
    NothingToSay,
    /// The provider cannot do what was asked.
    #[error("it cannot do this: {what}")]
    Unsupported {
        /// What it cannot do.
        what: String,
    },
    /// What would do it is an optional part that this program was built without.
    #[error("{what}")]
    NotBuiltIn {
        /// What is missing.
        what: String,
        /// How to get it, or to do without.
        hint: String,
    },
    /// It had to call a tool and called none.
    #[error("it called no tool, although it had to")]
    ToolNotCalled,
    /// It is not asked for a while, because it failed before or because the owner said so.
    #[error("not asked, because {what}")]
    Resting {
        /// Why, and until when.
        what: String,
    },
    /// It costs more than may be spent.
    #[error("not asked, because {what}")]
    Budget {
        /// Which budget is used up.
        what: String,
    },
    /// What it costs is not known, so that no budget could hold it.
    #[error("not asked, because {model} has no price, so that no budget could hold it")]
    NoPrice {
        /// The provider and its model; `*` while that is unknown.
        model: String,
    },
    /// Its answer cost more than was set aside for it, and no budget has more.
    #[error("the answer was broken off, because {what}")]
    SpentUp {
        /// Which budget is used up.
        what: String,
    },
    /// Another provider had its first word earlier.
    #[error("another one was faster")]
    Outrun,
    /// The caller gave the call up.
    #[error("stopped")]
    Cancelled,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "it could not be reached in time",
            Self::FirstToken => "no first word came in time",
            Self::Stall => "it fell silent in the middle of the answer",
            Self::Total => "the answer was not finished in time",
        })
    }
}

fn after(wait: Option<Duration>) -> String {
    wait.map(|w| format!(", the next one in {} s", w.as_secs_f64().ceil())).unwrap_or_default()
}

fn again(until: Option<Timestamp>) -> String {
    until.map(|at| format!(" until {at}")).unwrap_or_default()
}

fn reason(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

impl Failure {
    /// Whether it shows that nobody is there, and not only that whoever is there fails.
    #[must_use]
    pub fn is_nobody_there(&self) -> bool {
        match self {
            Self::Timeout { stage: Stage::Connect } => true,
            Self::Unreachable { what } => what.starts_with(NOBODY_LISTENS),
            _ => false,
        }
    }

    /// The reason in one word of a closed list, for counting.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { stage: Stage::Connect } => "timeout_connect",
            Self::Timeout { stage: Stage::FirstToken } => "timeout_first_token",
            Self::Timeout { stage: Stage::Stall } => "timeout_stall",
            Self::Timeout { stage: Stage::Total } => "timeout_total",
            Self::RateLimited { .. } => "rate_limited",
            Self::Auth => "auth",
            Self::Billing { .. } => "billing",
            Self::ContextLength => "context_length",
            Self::ContentPolicy => "content_policy",
            Self::BadRequest { .. } => "bad_request",
            Self::ServerError { .. } => "server_error",
            Self::ServerFault { .. } => "server_fault",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::NoModel { .. } => "no_model",
            Self::Privacy { .. } => "privacy",
            Self::NothingToSay => "nothing_to_say",
            Self::Unsupported { .. } => "unsupported",
            Self::NotBuiltIn { .. } => "not_built_in",
            Self::ToolNotCalled => "tool_not_called",
            Self::Resting { .. } => "resting",
            Self::Budget { .. } => "budget",
            Self::NoPrice { .. } => "no_price",
            Self::SpentUp { .. } => "spent_up",
            Self::Outrun => "outrun",
            Self::Cancelled => "cancelled",
        }
    }

    /// The model whose price is missing, when it was not asked for that.
    #[must_use]
    pub fn unpriced(self) -> Option<String> {
        match self {
            Self::NoPrice { model } => Some(model),
            _ => None,
        }
    }

    /// What the owner can do, in one sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        let words = match self {
            Self::Unreachable { .. } => "Start the model server, or correct its url in timmy.toml.",
            Self::Timeout { stage: Stage::Connect } => "Check the network and the url in timmy.toml.",
            Self::Timeout { .. } => "Use a smaller model, or allow more time with deadline_seconds in timmy.toml.",
            Self::RateLimited { .. } => "Wait a little, or add another provider.",
            Self::Auth => "Correct api_key in secrets.toml.",
            Self::Billing { .. } => "Add credit to the account, or use another provider.",
            Self::ContextLength => "Ask with less text, or raise num_ctx in timmy.toml.",
            Self::ContentPolicy => "Ask a model on this machine.",
            Self::BadRequest { .. } => "Check url and model of the provider in timmy.toml.",
            Self::ServerError { .. } | Self::ServerFault { .. } => "Look into the log of the model server.",
            Self::Malformed { .. } => "Check that the url in timmy.toml leads to a model server of this kind.",
            Self::TooLarge { .. } => "Ask for a shorter answer.",
            Self::NoModel { hint, .. } | Self::NotBuiltIn { hint, .. } => hint,
            Self::Privacy { .. } => "Start a model on this machine; [privacy] in timmy.toml says what may leave it.",
            Self::NothingToSay => "Nothing needs to be done.",
            Self::Unsupported { .. } => "Use another model.",
            Self::ToolNotCalled => "Use a model that calls tools more reliably.",
            Self::Resting { .. } => {
                "Wait a little, or bring it back: timmy router reset NAME, or timmy router enable NAME when it was switched off."
            }
            Self::NoPrice { model } => {
                return format!(
                    "Add its price to [cascade] prices in timmy.toml, such as \"{model} 0.15 0.60\": dollars for a million tokens read and written, \"{model} 0 0\" when it costs nothing."
                );
            }
            Self::Budget { .. } | Self::SpentUp { .. } => {
                "Use a model on this machine, or raise the budgets in [cascade] of timmy.toml."
            }
            Self::Outrun => "Nothing needs to be done.",
            Self::Cancelled => "Ask again.",
        };
        words.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_a_clause_with_a_hint_that_is_a_sentence() {
        let what = || "x".to_owned();
        let stages = [Stage::Connect, Stage::FirstToken, Stage::Stall, Stage::Total];
        let mut all: Vec<Failure> = stages.map(|stage| Failure::Timeout { stage }).into();
        all.extend([
            Failure::Unreachable { what: what() },
            Failure::RateLimited { retry_after: None },
            Failure::Auth,
            Failure::Billing { until: None },
            Failure::Billing { until: Some(Timestamp::EPOCH) },
            Failure::ContextLength,
            Failure::ContentPolicy,
            Failure::BadRequest { status: 400, detail: String::new() },
            Failure::ServerError { status: 500 },
            Failure::ServerFault { detail: what() },
            Failure::Malformed { what: what() },
            Failure::TooLarge { what: what() },
            Failure::NoModel { model: what(), hint: "Run it.".to_owned() },
            Failure::Privacy { what: what() },
            Failure::NothingToSay,
            Failure::Unsupported { what: what() },
            Failure::NotBuiltIn { what: what(), hint: "Build it.".to_owned() },
            Failure::ToolNotCalled,
            Failure::Resting { what: what() },
            Failure::Budget { what: what() },
            Failure::SpentUp { what: what() },
            Failure::Outrun,
            Failure::Cancelled,
        ]);
        for failure in all {
            let (words, hint) = (failure.to_string(), failure.hint());
            assert!(words.starts_with(char::is_lowercase) && !words.ends_with(['.', ':']), "{words:?}");
            assert!(hint.starts_with(char::is_uppercase) && hint.ends_with('.'), "{hint:?}");
        }
    }
}
