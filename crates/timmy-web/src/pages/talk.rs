//! Talk: the conversation, saying something, stopping, asking again, and the answer as it grows.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use timmy_core::talk::conversation::Say;
use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::text::{cut, one_line};
use timmy_domain::thought::Thought;
use timmy_domain::{MessageId, Problem, ThoughtId};
use timmy_store::{Reader, StoreError};

use super::{gather_here, models, refused, see, shell};
use crate::api::stream;
use crate::ask::{Asked, Fields, Named, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, Style, page, page_with, show_with};
use crate::look::talk::{Quote, TalkDay, TalkPage, Turn, TurnPart, TurnsPart};
use crate::look::{Absent, Clock};
use crate::web::Web;

/// Messages on one page.
const PAGE_MESSAGES: usize = 60;
/// Characters of a thought that is replied to.
const QUOTE_CHARS_MAX: usize = 280;

/// Which part of the conversation is wanted.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Part {
    before: Option<String>,
    about: Option<String>,
}

/// What the page needs from the store.
struct Rows {
    messages: Vec<Message>,
    thoughts: HashMap<ThoughtId, Thought>,
}

impl Rows {
    fn read(r: &Reader<'_>, before: Option<MessageId>, about: Option<ThoughtId>) -> Result<Self, StoreError> {
        let messages = r.messages(before, PAGE_MESSAGES + 1)?;
        let mut thoughts = HashMap::new();
        for id in messages.iter().filter_map(|m| m.about_thought).chain(about) {
            if let (false, Some(thought)) = (thoughts.contains_key(&id), r.thought(id)?) {
                thoughts.insert(id, thought);
            }
        }
        Ok(Self { messages, thoughts })
    }

    fn quote(&self, id: Option<ThoughtId>, clock: &Clock) -> Option<Quote> {
        self.thoughts.get(&id?).map(|thought| quote(thought, clock))
    }
}

fn quote(thought: &Thought, clock: &Clock) -> Quote {
    Quote {
        id: thought.id.to_string(),
        text: cut(&one_line(&thought.content), QUOTE_CHARS_MAX),
        at: clock.short(thought.created_at),
    }
}

fn id_of<T: std::str::FromStr>(said: Option<&str>, what: &str) -> Result<Option<T>, Refusal> {
    let said = said.filter(|s| !s.is_empty());
    said.map(|s| s.parse().map_err(|_| no_such(what, s))).transpose()
}

/// The turns by day. An open question is followed by the place of its answer.
fn days(messages: &[Message], rows: &Rows, clock: &Clock) -> Vec<TalkDay> {
    let mut days: Vec<TalkDay> = Vec::new();
    for message in messages {
        let label = clock.day(message.created_at);
        if days.last().is_none_or(|day| day.label != label) {
            days.push(TalkDay { label, turns: Vec::new() });
        }
        let Some(day) = days.last_mut() else { continue };
        let about = if message.speaker == Speaker::Owner { rows.quote(message.about_thought, clock) } else { None };
        day.turns.push(Turn::of(message, about, clock));
        if message.status == MessageStatus::Open {
            day.turns.push(Turn::coming(message, clock));
        }
    }
    days
}

/// The page, with what was typed and why it was refused.
async fn draw(web: &Web, visit: &Visit, part: &Part, typed: Option<(String, Problem)>) -> Answer {
    let before: Option<MessageId> = id_of(part.before.as_deref(), "message")?;
    let about: Option<ThoughtId> = id_of(part.about.as_deref(), "thought")?;
    let (around, mut rows) = gather_here(web, move |r| Rows::read(r, before, about)).await?;
    let more = rows.messages.len() > PAGE_MESSAGES;
    rows.messages.truncate(PAGE_MESSAGES);
    let mut messages = std::mem::take(&mut rows.messages);
    messages.reverse();
    let clock = web.clock();
    let mut shell = shell(web, visit, &around, "/talk");
    shell.notice = typed.as_ref().map(|(_, problem)| refused(problem));
    let code = typed.as_ref().map_or(StatusCode::OK, |(_, problem)| super::status_of(problem));
    let text = "Ask something, or tell Timmy what you are working on. The conversation stays on this machine.";
    show_with(
        code,
        visit,
        &TalkPage {
            shell,
            days: days(&messages, &rows, &clock),
            absent: Absent::empty("Nothing was said yet", text),
            older: messages.first().filter(|_| more).map(|first| format!("/talk?before={}", first.id)),
            newest: before.map(|_| "/talk".to_owned()),
            about: rows.quote(about, &clock),
            draft: typed.map(|(text, _)| text).unwrap_or_default(),
            models: models::rows(web),
        },
    )
}

/// `GET /talk`.
pub async fn talk(State(web): State<Web>, visit: Visit, Asked(part): Asked<Part>) -> Answer {
    draw(&web, &visit, &part, None).await
}

/// What the composer carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    #[serde(default, alias = "content")]
    text: String,
    about: Option<String>,
}

/// `POST /talk`: stores the owner's words; the answer comes by itself.
pub async fn say(State(web): State<Web>, visit: Visit, headers: HeaderMap, Fields(form): Fields<Form>) -> Answer {
    let about = id_of(form.about.as_deref(), "thought")?;
    let said = web.app.talk.say(Say { content: form.text.clone(), about, channel: "browser" }).await;
    let program = visit.script || Style::of("/talk", &headers) == Style::Json;
    let message = match said {
        Ok(message) => message,
        Err(problem) if program => return Err(problem.into()),
        Err(problem) => {
            let part = Part { before: None, about: form.about };
            return draw(&web, &visit, &part, Some((form.text, problem))).await;
        }
    };
    if !visit.script {
        if program {
            return Ok((StatusCode::CREATED, axum::Json(serde_json::json!({"message": message}))).into_response());
        }
        return Ok(see(&format!("/talk#turn-{}", message.id)));
    }
    let clock = web.clock();
    let quoted = match about {
        Some(id) => web.app.ctx.store.read(move |r| r.thought(id)).await?.map(|t| quote(&t, &clock)),
        None => None,
    };
    let turns = vec![Turn::of(&message, quoted, &clock), Turn::coming(&message, &clock)];
    page_with(StatusCode::CREATED, &TurnsPart { turns, csrf: visit.csrf() })
}

/// `POST /talk/{id}/stop`.
pub async fn stop(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let id: MessageId = name.id("message")?;
    match web.app.talk.stop(id).await {
        // The button stays until the answer is drawn; pressing it after the end is no mistake of the owner.
        Err(problem) if problem.code != "answer_ended" => Err(problem.into()),
        _ if visit.script => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Ok(see(&format!("/talk#turn-{id}"))),
    }
}

/// `POST /talk/{id}/retry`: asks again. For a script the place of the answer takes the place of the failure.
pub async fn retry(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let question = web.app.talk.retry(name.id("message")?).await?;
    if visit.script {
        return page(&TurnPart { turn: Turn::coming(&question, &web.clock()), csrf: visit.csrf() });
    }
    Ok(see(&format!("/talk#turn-{}", question.id)))
}

/// `GET /talk/{id}/turn`: the answer to a question, or its place while it is being made.
pub async fn turn(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let id: MessageId = name.id("message")?;
    let (asked, answer) = web.app.ctx.store.read(move |r| Ok((r.message(id)?, r.answer_to(id)?))).await?;
    let asked = asked.filter(|m| m.speaker == Speaker::Owner).ok_or_else(|| no_such("message", &name.0))?;
    let clock = web.clock();
    let turn = answer.map_or_else(|| Turn::coming(&asked, &clock), |answer| Turn::of(&answer, None, &clock));
    page(&TurnPart { turn, csrf: visit.csrf() })
}

/// `GET /talk/{id}/stream`: the answer as it grows: `delta` with `{"text"}`, at the end `done` with `{"message"}`.
pub async fn follow(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let id: MessageId = name.id("message")?;
    let asked = web.app.ctx.store.read(move |r| r.message(id)).await?;
    asked.filter(|m| m.speaker == Speaker::Owner).ok_or_else(|| no_such("message", &name.0))?;
    Ok(stream::follow(web, id))
}
