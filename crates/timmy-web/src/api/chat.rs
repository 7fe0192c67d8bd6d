//! The conversation for programs.
//!
//! Timmy remembers the conversation himself, so of `messages` only the last one is said; it must be the user's. The
//! ones before it are checked for their form and otherwise not used.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::talk::conversation::Say;
use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::{MessageId, Problem, ThoughtId};
use timmy_llm::Role;
use timmy_store::LIST_LIMIT_MAX;
use utoipa::ToSchema;

use super::{created, json as answer, stream};
use crate::ask::{Asked, Fields, Named, Window, list, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::web::Web;

/// Messages one call may bring along.
pub const MESSAGES_MAX: usize = 1_000;
/// Messages in a list when nobody says how many.
const USUAL: usize = 50;

/// One message of a call.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Spoken {
    /// Who says it; the last message must be the user's.
    #[schema(pattern = "^(system|user|assistant|tool)$", examples("user"))]
    pub role: String,
    /// The words.
    pub content: String,
}

/// What is said to Timmy. He remembers the conversation himself, so only the last message is said.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Chat, examples(json!({"messages": [{"role": "user", "content": "Good morning"}]})))]
pub struct Call {
    /// The messages.
    #[schema(min_items = 1, max_items = 1000)]
    messages: Vec<Spoken>,
    /// Whether the answer comes while it is made, as server-sent events.
    #[serde(default)]
    stream: bool,
    /// The id of the thought it replies to.
    about: Option<String>,
    /// Through which door it comes.
    #[schema(pattern = "^(api|cli)$")]
    channel: Option<String>,
}

/// The role of this name.
///
/// # Errors
/// When there is none.
pub fn role(name: &str) -> Result<Role, Problem> {
    let roles = [Role::System, Role::User, Role::Assistant, Role::Tool];
    roles.into_iter().find(|r| r.name() == name).ok_or_else(|| {
        Problem::invalid("bad_role", "A role is system, user, assistant or tool.", "Correct `role` in `messages`.")
    })
}

/// The messages with their roles.
///
/// # Errors
/// When there are none or too many, when one has an unknown role, or when the last is not the user's.
pub fn spoken(messages: Vec<Spoken>) -> Result<Vec<(Role, String)>, Problem> {
    let refused = |message: &str| {
        Problem::invalid("bad_messages", message, r#"Send {"messages":[{"role":"user","content":"…"}]}."#)
    };
    if messages.is_empty() || messages.len() > MESSAGES_MAX {
        return Err(refused("`messages` holds from 1 to 1,000 messages."));
    }
    let said = messages.into_iter().map(|m| Ok((role(&m.role)?, m.content))).collect::<Result<Vec<_>, Problem>>()?;
    if said.last().is_none_or(|(role, _)| *role != Role::User) {
        return Err(refused("The last message must be the user's."));
    }
    Ok(said)
}

/// What a call answers with.
///
/// # Errors
/// When no answer came, or it was stopped.
pub fn reply(message: &Message) -> Result<Value, Problem> {
    match message.status {
        MessageStatus::Failed => {
            let hint =
                "`timmy doctor` says which models answer. The message is kept; POST /api/chat/{id}/retry asks again.";
            Err(Problem::unavailable("no_answer", message.content.clone(), hint))
        }
        MessageStatus::Stopped => Err(Problem::conflict(
            "stopped",
            "The answer was stopped.",
            "What came until then stands in the conversation.",
        )),
        MessageStatus::Done | MessageStatus::Open | MessageStatus::Answered => Ok(json!({
            "reply": message.content,
            "provider": message.provider,
            "model": message.model,
            "place": message.place,
            "duration_ms": message.duration_ms,
            "message_id": message.id,
            "answers": message.answers,
        })),
    }
}

/// Stops the answer when the one who asked has gone before it came.
pub struct StopWhenGone {
    web: Web,
    question: MessageId,
    settled: bool,
}

impl StopWhenGone {
    /// Watches over the answer to `question`.
    #[must_use]
    pub fn new(web: &Web, question: MessageId) -> Self {
        Self { web: web.clone(), question, settled: false }
    }

    /// There is nothing left to stop: the answer came, or the server stops and answers after its next start.
    pub fn settled(&mut self) {
        self.settled = true;
    }
}

impl Drop for StopWhenGone {
    fn drop(&mut self) {
        if let (false, Some(turn)) = (self.settled, self.web.app.talk.turns.find(self.question)) {
            turn.stop.cancel();
        }
    }
}

/// `POST /api/chat`.
pub async fn chat(State(web): State<Web>, _: Visit, Fields(call): Fields<Call>) -> Answer {
    let mut said = spoken(call.messages)?;
    let content = said.pop().map(|(_, content)| content).unwrap_or_default();
    let about = call.about.map(|id| id.parse::<ThoughtId>().map_err(|_| no_such("thought", &id))).transpose()?;
    let channel = match call.channel.as_deref() {
        None | Some("api") => "api",
        Some("cli") => "cli",
        Some(_) => return Err(Problem::invalid("bad_channel", "`channel` is api or cli.", "Leave it out.").into()),
    };
    let question = web.app.talk.say(Say { content, about, channel }).await?;
    let mut gone = StopWhenGone::new(&web, question.id);
    if call.stream {
        return Ok(stream::chat(web, gone, question.id));
    }
    let message = tokio::select! {
        message = web.app.talk.answer_to(question.id) => message,
        () = stopping(&web) => Err(stops()),
    };
    gone.settled();
    Ok(answer(&reply(&message?)?))
}

/// Completes a little after the server began to stop, when whoever could answer has ended too.
pub async fn stopping(web: &Web) {
    /// How long an answer may still take then, in milliseconds.
    const GRACE_MS: u64 = 3_000;
    web.stop.cancelled().await;
    tokio::time::sleep(Duration::from_millis(GRACE_MS)).await;
}

/// The refusal of a question that is left open because the server stops.
#[must_use]
pub fn stops() -> Problem {
    Problem::unavailable(
        "stopping",
        "Timmy stops before the answer came.",
        "The message is kept and answered after the next start.",
    )
}

/// `GET /api/messages?before=&limit=`: newest first.
pub async fn messages(State(web): State<Web>, _: Visit, Asked(window): Asked<Window>) -> Answer {
    let limit = window.limit(USUAL)?;
    let before: Option<MessageId> = match window.before.as_deref().filter(|b| !b.is_empty()) {
        Some(id) => Some(id.parse().map_err(|_| no_such("message", id))?),
        None => None,
    };
    let found = web.app.ctx.store.read(move |r| r.messages(before, (limit + 1).min(LIST_LIMIT_MAX))).await?;
    Ok(answer(&list(found, limit, |m: &Message| json!(m.id))))
}

async fn one(web: &Web, id: MessageId) -> Result<Message, Refusal> {
    let found = web.app.ctx.store.read(move |r| r.message(id)).await?;
    found.filter(|m| m.speaker == Speaker::Owner).ok_or_else(|| no_such("message", &id.to_string()))
}

/// `POST /api/chat/{id}/stop`: stops the answer to a message, and answers with what had come.
pub async fn stop(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let id: MessageId = name.id("message")?;
    one(&web, id).await?;
    web.app.talk.stop(id).await?;
    let message = web.app.talk.answer_to(id).await?;
    Ok(answer(&message))
}

/// `POST /api/chat/{id}/retry`: asks again for an answer that failed or was stopped.
pub async fn retry(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let question = web.app.talk.retry(name.id("message")?).await?;
    Ok(created(&question))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(role: &str) -> Spoken {
        Spoken { role: role.to_owned(), content: "x".to_owned() }
    }

    #[test]
    fn the_last_message_is_the_users_and_roles_are_known() {
        assert!(spoken(vec![say("system"), say("user"), say("assistant"), say("user")]).is_ok());
        assert!(spoken(vec![]).is_err());
        assert!(spoken(vec![say("assistant")]).is_err());
        assert!(spoken(vec![say("user"), say("assistant")]).is_err());
        assert!(spoken(vec![say("owner"), say("user")]).is_err());
        assert!(spoken((0..=MESSAGES_MAX).map(|_| say("user")).collect()).is_err());
    }
}
