//! From a conversation to the text a model was taught to read, by the template that its file brings.
//!
//! A template comes from outside: it is run in the worker, with bounded work and a bounded result, and it can reach
//! nothing but the conversation. Text of the conversation cannot pass for a mark of the template, see [`Guard`].

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, context};
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::ask::{Ask, Message, Tool};
use crate::calls::{CALL_CLOSE, CALL_OPEN};
use crate::error::EngineError;

/// Bytes of a template.
pub const TEMPLATE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the text that comes out.
pub const RENDERED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Steps a template may take for each message, and some to begin with.
const STEPS_PER_MESSAGE_MAX: u64 = 20_000;
/// Steps any template may take.
const STEPS_BASE_MAX: u64 = 500_000;
/// How deep macros may call each other.
const RECURSION_MAX: usize = 64;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 300;
/// The name of the one template.
const NAME: &str = "chat";
/// Where text that looks like a mark is parted. It belongs to no script, so it is taken out of texts first.
const PART: char = '\u{10fffd}';

/// The form of ChatML, for files without a template of their own.
const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
/// What ends a turn in ChatML, also where the vocabulary has no token for it.
pub const CHATML_END: &str = "<|im_end|>";

/// The template of a model.
pub struct Template {
    environment: Environment<'static>,
    /// Whether the file has none, so that ChatML stands in.
    pub is_fallback: bool,
    /// Whether it writes the tools down itself.
    knows_tools: bool,
    bos: String,
    eos: String,
}

impl Template {
    /// Reads the template `source`; without one, ChatML stands in. `bos` and `eos` are how the tokens are written.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] with what is wrong with it.
    pub fn new(source: Option<&str>, bos: &str, eos: &str) -> Result<Self, EngineError> {
        let given = source.map(str::trim_end).filter(|source| !source.is_empty());
        if given.is_some_and(|source| source.len() > TEMPLATE_BYTES_MAX) {
            return Err(EngineError::Unsupported(format!("a chat template over {TEMPLATE_BYTES_MAX} bytes")));
        }
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_recursion_limit(RECURSION_MAX);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", raise);
        let text = given.unwrap_or(CHATML).to_owned();
        let knows_tools = given.is_some_and(|source| source.contains("tools"));
        environment.add_template_owned(NAME, text).map_err(|error| refused(&error))?;
        Ok(Self { environment, is_fallback: given.is_none(), knows_tools, bos: bos.to_owned(), eos: eos.to_owned() })
    }

    /// The text of `ask`, ready for the answer to follow. What the template has no place for is written another way:
    /// tools into the system message, the system message into the first of the user.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] with the reason of the template, or the bound it is over.
    pub fn render(&self, ask: &Ask) -> Result<String, EngineError> {
        let tools = ask.tools_offered();
        let taught = !tools.is_empty() && !self.knows_tools;
        let mut messages = ask.messages.clone();
        if taught {
            messages = teach(messages, tools);
        }
        let tools = if taught { &[] } else { tools };
        let first = self.write(&messages, tools);
        match &first {
            Ok(text) if holds_system(text, &messages) => return first.map_err(Failed::error),
            // Trying again with another form costs as much as it did the first time, so only where that may help.
            Err(Failed::Bound(_)) => return first.map_err(Failed::error),
            _ => {}
        }
        let joined = join_same(&messages);
        let second = self.write(&joined, tools);
        if second.as_ref().is_ok_and(|text| holds_system(text, &joined)) {
            return second.map_err(Failed::error);
        }
        self.write(&merge_system(joined), tools).map_err(Failed::error)
    }

    fn write(&self, messages: &[Message], tools: &[Tool]) -> Result<String, Failed> {
        let mut environment = self.environment.clone();
        let steps = STEPS_PER_MESSAGE_MAX.saturating_mul(messages.len() as u64 + tools.len() as u64);
        environment.set_fuel(Some(STEPS_BASE_MAX.saturating_add(steps)));
        let template = environment.get_template(NAME).map_err(|error| Failed::of(&error))?;
        let tools = (!tools.is_empty()).then(|| Value::from(Serde(tools.iter().map(shown).collect::<Vec<_>>())));
        let values = context! {
            messages => messages.iter().map(turn).collect::<Vec<_>>(),
            tools => tools.unwrap_or(Value::from(())),
            add_generation_prompt => true,
            bos_token => &self.bos,
            eos_token => &self.eos,
        };
        let mut out = Bounded(Vec::new());
        template.render_captured_to(values, &mut out).map_err(|error| Failed::of(&error))?;
        String::from_utf8(out.0).map_err(|_| Failed::Reason("it writes what is no text".to_owned()))
    }
}

/// Keeps texts of a conversation from passing for marks of the template.
///
/// A mark such as `<|im_end|>` is one token that a text must not be able to write. Where a text holds the letters of
/// one, it is parted behind its first letter, and the two halves are turned into tokens each for itself.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    marks: Vec<String>,
}

impl Guard {
    /// Guards against these marks.
    #[must_use]
    pub fn new(marks: Vec<String>) -> Self {
        Self { marks: marks.into_iter().filter(|mark| mark.chars().count() > 1).collect() }
    }

    /// The conversation with every mark in it parted.
    #[must_use]
    pub fn part(&self, ask: &Ask) -> Ask {
        let mut ask = ask.clone();
        for message in &mut ask.messages {
            message.content = self.text(&message.content);
            for call in &mut message.calls {
                call.name = self.text(&call.name);
                call.arguments = self.text(&call.arguments);
            }
        }
        ask
    }

    /// One text with every mark in it parted.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut text = if text.contains(PART) { text.replace(PART, "") } else { text.to_owned() };
        for mark in &self.marks {
            if text.contains(mark.as_str()) {
                let first = mark.chars().next().map_or(0, char::len_utf8);
                text = text.replace(mark.as_str(), &format!("{}{PART}{}", &mark[..first], &mark[first..]));
            }
        }
        text
    }

    /// The pieces of a written text, each to be turned into tokens for itself.
    pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
        text.split(PART).filter(|piece| !piece.is_empty())
    }
}

/// Why nothing was written.
enum Failed {
    /// Another form of the conversation may help.
    Reason(String),
    /// A bound was met.
    Bound(String),
}

impl Failed {
    fn of(error: &Error) -> Self {
        let reason = short(error);
        match error.kind() {
            ErrorKind::OutOfFuel => Self::Bound(reason),
            ErrorKind::WriteFailure => Self::Bound(format!("it writes over {RENDERED_BYTES_MAX} bytes")),
            _ => Self::Reason(reason),
        }
    }

    fn error(self) -> EngineError {
        let (Self::Reason(why) | Self::Bound(why)) = self;
        EngineError::Unsupported(format!("a chat template that refuses this conversation: {why}"))
    }
}

/// A message as templates know it.
fn turn(message: &Message) -> Value {
    let calls = message.calls.iter().map(|call| {
        let arguments = serde_json::from_str::<serde_json::Value>(&call.arguments);
        let arguments = arguments.unwrap_or_else(|_| serde_json::Value::String(call.arguments.clone()));
        context! {
            id => &call.id,
            r#type => "function",
            function => context! { name => &call.name, arguments => Value::from(Serde(arguments)) },
        }
    });
    let calls: Vec<Value> = calls.collect();
    match (calls.is_empty(), &message.call_id) {
        (false, _) => context! { role => &message.role, content => &message.content, tool_calls => calls },
        (true, Some(id)) => context! { role => &message.role, content => &message.content, tool_call_id => id },
        (true, None) => context! { role => &message.role, content => &message.content },
    }
}

/// A tool in the form of OpenAI, which templates are written for.
fn shown(tool: &Tool) -> impl Serialize {
    #[derive(Serialize)]
    struct Function {
        name: String,
        description: String,
        parameters: serde_json::Value,
    }
    #[derive(Serialize)]
    struct Shown {
        r#type: &'static str,
        function: Function,
    }
    let Tool { name, description, parameters } = tool.clone();
    Shown { r#type: "function", function: Function { name, description, parameters } }
}

/// Whether the words of the system message came through. Some templates leave them out without a word.
fn holds_system(text: &str, messages: &[Message]) -> bool {
    messages.iter().filter(|m| m.role == "system").all(|m| text.contains(m.content.trim()))
}

/// Messages of one role after each other as one, for templates that want the roles in turn.
fn join_same(messages: &[Message]) -> Vec<Message> {
    let mut joined: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        match joined.last_mut() {
            Some(last) if last.role == message.role && message.role != "tool" && last.calls.is_empty() => {
                last.content = [last.content.as_str(), message.content.as_str()].join("\n\n");
                last.calls.clone_from(&message.calls);
            }
            _ => joined.push(message.clone()),
        }
    }
    joined
}

/// The system's words at the beginning of the user's first message.
fn merge_system(messages: Vec<Message>) -> Vec<Message> {
    let (system, mut rest): (Vec<_>, Vec<_>) = messages.into_iter().partition(|m| m.role == "system");
    let words: Vec<&str> = system.iter().map(|m| m.content.as_str()).collect();
    if let Some(first) = rest.iter_mut().find(|m| m.role == "user") {
        first.content = format!("{}\n\n{}", words.join("\n\n"), first.content);
    } else if !words.is_empty() {
        rest.insert(0, Message { role: "user".to_owned(), content: words.join("\n\n"), ..Message::default() });
    }
    join_same(&rest)
}

/// Writes tools, calls and results as text, for a template that has no place for them.
fn teach(messages: Vec<Message>, tools: &[Tool]) -> Vec<Message> {
    let list: Vec<String> = tools.iter().map(|t| python_json(&shown(t)).unwrap_or_default()).collect();
    let lesson = format!(
        "You may call one or more tools. They are, one on each line:\n<tools>\n{}\n</tools>\nFor each call write a JSON \
         object with the name and the arguments between marks:\n{CALL_OPEN}\n{{\"name\": NAME, \"arguments\": \
         OBJECT}}\n{CALL_CLOSE}",
        list.join("\n")
    );
    let mut taught: Vec<Message> = messages.into_iter().map(as_text).collect();
    match taught.first_mut().filter(|m| m.role == "system") {
        Some(system) => system.content = format!("{}\n\n{lesson}", system.content),
        None => taught.insert(0, Message { role: "system".to_owned(), content: lesson, ..Message::default() }),
    }
    taught
}

fn as_text(mut message: Message) -> Message {
    for call in std::mem::take(&mut message.calls) {
        let name = serde_json::Value::String(call.name);
        let written = format!("{CALL_OPEN}\n{{\"name\": {name}, \"arguments\": {}}}\n{CALL_CLOSE}", call.arguments);
        message.content = [message.content, written].join("\n").trim_start().to_owned();
    }
    if message.role == "tool" {
        message.content = format!("<tool_response>\n{}\n</tool_response>", message.content);
        "user".clone_into(&mut message.role);
        message.call_id = None;
    }
    message
}

/// `raise_exception`, by which a template refuses a conversation.
fn raise(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

/// `tojson` as Python writes it: models were taught with its spaces, and without escapes for HTML.
#[expect(clippy::needless_pass_by_value, reason = "filters take their options like this")]
fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent = options.get::<Option<usize>>("indent")?;
    // Others change the order of keys or which letters are escaped, which models read as well.
    let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
    if value.kind() == ValueKind::Undefined {
        return Ok(Value::from("null"));
    }
    let written = if indent.is_some() { serde_json::to_string_pretty(value) } else { python_json(value) };
    written.map(Value::from_safe_string).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

fn python_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// `, ` and `: ` as Python's `json.dumps` has them.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Takes so many bytes and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::Error::other(format!("it writes over {RENDERED_BYTES_MAX} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refused(error: &Error) -> EngineError {
    EngineError::Unsupported(format!("a chat template that cannot be read: {}", short(error)))
}

fn short(error: &Error) -> String {
    timmy_domain::text::cut(&timmy_domain::text::one_line(&error.to_string()), REASON_CHARS_MAX)
}

#[cfg(test)]
mod tests;
