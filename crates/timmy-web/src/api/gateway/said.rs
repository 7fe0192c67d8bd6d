//! Messages as OpenAI's clients write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::{ChatMessage, Image, Part, Role, ToolCall};
use utoipa::ToSchema;

/// Messages in one call.
pub const MESSAGES_MAX: usize = 1_000;
/// Pictures in one call.
pub const IMAGES_MAX: usize = 16;

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayMessage)]
pub struct Said {
    /// Who says it.
    #[schema(pattern = "^(system|developer|user|assistant|tool)$", examples("user"))]
    role: String,
    /// The words: a text, or parts of text and pictures.
    content: Option<Content>,
    /// Tools the model called in this message.
    tool_calls: Option<Vec<CallSaid>>,
    /// For a result of a tool: the call it is the result of.
    tool_call_id: Option<String>,
}

/// The words of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = GatewayContent)]
pub enum Content {
    /// A text.
    Text(String),
    /// Parts.
    Parts(Vec<Piece>),
}

/// A part of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayPart)]
pub struct Piece {
    /// `text` or `image_url`.
    #[serde(rename = "type")]
    kind: String,
    /// The text.
    text: Option<String>,
    /// The picture.
    image_url: Option<Address>,
}

/// Where a picture is: a `data:` address that holds it. Timmy fetches nothing for a caller.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayImage)]
pub struct Address {
    /// The address.
    url: String,
}

/// A call of a tool.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayToolCall)]
pub struct CallSaid {
    /// Tells it from others.
    id: Option<String>,
    /// Which tool, with what.
    function: FunctionSaid,
}

/// Which tool is called, with what.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayFunction)]
pub struct FunctionSaid {
    /// Its name.
    name: String,
    /// Its arguments, a JSON text.
    arguments: Option<String>,
}

fn refused(message: impl Into<String>) -> Problem {
    Problem::invalid("bad_messages", message, "Send messages as OpenAI's chat completions have them.")
}

fn role(word: &str) -> Result<Role, Problem> {
    match word {
        // What newer clients call the frame.
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        _ => Err(refused("A role is system, developer, user, assistant or tool.")),
    }
}

/// A picture from its `data:` address (RFC 2397, base64 only).
fn picture(url: &str, sensitivity: Sensitivity) -> Result<Image, Problem> {
    let inside = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let Some((media_type, text)) = inside.filter(|(kind, _)| kind.starts_with("image/")) else {
        return Err(refused("A picture comes as data:image/…;base64,… in the call; Timmy fetches none."));
    };
    let bytes = STANDARD.decode(text).map_err(|_| refused("A picture is no base64."))?;
    Ok(Image { media_type: media_type.to_owned(), bytes: bytes.into(), sensitivity, droppable: false })
}

impl Said {
    fn message(self, sensitivity: Sensitivity) -> Result<ChatMessage, Problem> {
        let part = |text: String| Part { text, sensitivity, droppable: false };
        let (mut parts, mut images) = (Vec::new(), Vec::new());
        match self.content {
            None => {}
            Some(Content::Text(text)) => parts.push(part(text)),
            Some(Content::Parts(pieces)) => {
                for piece in pieces {
                    match (piece.kind.as_str(), piece.text, piece.image_url) {
                        ("text", Some(text), _) => parts.push(part(text)),
                        ("image_url", _, Some(at)) => images.push(picture(&at.url, sensitivity)?),
                        _ => return Err(refused("A part is a text or an image_url.")),
                    }
                }
            }
        }
        let calls = self.tool_calls.unwrap_or_default().into_iter().enumerate().map(|(n, call)| ToolCall {
            id: call.id.unwrap_or_else(|| format!("call_{n}")),
            name: call.function.name,
            arguments: call.function.arguments.unwrap_or_default(),
        });
        let tool_calls: Vec<ToolCall> = calls.collect();
        if parts.is_empty() && !tool_calls.is_empty() {
            // Calls travel under the label of the message's parts.
            parts.push(part(String::new()));
        }
        Ok(ChatMessage { role: role(&self.role)?, parts, images, tool_calls, tool_call_id: self.tool_call_id })
    }
}

/// The messages of a call under one label.
///
/// # Errors
/// When there are none or too many, or when one cannot be read.
pub fn messages(said: Vec<Said>, label: Sensitivity) -> Result<Vec<ChatMessage>, Problem> {
    if said.is_empty() || said.len() > MESSAGES_MAX {
        return Err(refused(format!("A call holds from 1 to {MESSAGES_MAX} messages.")));
    }
    let messages = said.into_iter().map(|one| one.message(label)).collect::<Result<Vec<_>, _>>()?;
    if messages.iter().map(|m| m.images.len()).sum::<usize>() > IMAGES_MAX {
        return Err(refused(format!("A call holds at most {IMAGES_MAX} pictures.")));
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Vec<ChatMessage>, Problem> {
        messages(serde_json::from_value(json).expect("messages"), Sensitivity::LocalOnly)
    }

    #[test]
    fn messages_are_read_as_clients_write_them() {
        let found = read(serde_json::json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQID"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "a cat"},
        ]))
        .expect("read");
        assert_eq!(
            found.iter().map(|m| m.role).collect::<Vec<_>>(),
            [Role::System, Role::User, Role::Assistant, Role::Tool]
        );
        assert_eq!(&*found[1].images[0].bytes, &[1, 2, 3]);
        assert_eq!(found[2].tool_calls[0].name, "look");
        assert_eq!(found[3].tool_call_id.as_deref(), Some("a"));
        // Calls have no label of their own; the empty part lends them one.
        assert!(
            found
                .iter()
                .all(|m| m.parts.iter().all(|p| p.sensitivity == Sensitivity::LocalOnly) && !m.parts.is_empty())
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let one = |content: serde_json::Value| read(serde_json::json!([{"role": "user", "content": content}]));
        assert!(read(serde_json::json!([])).is_err());
        assert!(read(serde_json::json!([{"role": "king", "content": "x"}])).is_err());
        for url in
            ["http://example.com/a.png", "file:///etc/passwd", "data:text/html;base64,AA==", "data:image/png;base64,%"]
        {
            let parts = serde_json::json!([{"type": "image_url", "image_url": {"url": url}}]);
            assert!(one(parts).is_err(), "{url}");
        }
        assert!(one(serde_json::json!([{"type": "input_audio"}])).is_err());
    }
}
