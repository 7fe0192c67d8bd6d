//! Answers of the gateway, as OpenAI's API has them.

use utoipa::ToSchema;

/// The models there are.
#[derive(ToSchema)]
pub struct GatewayModels {
    /// `list`.
    object: String,
    /// The models.
    data: Vec<GatewayModel>,
}

/// A model, by the name under which it is asked for.
#[derive(ToSchema)]
pub struct GatewayModel {
    /// `provider/model`, or `auto`.
    id: String,
    /// `model`.
    object: String,
    /// When this run of Timmy began, in seconds since the epoch.
    created: i64,
    /// The provider.
    owned_by: String,
}

/// Tokens.
#[derive(ToSchema)]
pub struct GatewayUsage {
    /// Read.
    prompt_tokens: u64,
    /// Written.
    completion_tokens: u64,
    /// Both.
    total_tokens: u64,
}

/// An answer in a conversation.
#[derive(ToSchema)]
pub struct GatewayAnswer {
    /// Its id.
    id: String,
    /// `chat.completion`.
    object: String,
    /// When it was made, in seconds since the epoch.
    created: i64,
    /// Who made it: `provider/model`.
    model: String,
    /// The answer; always one.
    choices: Vec<GatewayChoice>,
    /// What it took.
    usage: GatewayUsage,
}

/// One answer.
#[derive(ToSchema)]
pub struct GatewayChoice {
    /// 0.
    index: u64,
    /// The message.
    message: GatewayReply,
    /// Nothing.
    #[schema(required)]
    logprobs: Option<String>,
    /// `stop`, `length` or `tool_calls`.
    finish_reason: String,
}

/// The message of an answer.
#[derive(ToSchema)]
pub struct GatewayReply {
    /// `assistant`.
    role: String,
    /// The words; `null` when there are only calls.
    #[schema(required)]
    content: Option<String>,
    /// Nothing.
    #[schema(required)]
    refusal: Option<String>,
    /// Tools to call.
    tool_calls: Option<Vec<GatewayCall>>,
}

/// A tool to call.
#[derive(ToSchema)]
pub struct GatewayCall {
    /// Tells it from others.
    id: String,
    /// `function`.
    r#type: String,
    /// Which, with what.
    function: GatewayCalled,
}

/// Which tool, with what.
#[derive(ToSchema)]
pub struct GatewayCalled {
    /// The tool.
    name: String,
    /// Its arguments, a JSON text.
    arguments: String,
}

/// The continuation of a text.
#[derive(ToSchema)]
pub struct GatewayContinuation {
    /// Its id.
    id: String,
    /// `text_completion`.
    object: String,
    /// When it was made, in seconds since the epoch.
    created: i64,
    /// Who made it: `provider/model`.
    model: String,
    /// The text; always one.
    choices: Vec<GatewayTextChoice>,
    /// What it took.
    usage: GatewayUsage,
}

/// One continuation.
#[derive(ToSchema)]
pub struct GatewayTextChoice {
    /// 0.
    index: u64,
    /// The words.
    text: String,
    /// Nothing.
    #[schema(required)]
    logprobs: Option<String>,
    /// `stop` or `length`.
    finish_reason: String,
}

/// Vectors.
#[derive(ToSchema)]
pub struct GatewayVectors {
    /// `list`.
    object: String,
    /// One for each text, in order.
    data: Vec<GatewayVector>,
    /// Who made them: `provider/model`.
    model: String,
    /// What it took.
    usage: GatewayReading,
}

/// One vector.
#[derive(ToSchema)]
pub struct GatewayVector {
    /// `embedding`.
    object: String,
    /// Of which text.
    index: u64,
    /// The numbers, or their bytes in base64.
    #[schema(value_type = Object)]
    embedding: serde_json::Value,
}

/// Tokens that were read.
#[derive(ToSchema)]
pub struct GatewayReading {
    /// Read.
    prompt_tokens: u64,
    /// The same.
    total_tokens: u64,
}
