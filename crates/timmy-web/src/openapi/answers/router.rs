//! The router.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::mind::Provider;
use crate::openapi::words::{Moment, Place, Position};

pub use super::mind::Provider as RouterProvider;

/// How the router is.
#[derive(ToSchema)]
pub struct RouterStatus {
    /// Whether a language model answered when it was last asked.
    has_model: bool,
    /// Whether nobody on another machine is ever asked.
    offline: bool,
    /// For how long everything still stays here, in milliseconds; `null` when it does not.
    #[schema(required)]
    local_only_ms: Option<u64>,
    /// What the calls of today cost, in millionths of a dollar.
    spent_today_micros: u64,
    /// The providers in the order in which they are asked.
    providers: Vec<Provider>,
    /// The last calls, newest first, at most 50.
    recent: Vec<RecentCall>,
}

/// One call and its path.
#[derive(ToSchema)]
pub struct RecentCall {
    /// How long ago it ended, in milliseconds.
    ago_ms: u64,
    /// What it was for.
    purpose: String,
    /// What kind of work.
    task_class: String,
    /// Whether any of it had to stay here.
    local_only: bool,
    /// Whether the answer was given before and kept.
    cached: bool,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// What it cost, in millionths of a dollar.
    cost_micros: u64,
    /// Who was asked, in order.
    path: Vec<RecentStep>,
}

/// A provider as it would be asked, or passed by.
#[derive(ToSchema)]
pub struct WouldBeAsked {
    /// Its name.
    provider: String,
    /// Which model; empty while unknown.
    model: String,
    /// Where it runs.
    place: Place,
    /// Whether it would be asked.
    asked: bool,
    /// Why not, in one word; empty when it would.
    reason: String,
    /// Why not, in words; empty when it would.
    why: String,
}

/// How the trial of a provider went.
#[derive(ToSchema)]
pub struct ProviderTrial {
    /// Its name.
    provider: String,
    /// Whether an answer came.
    answered: bool,
    /// Of which model; empty when none did.
    model: String,
    /// Why none came, in one word; empty when one did.
    reason: String,
    /// Why none came, in words; empty when one did.
    why: String,
    /// What the owner can do; may be empty.
    hint: String,
    /// When its first word came, in milliseconds; `null` when none did.
    #[schema(required)]
    first_token_ms: Option<u64>,
    /// How long all of it took, in milliseconds.
    duration_ms: u64,
}

/// One step of a path.
#[derive(ToSchema)]
pub struct RecentStep {
    /// Who.
    provider: String,
    /// Which model; empty while unknown.
    model: String,
    /// `answered`, `kept`, or why not, in one word.
    outcome: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
}

/// What a provider was asked for and gave since the start.
#[derive(ToSchema)]
pub struct ProviderMetrics {
    /// Its name.
    name: String,
    /// Calls in flight.
    busy: u64,
    /// Calls with an answer.
    answers: u64,
    /// Calls without one, by reason.
    failures: BTreeMap<String, u64>,
    /// Tokens read.
    prompt_tokens: u64,
    /// Tokens written.
    completion_tokens: u64,
    /// First words that came.
    first_words: u64,
    /// How long they took together, in seconds.
    first_word_seconds: f64,
    /// Calls.
    calls: u64,
    /// How long they took together, in seconds.
    call_seconds: f64,
}

/// What the router goes by.
#[derive(ToSchema)]
pub struct RouterConfig {
    /// The providers in the order in which they are asked.
    providers: Vec<String>,
    /// Failures in a row that open a circuit.
    circuit_breaker_threshold: u32,
    /// After how many milliseconds a second provider is asked as well; 0 for never.
    hedge_ms: u64,
    /// Whether nobody on another machine is ever asked.
    offline: bool,
    /// Answers that are kept.
    cache_entries: u64,
    /// What may be spent in one day, in millionths of a dollar; `null` for no bound.
    #[schema(required)]
    budget_day_micros: Option<u64>,
    /// For one task.
    #[schema(required)]
    budget_task_micros: Option<u64>,
    /// On one provider in one day.
    #[schema(required)]
    budget_provider_micros: Option<u64>,
    /// Whether calls are recorded.
    recording: bool,
}

/// A line of the ledger of what left.
#[derive(ToSchema)]
pub struct EgressLine {
    /// Its number.
    id: Position,
    /// When.
    at: Moment,
    /// To which provider.
    provider: String,
    /// For which model; empty when the provider chose.
    model: String,
    /// To which host.
    host: String,
    /// What for.
    why: String,
    /// For which task; empty for none.
    task_id: String,
    /// Bytes of text and pictures.
    bytes: u64,
    /// What it cost, in millionths of a dollar; what is reserved while it is open.
    cost_micros: u64,
    /// `open`, `answered` or `failed`.
    #[schema(pattern = "^(open|answered|failed)$")]
    state: String,
}

/// Until when everything stays here.
#[derive(ToSchema)]
pub struct LocalUntil {
    /// Until when; `null` when it is over.
    #[schema(required)]
    until: Option<Moment>,
}
