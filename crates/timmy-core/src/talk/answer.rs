//! Answers the owner: a reactor on `message.received`, so that a question is answered even when the house was
//! stopped between the question and the answer.

use std::sync::Arc;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::message::{Message, MessageStatus};
use timmy_domain::text::clean;
use timmy_domain::thought::Thought;
use timmy_domain::{Event, MessageId, Record, Seq};
use timmy_llm::{Answer, Call, CascadeError, Finish, Manner};
use timmy_store::NewAnswer;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::conversation::Talk;
use super::prompt::{self, SelfTexts};
use super::turn::Turn;
use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::heed;
use crate::reactor::{Effect, Reactor};
use crate::scene::Scene;
use crate::selfhood;

/// Messages of history that are looked at; [`TalkSettings`](crate::settings::TalkSettings) bounds them by tokens.
const HISTORY_MESSAGES_MAX: usize = 200;
/// Deltas that may wait between the model and the turn.
const DELTAS_MAX: usize = 64;

/// The part that answers.
pub struct Answering(pub Talk);

struct Question {
    message: Message,
    history: Vec<Message>,
    about: Option<Thought>,
}

impl Answering {
    /// Everything the store knows about the question; `None` when it needs no answer any more.
    async fn question(ctx: &Ctx, id: MessageId) -> Result<Option<Question>, Fault> {
        let read = ctx.store.read(move |r| {
            let Some(message) = r.message(id)? else { return Ok(None) };
            if message.status != MessageStatus::Open {
                return Ok(None);
            }
            let mut newest = r.messages(None, HISTORY_MESSAGES_MAX)?;
            newest.reverse();
            let history = prompt::in_order(&newest, id);
            let about = match message.about_thought {
                Some(thought) => r.thought(thought)?,
                None => None,
            };
            Ok(Some(Question { message, history, about }))
        });
        Ok(read.await?)
    }

    async fn react_to(&self, ctx: &Ctx, record: &Record) -> Result<Effect, Fault> {
        let Event::MessageReceived(received) = record.event() else {
            return Ok(Box::new(|_| Ok(())));
        };
        let id = received.message_id;
        let Some(question) = Self::question(ctx, id).await? else {
            return Ok(Box::new(|_| Ok(())));
        };
        // After a restart nobody has begun the turn yet.
        let turn = self.0.turns.begin(id, ctx.now());
        turn.restart();
        if let Some(order) = heed::order(ctx, &question.message) {
            let (clock, cause) = (Arc::clone(&ctx.clock), record.seq);
            return Ok(Box::new(move |tx| heed::obey(tx, clock.as_ref(), &order, &question.message, cause)));
        }
        let texts = SelfTexts {
            persona: selfhood::text(&ctx.mind_dir, "persona.md").await,
            ask: selfhood::text(&ctx.mind_dir, "prompts/talk.md").await,
        };
        let scene = Scene::look(ctx).await?;
        let queue = heed::queue_lines(ctx, &question.message).await?;
        let around = prompt::Around { about: question.about.as_ref(), queue: queue.as_deref() };
        let request = prompt::request(&texts, &scene, &question.history, &question.message, around, &ctx.settings);
        let began = Instant::now();
        let asked = ask(ctx, &request, &turn).await;
        let duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut answer = conclude(record.seq, &turn, asked, duration_ms);
        if answer.status == MessageStatus::Stopped {
            name_the_stopped(ctx, &mut answer);
        }
        Ok(Box::new(move |tx| tx.answer_message(id, &answer).map(|_| ())))
    }
}

impl Reactor for Answering {
    fn name(&self) -> &'static str {
        "talk.answer"
    }

    fn interest(&self) -> Vec<Pattern> {
        vec![Pattern::Exact("message.received".to_owned())]
    }

    fn react<'a>(&'a self, ctx: &'a Ctx, record: &'a Record) -> BoxFuture<'a, Result<Effect, Fault>> {
        Box::pin(self.react_to(ctx, record))
    }

    fn parked(&self, record: &Record, why: &Fault) -> Effect {
        let Event::MessageReceived(received) = record.event() else {
            return Box::new(|_| Ok(()));
        };
        let (id, seq) = (received.message_id, record.seq);
        let reason = format!("The answer could not be made: {why}.");
        Box::new(move |tx| {
            let open = tx.message(id)?.is_some_and(|m| m.status == MessageStatus::Open);
            if open {
                tx.answer_message(id, &nobody(MessageStatus::Failed, reason, 0, seq))?;
            }
            Ok(())
        })
    }

    fn settled(&self, record: &Record) {
        if let Event::MessageReceived(received) = record.event() {
            self.0.turns.end(received.message_id);
        }
    }
}

/// Asks the models, and lets the turn grow while they speak.
async fn ask(ctx: &Ctx, request: &timmy_llm::ChatRequest, turn: &Arc<Turn>) -> Result<Answer, CascadeError> {
    let (deltas, mut grown) = mpsc::channel::<String>(DELTAS_MAX);
    let deadline = Instant::now() + Duration::from_secs(ctx.settings.talk.deadline_seconds);
    let manner = Manner { interactive: true, again_after_break: true, ..Manner::default() };
    let call = Call { cancel: turn.stop.clone(), deadline, first_word_by: None, deltas: Some(deltas), manner };
    let growing = async {
        while let Some(more) = grown.recv().await {
            turn.grow(&clean(&more));
        }
    };
    let asking = async move {
        let asked = ctx.ask("talk", request, &call).await;
        // Dropped here, so that the growing ends when the asking has.
        drop(call);
        asked
    };
    let (asked, ()) = tokio::join!(asking, growing);
    asked
}

/// Says who was speaking when the owner pressed stop.
fn name_the_stopped(ctx: &Ctx, answer: &mut NewAnswer) {
    let speaking = ctx.cascade.status().into_iter().find(|p| p.name == answer.provider);
    if let Some(provider) = speaking.filter(|_| !answer.content.is_empty()) {
        answer.place = Some(provider.place);
        answer.model = provider.model_in_use;
    }
}

/// An answer that nobody gave: a stop, or a failure in the words of the house.
fn nobody(status: MessageStatus, content: String, duration_ms: i64, cause: Seq) -> NewAnswer {
    let (provider, model) = (String::new(), String::new());
    NewAnswer { status, content, provider, model, place: None, duration_ms, tokens: 0, cause: Some(cause) }
}

/// What is stored: the whole answer, the part that came before the stop, or the reason why none came.
fn conclude(cause: Seq, turn: &Turn, asked: Result<Answer, CascadeError>, duration_ms: i64) -> NewAnswer {
    match asked {
        Ok(answer) if !clean(&answer.content).trim().is_empty() => {
            let mut content = clean(&answer.content).trim().to_owned();
            if answer.finish == Finish::Length {
                content.push_str("\n\n(Cut off here: the answer reached [talk] max_tokens.)");
            }
            let tokens = answer.usage.prompt_tokens + answer.usage.completion_tokens;
            NewAnswer {
                status: MessageStatus::Done,
                content,
                provider: answer.provider,
                model: answer.model,
                place: Some(answer.place),
                duration_ms,
                tokens: i64::try_from(tokens).unwrap_or(i64::MAX),
                cause: Some(cause),
            }
        }
        Ok(answer) => {
            nobody(MessageStatus::Failed, format!("{} answered with nothing.", answer.provider), duration_ms, cause)
        }
        Err(error) if turn.stop.is_cancelled() => NewAnswer {
            provider: error.attempts.last().map(|a| a.provider.clone()).unwrap_or_default(),
            ..nobody(MessageStatus::Stopped, turn.so_far(), duration_ms, cause)
        },
        Err(error) => {
            let partial = clean(&error.partial);
            let came = if partial.trim().is_empty() {
                String::new()
            } else {
                format!("\n\nUntil then came: {}", partial.trim())
            };
            nobody(MessageStatus::Failed, format!("{error}{came}"), duration_ms, cause)
        }
    }
}
