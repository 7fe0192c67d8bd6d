//! Answers while they are made, as server-sent events in the shape that OpenAI's clients read.
//!
//! The head waits for the first word: until then a failure is an ordinary refusal with its status, and afterwards
//! `X-Timmy-Provider` can say who speaks. Whoever goes away stops the model.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use serde_json::{Value, json};
use timmy_domain::Problem;
use timmy_llm::Answer;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use super::answer::{self, Shape};
use super::{Asking, Given, by, refusal};

/// Pieces of an answer that wait for a reader; what comes then is joined to the next piece.
const PIECES_MAX: usize = 64;
/// Seconds after which a silent stream says that it lives.
const ALIVE_SECONDS: u64 = 10;

/// What a stream does next.
enum Next {
    /// Says who speaks, with the first piece.
    First(Option<String>),
    /// Waits for words.
    Words,
    /// Tells the calls of tools, the end, and the count.
    End(Vec<Value>),
    /// Says that it is over.
    Done,
    /// Is over.
    Over,
}

struct Stream {
    shape: Shape,
    id: String,
    created: i64,
    model: String,
    counts: bool,
    pieces: mpsc::Receiver<String>,
    asked: Option<JoinHandle<Result<Answer, Problem>>>,
    next: Next,
    _cancels: DropGuard,
}

impl Stream {
    fn frame(&self, delta: &Value, text: &str, finish: Option<&str>) -> Value {
        let (object, choice) = match self.shape {
            Shape::Chat => ("chat.completion.chunk", json!({"index": 0, "delta": delta, "finish_reason": finish})),
            Shape::Text => ("text_completion", json!({"index": 0, "text": text, "finish_reason": finish})),
        };
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model, "choices": [choice]})
    }

    fn words(&self, piece: &str) -> Value {
        self.frame(&json!({"content": piece}), piece, None)
    }

    /// The frames behind the last word.
    fn last(&self, answer: &Answer) -> Vec<Value> {
        let mut frames = Vec::new();
        if self.shape == Shape::Chat && !answer.tool_calls.is_empty() {
            let call = |(n, c)| {
                let mut call = answer::call(c);
                call["index"] = json!(n);
                call
            };
            let calls: Vec<Value> = answer.tool_calls.iter().enumerate().map(call).collect();
            frames.push(self.frame(&json!({"tool_calls": calls}), "", None));
        }
        let mut end = self.frame(&json!({}), "", Some(answer::finish(answer.finish)));
        end["model"] = Value::String(answer::model(answer));
        frames.push(end);
        if self.counts {
            let mut count = self.frame(&json!({}), "", None);
            count["choices"] = json!([]);
            count["usage"] = answer::usage(answer.usage);
            frames.push(count);
        }
        frames.reverse();
        frames
    }

    /// What the model's task came to, as the frames that are left.
    async fn ended(&mut self) -> Vec<Value> {
        let Some(asked) = self.asked.take() else { return Vec::new() };
        match asked.await {
            Ok(Ok(answer)) => self.last(&answer),
            Ok(Err(problem)) => vec![refusal::body(&problem)],
            Err(_) => vec![refusal::body(&super::super::chat::stops())],
        }
    }

    async fn step(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let data = |value: &Value| Ok(Event::default().data(value.to_string()));
        loop {
            match std::mem::replace(&mut self.next, Next::Over) {
                Next::First(piece) => {
                    let text = piece.unwrap_or_default();
                    let frame = self.frame(&json!({"role": "assistant", "content": text}), &text, None);
                    self.next = Next::Words;
                    return Some((data(&frame), self));
                }
                Next::Words => match self.pieces.recv().await {
                    Some(piece) => {
                        self.next = Next::Words;
                        return Some((data(&self.words(&piece)), self));
                    }
                    None => self.next = Next::End(self.ended().await),
                },
                Next::End(mut frames) => match frames.pop() {
                    Some(frame) => {
                        self.next = Next::End(frames);
                        return Some((data(&frame), self));
                    }
                    None => self.next = Next::Done,
                },
                Next::Done => return Some((Ok(Event::default().data("[DONE]")), self)),
                Next::Over => return None,
            }
        }
    }
}

/// Asks, waits for the first word, and answers with the stream.
pub async fn given(mut asking: Asking, shape: Shape, counts: bool) -> Given {
    let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
    asking.call.deltas = Some(sender);
    let cancels = asking.call.cancel.clone().drop_guard();
    let (web, answering) = (asking.web.clone(), asking.answering.clone());
    let kind = if shape == Shape::Chat { "chatcmpl" } else { "cmpl" };
    let (id, created) = (answer::id(kind, &web), answer::created(&web));
    let wished = asking.request.model.clone();
    // The sender goes with the call, so that the pieces end when it does.
    // The server waits for it when it ends: what it gave is counted by then.
    let asked = web.sockets.spawn(asking.ask());
    let first = pieces.recv().await;
    let mut stream = Stream {
        shape,
        id,
        created,
        model: wished.unwrap_or_else(|| super::AUTO.to_owned()),
        counts,
        pieces,
        asked: Some(asked),
        next: Next::Words,
        _cancels: cancels,
    };
    let mut provider = answering.get().cloned();
    if let Some(piece) = first {
        stream.next = Next::First(Some(piece));
    } else if let Some(asked) = stream.asked.take() {
        // Over without a word: a refusal, or an answer of nothing but calls.
        let answer = asked.await.map_err(|_| super::super::chat::stops())??;
        provider = Some(answer.provider.clone());
        let mut frames = stream.last(&answer);
        frames.push(stream.frame(&json!({"role": "assistant", "content": ""}), "", None));
        stream.next = Next::End(frames);
    }
    let alive = KeepAlive::new().interval(Duration::from_secs(ALIVE_SECONDS)).text("alive");
    let unbuffered = [("x-accel-buffering", "no")];
    let response = (unbuffered, Sse::new(unfold(stream, Stream::step)).keep_alive(alive)).into_response();
    Ok(by(response, provider.as_deref().unwrap_or_default()))
}
