//! An answer as it grows: text, tool calls, usage, within their bounds.

use crate::deltas::Deltas;
use crate::failure::Failure;
use crate::provider::{Call, Completion, Finish, Usage};
use crate::request::ToolCall;

use super::reasoning::Reasoning;

/// Tool calls in one answer.
pub const TOOL_CALLS_MAX: usize = 64;
/// Bytes of the arguments of one tool call.
pub const ARGUMENTS_BYTES_MAX: usize = 256 * 1024;
/// Characters of a name a server gives: a model, a tool, an id.
pub const NAME_CHARS_MAX: usize = 200;

/// A piece of a tool call as a stream brings it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallPiece<'a> {
    /// Which call of the answer this belongs to, where the server tells.
    pub index: Option<u64>,
    /// The id, in the first piece.
    pub id: &'a str,
    /// The tool, in the first piece.
    pub name: &'a str,
    /// More of the arguments.
    pub arguments: &'a str,
}

/// An answer in the making.
#[derive(Debug)]
pub struct Growing {
    deltas: Deltas,
    reasoning: Reasoning,
    content: String,
    calls: Vec<(Option<u64>, ToolCall)>,
    /// What it has cost so far, as far as the server told.
    pub usage: Usage,
    /// Why the model stopped, once it has.
    pub finish: Option<Finish>,
    /// The model that answers, as the server calls it.
    pub model: String,
    /// The call whose arguments are the answer itself, where a format can only ask for a shape that way.
    pub answer_call: Option<u64>,
}

impl Growing {
    /// Nothing yet.
    #[must_use]
    pub fn new(call: &Call) -> Self {
        Self {
            deltas: Deltas::new(call.deltas.clone()),
            reasoning: Reasoning::default(),
            content: String::new(),
            calls: Vec::new(),
            usage: Usage::default(),
            finish: None,
            model: String::new(),
            answer_call: None,
        }
    }

    /// Whether the model has begun.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.deltas.begun()
    }

    /// The model reasons.
    pub fn reasons(&mut self) {
        self.deltas.begin();
    }

    /// More of the text.
    pub fn text(&mut self, piece: &str) {
        if piece.is_empty() {
            return;
        }
        self.deltas.begin();
        let answer = self.reasoning.pass(piece);
        self.say(&answer);
    }

    fn say(&mut self, answer: &str) {
        self.content.push_str(answer);
        self.deltas.push(answer);
    }

    /// A tool call that comes in one piece, never a continuation of the last one.
    pub fn whole_call(&mut self, piece: CallPiece<'_>) -> Result<(), Failure> {
        let index = Some(u64::try_from(self.calls.len()).unwrap_or(u64::MAX));
        self.call(CallPiece { index, ..piece })
    }

    /// More of a tool call.
    pub fn call(&mut self, piece: CallPiece<'_>) -> Result<(), Failure> {
        self.deltas.begin();
        let at = match self.find(piece) {
            Some(at) => at,
            None if self.calls.len() >= TOOL_CALLS_MAX => {
                return Err(Failure::TooLarge { what: format!("it calls more than {TOOL_CALLS_MAX} tools") });
            }
            None => {
                let id = format!("call_{}", self.calls.len() + 1);
                self.calls.push((piece.index, ToolCall { id, name: String::new(), arguments: String::new() }));
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at].1;
        if !piece.id.is_empty() {
            call.id = piece.id.chars().take(NAME_CHARS_MAX).collect();
        }
        if !piece.name.is_empty() {
            call.name = piece.name.chars().take(NAME_CHARS_MAX).collect();
        }
        if call.arguments.len() + piece.arguments.len() > ARGUMENTS_BYTES_MAX {
            return Err(Failure::TooLarge {
                what: format!("arguments of a tool are over {ARGUMENTS_BYTES_MAX} bytes"),
            });
        }
        call.arguments.push_str(piece.arguments);
        Ok(())
    }

    /// By index where there is one; without, a new id begins a new call and anything else continues the last.
    fn find(&self, piece: CallPiece<'_>) -> Option<usize> {
        match piece.index {
            Some(_) => self.calls.iter().position(|(index, _)| *index == piece.index),
            None if piece.id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().position(|(_, call)| call.id == piece.id),
        }
    }

    /// The answer as it stands, with `model` where the server named none.
    pub async fn finish(mut self, model: &str, call: &Call) -> Completion {
        let held = self.reasoning.end();
        self.say(&held);
        self.deltas.flush(&call.cancel).await;
        let finish = match self.finish {
            Some(Finish::Length) => Finish::Length,
            _ if !self.calls.is_empty() => Finish::ToolCalls,
            _ => Finish::Stop,
        };
        let cut = finish == Finish::Length;
        Completion {
            content: self.content,
            tool_calls: self.calls.into_iter().map(|(_, call)| without_arguments(call, cut)).collect(),
            model: if self.model.is_empty() { model.to_owned() } else { self.model },
            usage: self.usage,
            finish,
        }
    }
}

/// Servers send nothing, or `null`, for a tool that takes no arguments. What a model was `cut` off before is left as it
/// came, so that nobody takes it for that.
fn without_arguments(mut call: ToolCall, cut: bool) -> ToolCall {
    if !cut && matches!(call.arguments.trim(), "" | "null") {
        "{}".clone_into(&mut call.arguments);
    }
    call
}
