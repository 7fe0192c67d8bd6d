//! Answers as they grow, as server-sent events: for the page of the conversation and for `/api/chat`.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::{Value, json};
use timmy_core::talk::turn::{Follower, Step};
use timmy_domain::message::Message;
use timmy_domain::{MessageId, Problem};

use super::chat::{StopWhenGone, reply, stopping, stops};
use crate::web::Web;

/// Seconds after which a silent stream says that it lives.
const ALIVE_SECONDS: u64 = 10;
/// How often an answer that nobody has begun is looked for, in milliseconds; the log rings earlier.
const LOOK_MS: u64 = 1_000;

/// What a stream tells.
enum Told {
    /// More of the answer.
    More(String),
    /// The stored answer.
    Done(Box<Message>),
    /// There will be none.
    Failed(Problem),
}

/// Listens to the answer to one question, however far it is.
struct Listener {
    web: Web,
    question: MessageId,
    follower: Option<Follower>,
    gone: Option<StopWhenGone>,
    ended: bool,
}

impl Listener {
    async fn next(&mut self) -> Told {
        let mut head = self.web.app.ctx.store.head();
        loop {
            if self.follower.is_none() {
                self.follower = self.web.app.talk.follow(self.question);
            }
            if let Some(follower) = &mut self.follower {
                tokio::select! {
                    step = follower.next() => if let Step::Text(text) = step { return Told::More(text) },
                    () = stopping(&self.web) => return Told::Failed(stops()),
                }
                self.follower = None;
            }
            head.borrow_and_update();
            let question = self.question;
            match self.web.app.ctx.store.read(move |r| r.answer_to(question)).await {
                Ok(Some(message)) => return Told::Done(Box::new(message)),
                Ok(None) => {}
                Err(error) => return Told::Failed(error.problem()),
            }
            // Stored and not begun yet, such as after a restart: whoever answers will.
            tokio::select! {
                _ = head.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
                () = self.web.stop.cancelled() => return Told::Failed(stops()),
            }
        }
    }
}

fn told(listener: Listener, event: fn(Told) -> Event) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(listener, move |mut listener| async move {
        if listener.ended {
            return None;
        }
        let told = listener.next().await;
        if !matches!(told, Told::More(_)) {
            listener.ended = true;
            if let Some(gone) = &mut listener.gone {
                gone.settled();
            }
        }
        Some((Ok(event(told)), listener))
    })
}

fn sse(listener: Listener, event: fn(Told) -> Event) -> Response {
    let alive = KeepAlive::new().interval(Duration::from_secs(ALIVE_SECONDS)).text("alive");
    let unbuffered = [(header::HeaderName::from_static("x-accel-buffering"), "no")];
    (unbuffered, Sse::new(told(listener, event)).keep_alive(alive)).into_response()
}

fn data(value: &Value) -> Event {
    // JSON text has no line breaks, so it is one line of data.
    Event::default().data(value.to_string())
}

/// The stream of the page: `delta` with `{"text"}`, at the end `done` with `{"message"}` or `{"error"}`. Closing it
/// stops nothing: the page may be opened again.
pub fn follow(web: Web, question: MessageId) -> Response {
    let follower = web.app.talk.follow(question);
    sse(Listener { web, question, follower, gone: None, ended: false }, |told| match told {
        Told::More(text) => data(&json!({"text": text})).event("delta"),
        Told::Done(message) => data(&json!({"message": message})).event("done"),
        Told::Failed(problem) => data(&json!({"error": problem})).event("done"),
    })
}

/// The stream of `/api/chat`: `{"delta"}` lines, at the end `{"done":true, "reply", …}` or `{"done":true,"error"}`.
/// Whoever goes away before the end stops the answer.
pub fn chat(web: Web, gone: StopWhenGone, question: MessageId) -> Response {
    let follower = web.app.talk.follow(question);
    sse(Listener { web, question, follower, gone: Some(gone), ended: false }, |told| {
        let failed = |problem: Problem| data(&json!({"done": true, "error": problem}));
        match told {
            Told::More(text) => data(&json!({"delta": text})),
            Told::Done(message) => match reply(&message) {
                Ok(mut whole) => {
                    whole["done"] = Value::Bool(true);
                    data(&whole)
                }
                Err(problem) => failed(problem),
            },
            Told::Failed(problem) => failed(problem),
        }
    })
}
