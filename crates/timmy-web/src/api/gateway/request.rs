//! What is asked of the gateway, and the request it becomes.

use serde::Deserialize;
use serde_json::Value;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::{
    AnswerFormat, Brief, ChatMessage, ChatRequest, Part, Role, STOPS_MAX, Sampling, TaskClass, ToolChoice, ToolSpec,
};
use utoipa::ToSchema;

use super::AUTO;
use super::said::{Said, messages};
use crate::web::Web;

/// Tokens an answer may have at most.
pub const ANSWER_TOKENS_MAX: u32 = 131_072;
/// Characters of a model's name.
const MODEL_CHARS_MAX: usize = 200;
/// Tools one call may offer.
const TOOLS_MAX: usize = 128;
/// Bytes of a schema for the answer.
const SCHEMA_BYTES_MAX: usize = 128 * 1024;

/// A call of `/v1/chat/completions`. Fields of OpenAI's API that are not named here are read over.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayChat, examples(json!({"model": "auto", "messages": [{"role": "user", "content": "Good morning"}]})))]
pub struct ChatWanted {
    /// A model, `provider/model`, or `auto`.
    #[schema(max_length = 200)]
    model: Option<String>,
    /// The conversation.
    #[schema(min_items = 1, max_items = 1000)]
    messages: Vec<Said>,
    /// Tools the model may call.
    #[schema(max_items = 128)]
    tools: Option<Vec<Tool>>,
    /// `none`, `auto`, `required`, or which one.
    #[schema(value_type = Option<Object>)]
    tool_choice: Option<Value>,
    /// `text`, `json_object`, or `json_schema` with its schema.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// How it is made.
    #[serde(flatten)]
    how: How,
}

/// A call of `/v1/completions`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayText, examples(json!({"model": "auto", "prompt": "Once upon a time"})))]
pub struct TextWanted {
    /// A model, `provider/model`, or `auto`.
    #[schema(max_length = 200)]
    model: Option<String>,
    /// The text that is continued.
    #[schema(min_length = 1)]
    prompt: String,
    /// How it is made.
    #[serde(flatten)]
    how: How,
}

/// How an answer is made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = GatewayHow)]
pub struct How {
    /// Whether it comes while it is made, as server-sent events.
    stream: Option<bool>,
    /// What else a stream tells.
    stream_options: Option<StreamOptions>,
    /// How freely words are chosen.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f32>,
    /// The share of likely words it chooses from.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Tokens the answer may have.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// The newer name of the same.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// A text, or texts, before which the answer ends.
    #[schema(value_type = Option<Object>)]
    stop: Option<Value>,
    /// The same seed and request give the same answer where the model can.
    seed: Option<i64>,
    /// How many answers; only one is made.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
}

/// What else a stream tells.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = GatewayStreamOptions)]
pub struct StreamOptions {
    /// Whether the last frame counts tokens.
    include_usage: Option<bool>,
}

/// A tool.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayTool)]
pub struct Tool {
    /// What it is.
    function: Function,
}

/// What a tool is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayToolFunction)]
pub struct Function {
    /// Its name.
    name: String,
    /// What it does.
    description: Option<String>,
    /// Its parameters as a JSON schema.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
}

fn refused(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::invalid(code, message, "/openapi.json describes the fields of this call.")
}

/// The model that is asked for by name; nothing when the cascade chooses.
///
/// # Errors
/// `bad_model`, when that is no name.
pub fn named(model: Option<String>) -> Result<Option<String>, Problem> {
    let Some(name) = model.filter(|m| !m.is_empty() && m != AUTO) else { return Ok(None) };
    if name.chars().nth(MODEL_CHARS_MAX).is_none() && !name.chars().any(char::is_control) {
        return Ok(Some(name));
    }
    let text =
        format!("`model` is over {MODEL_CHARS_MAX} characters or holds control characters, so nobody was asked.");
    Err(Problem::invalid("bad_model", text, "GET /v1/models lists the names; \"auto\" lets Timmy choose."))
}

/// A text of at most `max` bytes; a list of such texts stays within [`STOPS_MAX`].
fn stops(said: Option<Value>) -> Result<Vec<String>, Problem> {
    let wrong = || refused("bad_stop", format!("`stop` is a text or up to {STOPS_MAX} texts."));
    let all = match said {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            let texts = many.into_iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(wrong));
            texts.collect::<Result<Vec<_>, _>>()?
        }
        Some(_) => return Err(wrong()),
    };
    let all: Vec<String> = all.into_iter().filter(|s| !s.is_empty()).collect();
    if all.len() > STOPS_MAX { Err(wrong()) } else { Ok(all) }
}

fn choice(said: Option<Value>, tools: &[ToolSpec]) -> Result<ToolChoice, Problem> {
    let wrong = || refused("bad_tool_choice", "`tool_choice` is none, auto, required, or one of the tools.");
    match said {
        None | Some(Value::Null) => Ok(ToolChoice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::Never),
            "required" if !tools.is_empty() => Ok(ToolChoice::Required),
            _ => Err(wrong()),
        },
        Some(value) => {
            let name = value["function"]["name"].as_str().ok_or_else(wrong)?;
            let known = tools.iter().any(|tool| tool.name == name);
            if known { Ok(ToolChoice::Named(name.to_owned())) } else { Err(wrong()) }
        }
    }
}

fn format(said: Option<Value>) -> Result<AnswerFormat, Problem> {
    let wrong = |what: &str| refused("bad_response_format", what);
    let Some(value) = said.filter(|v| !v.is_null()) else { return Ok(AnswerFormat::Text) };
    match value["type"].as_str() {
        Some("text") => Ok(AnswerFormat::Text),
        Some("json_object") => Ok(AnswerFormat::Json),
        Some("json_schema") => {
            let schema = value["json_schema"]["schema"].clone();
            if !schema.is_object() || schema.to_string().len() > SCHEMA_BYTES_MAX {
                return Err(wrong("`json_schema` needs a schema of at most 128 KiB."));
            }
            let name = value["json_schema"]["name"].as_str().unwrap_or("answer").to_owned();
            Ok(AnswerFormat::Schema { name, schema })
        }
        _ => Err(wrong("`response_format` is text, json_object or json_schema.")),
    }
}

impl How {
    fn within(value: Option<f32>, max: f32, name: &str) -> Result<Option<f32>, Problem> {
        match value {
            Some(v) if !(0.0..=max).contains(&v) => {
                Err(refused("bad_sampling", format!("`{name}` lies between 0 and {max}.")))
            }
            other => Ok(other),
        }
    }

    /// The request around `messages`.
    fn request(self, model: Option<String>, messages: Vec<ChatMessage>, web: &Web) -> Result<ChatRequest, Problem> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(refused("bad_n", "`n` is 1: one answer is made."));
        }
        let model = named(model)?;
        // Of a model that is registered the owner said how long its answers are.
        let registered = &web.app.ctx.cascade.rules().registered;
        let said = model.as_deref().and_then(|name| registered.for_role(name).or_else(|| registered.of(name)));
        let talk = || u32::try_from(web.app.ctx.settings.talk.max_tokens).unwrap_or(ANSWER_TOKENS_MAX);
        let usual = said.and_then(|said| said.max_tokens).unwrap_or_else(talk);
        let max_tokens = self.max_completion_tokens.or(self.max_tokens).unwrap_or(usual);
        if max_tokens == 0 {
            return Err(refused("bad_max_tokens", "`max_tokens` is at least 1."));
        }
        Ok(ChatRequest {
            messages,
            tools: Vec::new(),
            class: TaskClass::Chat,
            max_tokens: max_tokens.min(ANSWER_TOKENS_MAX),
            temperature: Self::within(self.temperature, 2.0, "temperature")?,
            model,
            sampling: Sampling {
                seed: self.seed.map(i64::unsigned_abs),
                top_p: Self::within(self.top_p, 1.0, "top_p")?.filter(|p| *p > 0.0),
                stop: stops(self.stop)?,
                ..Sampling::default()
            },
            brief: Brief::default(),
        })
    }

    fn counts(&self) -> bool {
        self.stream_options.as_ref().and_then(|o| o.include_usage).unwrap_or(false)
    }
}

impl ChatWanted {
    /// Whether the answer comes while it is made.
    pub fn streams(&self) -> bool {
        self.how.stream.unwrap_or(false)
    }

    /// Whether the stream counts tokens at its end.
    pub fn counts(&self) -> bool {
        self.how.counts()
    }

    /// The request, everything in it under `label`.
    ///
    /// # Errors
    /// The field that cannot be read.
    pub fn request(self, label: Sensitivity, web: &Web) -> Result<ChatRequest, Problem> {
        let tools: Vec<ToolSpec> = self.tools.unwrap_or_default().into_iter().map(Tool::spec).collect();
        if tools.len() > TOOLS_MAX {
            return Err(refused("too_many_tools", format!("A call offers at most {TOOLS_MAX} tools.")));
        }
        let tool_choice = choice(self.tool_choice, &tools)?;
        let format = format(self.response_format)?;
        let mut request = self.how.request(self.model, messages(self.messages, label)?, web)?;
        request.class = match (tools.is_empty(), request.has_images()) {
            (_, true) => TaskClass::Vision,
            (false, false) => TaskClass::ToolUse,
            (true, false) => TaskClass::Chat,
        };
        request.sampling = Sampling { tool_choice, format, ..request.sampling };
        request.tools = tools;
        Ok(request)
    }
}

impl TextWanted {
    /// Whether the answer comes while it is made.
    pub fn streams(&self) -> bool {
        self.how.stream.unwrap_or(false)
    }

    /// Whether the stream counts tokens at its end.
    pub fn counts(&self) -> bool {
        self.how.counts()
    }

    /// The request, everything in it under `label`.
    ///
    /// # Errors
    /// The field that cannot be read.
    pub fn request(self, label: Sensitivity, web: &Web) -> Result<ChatRequest, Problem> {
        if self.prompt.is_empty() {
            return Err(refused("bad_prompt", "`prompt` is a text."));
        }
        let message = ChatMessage {
            role: Role::User,
            parts: vec![Part { text: self.prompt, sensitivity: label, droppable: false }],
            images: Vec::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
        };
        self.how.request(self.model, vec![message], web)
    }
}

impl Tool {
    fn spec(self) -> ToolSpec {
        ToolSpec {
            name: self.function.name,
            description: self.function.description.unwrap_or_default(),
            parameters: self.function.parameters.unwrap_or_else(|| serde_json::json!({"type": "object"})),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // shows: models: a name that no model can have is refused before anybody is asked
    #[test]
    fn a_name_of_a_model_is_bounded() {
        let name = |text: &str| named(Some(text.to_owned()));
        assert_eq!(named(None).expect("left out"), None);
        assert_eq!((name("").expect("empty"), name("auto").expect("auto")), (None, None));
        let longest = "é".repeat(MODEL_CHARS_MAX);
        assert_eq!(name(&longest).expect("as long as a name may be"), Some(longest.clone()));
        for wrong in [format!("{longest}x"), "a\nb".to_owned(), "a\u{7f}".to_owned(), "\u{9b}2J".to_owned()] {
            assert_eq!(name(&wrong).expect_err("no name").code, "bad_model");
        }
    }

    #[test]
    fn stops_choices_and_formats_are_read_or_refused() {
        assert_eq!(stops(Some(json!("END"))).expect("one"), ["END"]);
        assert_eq!(stops(Some(json!(["a", ""]))).expect("some"), ["a"]);
        assert!(stops(Some(json!(7))).is_err() && stops(Some(json!([7]))).is_err());
        assert!(stops(Some(json!(vec!["x"; STOPS_MAX + 1]))).is_err());
        let tools = [ToolSpec { name: "look".into(), description: String::new(), parameters: json!({}) }];
        let named = |name: &str| Some(json!({"type": "function", "function": {"name": name}}));
        assert_eq!(choice(named("look"), &tools).expect("known"), ToolChoice::Named("look".into()));
        assert!(choice(named("leap"), &tools).is_err() && choice(Some(json!("required")), &[]).is_err());
        assert_eq!(choice(Some(json!("none")), &tools).expect("none"), ToolChoice::Never);
        assert_eq!(format(Some(json!({"type": "json_object"}))).expect("json"), AnswerFormat::Json);
        let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
        assert!(matches!(format(Some(schema)), Ok(AnswerFormat::Schema { .. })));
        assert!(format(Some(json!({"type": "json_schema"}))).is_err() && format(Some(json!({"type": "xml"}))).is_err());
    }
}
