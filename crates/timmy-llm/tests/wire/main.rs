//! What every provider behind a wire must do, over real sockets, against servers that misbehave.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod every;
mod ollama;
mod openai;
mod privacy;
mod stub;

use std::sync::Arc;
use std::time::Duration;

use timmy_domain::{Secret, Sensitivity};
use timmy_llm::{
    Brief, Call, ChatMessage, ChatRequest, Ollama, OllamaSettings, OpenAi, OpenAiSettings, Part, Provider, Role,
    TaskClass,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that should happen at once, in seconds.
const PATIENCE_SECONDS: u64 = 20;
/// The key of the OpenAI-compatible provider.
const KEY: &str = "sk-key-of-a-test";

/// The two wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ollama,
    OpenAi,
}

const FORMATS: [Format; 2] = [Format::Ollama, Format::OpenAi];

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
                let settings =
                    OpenAiSettings { name: "api".into(), url: format!("{url}/v1"), model: "m".into(), place };
                Arc::new(OpenAi::new(&settings, Secret::new(KEY.into())).expect("an address").bearing(stall))
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
        }
    }
}

/// A request of one open message.
fn request(text: &str) -> ChatRequest {
    let part = Part { text: text.to_owned(), sensitivity: Sensitivity::Open, droppable: false };
    ChatRequest {
        messages: vec![ChatMessage { role: Role::User, parts: vec![part], tool_calls: vec![], tool_call_id: None }],
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: 64,
        temperature: Some(0.5),
        model: None,
        brief: Brief::default(),
    }
}

/// A call with `milliseconds` of time.
fn call(milliseconds: u64) -> Call {
    let deadline = Instant::now() + Duration::from_millis(milliseconds);
    Call { cancel: CancellationToken::new(), deadline, first_word_by: None, deltas: None }
}

/// A call with all the time of a patient test.
fn patient() -> Call {
    call(PATIENCE_SECONDS * 1_000)
}
