//! Thoughts, the conversation, events, and the models.

use utoipa::ToSchema;

use crate::openapi::words::{Id, MessageState, Moment, Place, Position, Seed, Severity, Voice};

/// One thought.
#[derive(ToSchema)]
pub struct Thought {
    /// Its id.
    id: Id,
    /// The text.
    #[schema(max_length = 2000)]
    content: String,
    /// What it grew from.
    seed_type: Seed,
    /// What exactly the seed was.
    seed_note: String,
    /// The thought before it.
    #[schema(required)]
    parent_id: Option<Id>,
    /// When it was stored.
    created_at: Moment,
    /// Who made it; `owner` for the owner's own.
    provider: String,
    /// Which model; empty when none was used.
    model: String,
    /// Where it was made.
    place: Place,
    /// How long it took, in milliseconds.
    duration_ms: i64,
    /// Tokens read and written, as far as the provider told.
    tokens: i64,
    /// Whether the owner kept it.
    kept: bool,
    /// Whether the owner asked for fewer like it.
    fewer: bool,
    /// The event that reported it.
    seq: Position,
}

/// The thought in the making was given up.
#[derive(ToSchema)]
pub struct Stopped {
    /// `true`.
    stopped: bool,
}

/// Whether thinking is paused.
#[derive(ToSchema)]
pub struct Paused {
    /// Whether it is.
    paused: bool,
    /// Until when; `null` when only the owner ends it, or when there is no pause.
    #[schema(required)]
    until: Option<Moment>,
}

/// An answer of the conversation.
#[derive(ToSchema)]
pub struct Reply {
    /// The words.
    reply: String,
    /// Who answered.
    provider: String,
    /// Which model; empty for reflex.
    model: String,
    /// Where the answer was made.
    #[schema(required)]
    place: Option<Place>,
    /// How long it took, in milliseconds.
    duration_ms: i64,
    /// Its id.
    message_id: Id,
    /// The message it answers.
    #[schema(required)]
    answers: Option<Id>,
}

/// One message of the conversation.
#[derive(ToSchema)]
pub struct Message {
    /// Its id.
    id: Id,
    /// Who speaks.
    speaker: Voice,
    /// The text; of a failure, the reason in the words of the house.
    content: String,
    /// What became of it.
    status: MessageState,
    /// The message it answers.
    #[schema(required)]
    answers: Option<Id>,
    /// The thought it replies to.
    #[schema(required)]
    about_thought: Option<Id>,
    /// Through which door it came.
    #[schema(examples("api"))]
    channel: String,
    /// When it was stored.
    created_at: Moment,
    /// Who answered; empty for the owner's words.
    provider: String,
    /// Which model; empty when none did.
    model: String,
    /// Where the answer was made; `null` for the owner's words and for a failure.
    #[schema(required)]
    place: Option<Place>,
    /// How long it took, in milliseconds.
    duration_ms: i64,
    /// Tokens read and written, as far as the provider told.
    tokens: i64,
}

/// One event: the envelope of the live feed.
#[derive(ToSchema)]
pub struct Event {
    /// The version of the envelope.
    #[schema(minimum = 1, maximum = 1)]
    v: u64,
    /// Its position.
    seq: Position,
    /// Its dotted name; docs/events.md lists them.
    #[schema(examples("timmy.thought"))]
    event: String,
    /// What it carries; `null` when that cannot be read.
    data: serde_json::Value,
    /// When it was written.
    timestamp: Moment,
    /// Its id.
    id: String,
    /// Which part of the house said so.
    source: String,
    /// Who did it.
    #[schema(examples("owner"))]
    actor: String,
    /// The event that led here.
    #[schema(required)]
    cause: Option<Position>,
    /// The task it belongs to.
    #[schema(required)]
    task_id: Option<String>,
    /// The agent it belongs to.
    #[schema(required)]
    agent_id: Option<String>,
    /// How bad it is.
    severity: Severity,
    /// What led here, oldest first; with `chain=true` only.
    #[schema(no_recursion)]
    causes: Option<Vec<Event>>,
    /// The position up to which older causes were removed from the log; with `chain=true` only.
    causes_begin_after: Option<Position>,
    /// What it led to; with `chain=true` only.
    #[schema(no_recursion)]
    effects: Option<Vec<Event>>,
}

/// The providers of models, in the order in which they are asked.
#[derive(ToSchema)]
pub struct Providers {
    /// The providers.
    items: Vec<Provider>,
    /// Always `null`: the list is whole.
    #[schema(required)]
    next: Option<Position>,
}

/// What is known of one model.
#[derive(ToSchema)]
pub struct KnownModel {
    /// Its name; empty while unknown.
    model: String,
    /// How its circuit stands.
    #[schema(pattern = "^(closed|open|half_open)$")]
    state: String,
    /// What is left of its rest, in milliseconds.
    opens_in_ms: u64,
    /// Failures in a row.
    failures_in_a_row: u32,
    /// Answers.
    answers: u64,
    /// Failures.
    failures: u64,
    /// How long a whole answer takes, in milliseconds; `null` before the first.
    #[schema(required)]
    answer_ms: Option<u64>,
    /// Time to the first word, by the length of the prompt.
    first_token: Vec<FirstToken>,
    /// Time to the first word of a cold model, in milliseconds; `null` while unknown.
    #[schema(required)]
    cold_start_ms: Option<f64>,
    /// Tokens written each second; `null` while unknown.
    #[schema(required)]
    tokens_per_second: Option<f64>,
}

/// Time to the first word for prompts of one length.
#[derive(ToSchema)]
pub struct FirstToken {
    /// Tokens the prompt has at most; `null` for any.
    #[schema(required)]
    prompt_tokens_max: Option<u64>,
    /// How long it usually takes, in milliseconds.
    first_token_ms: f64,
    /// Answers that were measured.
    count: u64,
}

/// Somebody who can answer.
#[derive(ToSchema)]
pub struct Provider {
    /// Its name in `[cascade] providers`.
    name: String,
    /// What it speaks.
    #[schema(examples("ollama"))]
    kind: String,
    /// Where its answers are made.
    place: Place,
    /// `up`, `down`, or `unknown` when it was not asked yet.
    #[schema(pattern = "^(unknown|up|down)$")]
    status: String,
    /// `closed`: it is asked. `open`: it failed too often, or is held back. `half_open`: one call tries it out.
    #[schema(pattern = "^(closed|open|half_open)$")]
    circuit_state: String,
    /// Whether the owner lets it be asked.
    enabled: bool,
    /// Why it is held back, such as a key that it does not accept; empty otherwise.
    held: String,
    /// For how long, in milliseconds.
    held_ms: u64,
    /// What is known of each of its models.
    circuits: Vec<KnownModel>,
    /// Why it is down; empty otherwise.
    why: String,
    /// What the owner can do about it; empty otherwise.
    hint: String,
    /// The models it offers.
    models: Vec<String>,
    /// The model it would use now; empty while unknown.
    model: String,
    /// Its version, of the engine what runs its models; empty while unknown.
    version: String,
    /// How often it was asked.
    calls: u64,
    /// How often it gave no answer.
    failures: u64,
    /// Why the last call failed; empty when it did not.
    last_failure: String,
    /// How long ago it was asked, in milliseconds; `null` when it never was.
    #[schema(required)]
    last_used_ms: Option<u64>,
}

/// An answer of a model.
#[derive(ToSchema)]
pub struct Completed {
    /// The words.
    content: String,
    /// Who answered.
    provider: String,
    /// Which model.
    model: String,
    /// Where.
    place: Place,
    /// How long it took, in milliseconds.
    latency_ms: u64,
    /// Who was asked before and gave no answer.
    attempts: Vec<Attempt>,
}

/// Somebody who was asked and gave no answer.
#[derive(ToSchema)]
pub struct Attempt {
    /// Who.
    provider: String,
    /// Which model; empty while unknown.
    model: String,
    /// Why, in one word.
    reason: String,
    /// Why.
    why: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
}
