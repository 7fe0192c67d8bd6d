//! What every provider behind a wire must do, over real sockets, against servers that misbehave.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod anthropic;
mod circuits;
mod embedding;
mod every;
mod hostile;
mod kept;
mod matrix;
mod ollama;
mod openai;
mod privacy;
mod pull;
mod routes;
mod spoken;
mod stub;
mod unpriced;
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::{Secret, Sensitivity};
use timmy_llm::{
    Anthropic, ApiSettings, Brief, Call, ChatMessage, ChatRequest, Manner, Ollama, OllamaSettings, OpenAi, Part,
    Provider, Role, Sampling, TaskClass,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that should happen at once, in seconds.
const PATIENCE_SECONDS: u64 = 20;
/// The key of the OpenAI-compatible provider.
const KEY: &str = "sk-key-of-a-test";

/// The wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ollama,
    OpenAi,
    Anthropic,
}

const FORMATS: [Format; 3] = [Format::Ollama, Format::OpenAi, Format::Anthropic];

/// The settings of a provider behind an API at `url`.
fn api(kind: &str, url: &str, model: &str) -> ApiSettings {
    let (name, kind, url, model) = ("api".to_owned(), kind.to_owned(), format!("{url}/v1"), model.to_owned());
    ApiSettings { name, kind, url, model, ..ApiSettings::default() }
}

/// The data of a server-sent event.
fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

impl Format {
    /// A provider of this format at `url` that bears `stall_ms` of silence.
    fn provider(self, url: &str, place: &str, stall_ms: u64) -> Arc<dyn Provider> {
        let (stall, place) = (Duration::from_millis(stall_ms), place.to_owned());
        match self {
            Self::Ollama => {
                let place = if place.is_empty() { "auto".to_owned() } else { place };
                let settings =
                    OllamaSettings { url: url.to_owned(), model: "m".into(), place, ..OllamaSettings::default() };
                Arc::new(Ollama::new(&settings).expect("an address").bearing(stall))
            }
            Self::OpenAi => {
                let settings = ApiSettings { place, ..api("openai", url, "m") };
                Arc::new(OpenAi::new(&settings, Secret::new(KEY.into())).expect("an address").bearing(stall))
            }
            Self::Anthropic => {
                let settings = ApiSettings { place, ..api("anthropic", url, "m") };
                Arc::new(Anthropic::new(&settings, Secret::new(KEY.into())).expect("an address").bearing(stall))
            }
        }
    }

    /// A token on the wire.
    fn token(self, text: &str) -> String {
        let text = serde_json::json!(text);
        match self {
            Self::Ollama => format!(
                "{{\"model\":\"m\",\"message\":{{\"role\":\"assistant\",\"content\":{text}}},\"done\":false}}\n"
            ),
            Self::OpenAi => {
                format!("data: {{\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}}}}]}}\n\n")
            }
            // As the real one, each event also has its name on a line of its own.
            Self::Anthropic => format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
                 \"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}\n\n"
            ),
        }
    }

    /// The end on the wire, with 7 tokens read and 3 written.
    fn end(self) -> String {
        match self {
            Self::Ollama => {
                "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\
                 \"prompt_eval_count\":7,\"eval_count\":3}\n"
                    .to_owned()
            }
            Self::OpenAi => "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                 data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n\
                 data: [DONE]\n\n"
                .to_owned(),
            Self::Anthropic => [
                data(&json!({ "type": "content_block_stop", "index": 0 })),
                data(&json!({ "type": "ping" })),
                data(&json!({
                    "type": "message_delta",
                    "delta": { "stop_reason": "end_turn" },
                    "usage": { "input_tokens": 7, "output_tokens": 3 },
                })),
                data(&json!({ "type": "message_stop" })),
            ]
            .concat(),
        }
    }

    /// A tool call `look({"at":"door"})` on the wire whose arguments are cut off after `bytes` by the bound on tokens.
    fn cut_call(self, bytes: usize) -> String {
        let arguments = &r#"{"at":"door"}"#[..bytes];
        match self {
            // This server sends calls whole; what a model cut short is text.
            Self::Ollama => {
                let call = json!({ "function": { "name": "look", "arguments": arguments } });
                let message = json!({ "role": "assistant", "content": "", "tool_calls": [call] });
                format!("{}\n", json!({ "model": "m", "message": message, "done": true, "done_reason": "length" }))
            }
            Self::OpenAi => {
                let piece = |call: Value| data(&json!({ "choices": [{ "delta": { "tool_calls": [call] } }] }));
                [
                    piece(json!({ "index": 0, "id": "c1", "function": { "name": "look", "arguments": "" } })),
                    piece(json!({ "index": 0, "function": { "arguments": arguments } })),
                    data(&json!({ "choices": [{ "delta": {}, "finish_reason": "length" }] })),
                    "data: [DONE]\n\n".to_owned(),
                ]
                .concat()
            }
            Self::Anthropic => {
                let block = json!({ "type": "tool_use", "id": "c1", "name": "look", "input": {} });
                let delta = json!({ "type": "input_json_delta", "partial_json": arguments });
                [
                    data(&json!({ "type": "message_start", "message": { "model": "m" } })),
                    data(&json!({ "type": "content_block_start", "index": 1, "content_block": block })),
                    data(&json!({ "type": "content_block_delta", "index": 1, "delta": delta })),
                    data(&json!({ "type": "message_delta", "delta": { "stop_reason": "max_tokens" } })),
                    data(&json!({ "type": "message_stop" })),
                ]
                .concat()
            }
        }
    }

    /// More of the arguments of a call, or one more call where they come whole.
    fn more_of_a_call(self) -> String {
        match self {
            Self::Ollama => {
                let call = json!({ "function": { "name": "look", "arguments": { "at": "x".repeat(500) } } });
                format!("{}\n", json!({ "message": { "role": "assistant", "tool_calls": [call] }, "done": false }))
            }
            Self::OpenAi => {
                let call = json!({ "index": 0, "function": { "name": "look", "arguments": "x".repeat(500) } });
                data(&json!({ "choices": [{ "delta": { "tool_calls": [call] } }] }))
            }
            Self::Anthropic => {
                let delta = json!({ "type": "input_json_delta", "partial_json": "x".repeat(500) });
                data(&json!({ "type": "content_block_delta", "index": 1, "delta": delta }))
            }
        }
    }

    /// A refusal in the middle of a stream that says `it broke`.
    fn error(self) -> String {
        match self {
            Self::Ollama => "{\"error\":\"it broke\"}\n".to_owned(),
            Self::OpenAi => data(&json!({ "error": { "message": "it broke" } })),
            Self::Anthropic => {
                data(&json!({ "type": "error", "error": { "type": "api_error", "message": "it broke" } }))
            }
        }
    }
}

/// A request of one open message.
fn request(text: &str) -> ChatRequest {
    let part = Part { text: text.to_owned(), sensitivity: Sensitivity::Open, droppable: false };
    ChatRequest {
        messages: vec![ChatMessage {
            role: Role::User,
            parts: vec![part],
            tool_calls: vec![],
            tool_call_id: None,
            images: Vec::new(),
        }],
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: 64,
        temperature: Some(0.5),
        model: None,
        sampling: Sampling::default(),
        brief: Brief::default(),
    }
}

/// A call with `milliseconds` of time.
fn call(milliseconds: u64) -> Call {
    let deadline = Instant::now() + Duration::from_millis(milliseconds);
    Call { cancel: CancellationToken::new(), deadline, first_word_by: None, deltas: None, manner: Manner::default() }
}

/// A call with all the time of a patient test.
fn patient() -> Call {
    call(PATIENCE_SECONDS * 1_000)
}
