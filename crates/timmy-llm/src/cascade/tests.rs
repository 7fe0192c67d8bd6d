//! Order, one deadline, rest, privacy, and no second answer after the first word.

use std::sync::Mutex;

use timmy_domain::Sensitivity;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::failure::Stage;
use crate::provider::{BoxFuture, Completion, Health, Manner, ProviderInfo};
use crate::request::{Brief, ChatMessage, Fact, Part, Role, Sampling, TaskClass};
use crate::{Reflex, Scripted, Step};

fn request() -> ChatRequest {
    let part = |text: &str, sensitivity, droppable| Part { text: text.to_owned(), sensitivity, droppable };
    let parts = vec![part("private ", Sensitivity::LocalOnly, true), part("hello", Sensitivity::Open, false)];
    ChatRequest {
        messages: vec![ChatMessage {
            role: Role::User,
            parts,
            tool_calls: vec![],
            tool_call_id: None,
            images: Vec::new(),
        }],
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: 100,
        temperature: None,
        model: None,
        sampling: Sampling::default(),
        brief: Brief { facts: vec![Fact { text: "It rains".into(), weight: 1, fresh: true }], question: None },
    }
}

fn call(seconds: u64) -> Call {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    Call { cancel: CancellationToken::new(), deadline, first_word_by: None, deltas: None, manner: Manner::default() }
}

fn scripted(name: &str, steps: Vec<Step>) -> Arc<Scripted> {
    Arc::new(Scripted::script(steps).named(name))
}

fn refused() -> Step {
    Step::Fail(Failure::Unreachable { what: "nobody listens at x".into() })
}

fn slow(seconds: u64) -> Step {
    Step::Slow { chunks: vec!["one ".into(), "two".into()], every: Duration::from_secs(seconds) }
}

fn names(error: &CascadeError) -> Vec<(&str, &Failure)> {
    error.attempts.iter().map(|a| (a.provider.as_str(), &a.failure)).collect()
}

// shows: models: providers are asked in order, and each failure keeps its reason
#[tokio::test(start_paused = true)]
async fn the_first_that_can_answers_and_the_others_are_listed_with_their_reasons() {
    let (a, b) = (scripted("a", vec![refused()]), scripted("b", vec![Step::Reply("hi".into())]));
    let cascade = Cascade::new(vec![Arc::new(Reflex::new("m")), a, b.clone()]);
    let answer = cascade.complete(&request(), &call(60)).await.expect("b answers");
    assert_eq!((answer.content.as_str(), answer.provider.as_str(), answer.place), ("hi", "b", Place::Local));
    assert_eq!(answer.attempts.len(), 1);
    assert!(answer.first_token_ms.is_some());
    assert_eq!(b.requests().len(), 1);
    let states: Vec<_> = cascade.status().into_iter().map(|s| (s.name, s.state, s.calls, s.failures)).collect();
    let down = ProviderState::Down { why: "nobody listens at x".into(), hint: String::new() };
    assert_eq!(states[0], ("a".into(), down, 1, 1));
    assert_eq!(states[1], ("b".into(), ProviderState::Up, 1, 0));
    assert_eq!(states[2], ("reflex".into(), ProviderState::Up, 0, 0), "reflex was not asked and stands last");
}

#[tokio::test(start_paused = true)]
async fn reflex_speaks_only_when_every_model_failed_even_when_no_time_is_left() {
    let cascade = Cascade::new(vec![scripted("a", vec![Step::Hang]), Arc::new(Reflex::new("m"))]);
    let (to, mut from) = mpsc::channel(64);
    let answer = cascade.complete(&request(), &Call { deltas: Some(to), ..call(5) }).await.expect("reflex answers");
    assert_eq!((answer.place, answer.duration_ms), (Place::Reflex, 5_000));
    assert_eq!(answer.attempts[0].failure, Failure::Timeout { stage: Stage::FirstToken });
    let mut heard = String::new();
    while let Some(piece) = from.recv().await {
        heard.push_str(&piece);
    }
    assert_eq!(heard, answer.content);
}

// shows: models: one deadline for all attempts
#[tokio::test(start_paused = true)]
async fn a_model_before_another_has_half_of_the_time_for_its_first_word() {
    let cascade = Cascade::new(vec![
        scripted("a", vec![Step::Hang]),
        scripted("b", vec![Step::Hang]),
        scripted("c", vec![Step::Hang]),
    ]);
    let error = cascade.complete(&request(), &call(40)).await.expect_err("all hang");
    let times: Vec<u64> = error.attempts.iter().map(|a| a.duration_ms).collect();
    assert_eq!(times, [20_000, 10_000, 10_000]);
    let begun = Cascade::new(vec![scripted("a", vec![slow(18)]), scripted("b", vec![])]);
    let answer = begun.complete(&request(), &call(40)).await.expect("a model that has begun keeps its time");
    assert_eq!((answer.provider.as_str(), answer.duration_ms), ("a", 36_000));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_ran_into_the_void_is_asked_last_for_a_while() {
    let a = scripted("a", vec![Step::Hang, Step::Reply("a".into()), Step::Reply("a".into())]);
    let b = scripted("b", vec![Step::Reply("b".into()), Step::Reply("b".into()), refused()]);
    let cascade = Cascade::new(vec![a.clone(), b]);
    let who = async || cascade.complete(&request(), &call(10)).await.expect("an answer").provider;
    assert_eq!(who().await, "b");
    assert_eq!(who().await, "b");
    assert_eq!(a.requests().len(), 1, "not asked again at once");
    assert_eq!(who().await, "a", "asked when the other one fails, although it rests");
    let cascade = Cascade::new(vec![
        scripted("a", vec![Step::Hang, Step::Reply("a".into())]),
        scripted("b", vec![Step::Reply("b".into())]),
    ]);
    cascade.complete(&request(), &call(10)).await.expect("b answers");
    tokio::time::sleep(Duration::from_millis(REST_MS)).await;
    assert_eq!(cascade.complete(&request(), &call(10)).await.expect("an answer").provider, "a", "after its rest");
    let alone = Cascade::new(vec![scripted("a", vec![Step::Hang, Step::Reply("a".into())])]);
    alone.complete(&request(), &call(10)).await.expect_err("it hangs");
    assert!(alone.complete(&request(), &call(10)).await.is_ok(), "the only one is asked every time");
}

// shows: models: no silent change of model after the first word
#[tokio::test(start_paused = true)]
async fn after_the_first_word_nobody_else_is_asked() {
    let b = scripted("b", vec![Step::Reply("b".into())]);
    let cascade = Cascade::new(vec![scripted("a", vec![slow(20)]), b.clone(), Arc::new(Reflex::new("m"))]);
    let (to, _reader) = mpsc::channel(64);
    let error = cascade.complete(&request(), &Call { deltas: Some(to), ..call(30) }).await.expect_err("it breaks off");
    assert_eq!(names(&error), [("a", &Failure::Timeout { stage: Stage::Total })]);
    assert_eq!(error.partial, "one two");
    assert!(b.requests().is_empty());
    assert_eq!(error.problem().code, "broke_off");
    assert_eq!(error.to_string(), "The answer broke off. a: the answer was not finished in time.");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_call_stops_everything_and_keeps_what_came() {
    let b = scripted("b", vec![Step::Reply("b".into())]);
    let cascade = Cascade::new(vec![scripted("a", vec![slow(20)]), b.clone(), Arc::new(Reflex::new("m"))]);
    let (ask, stopped) = (request(), call(60));
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stopped.cancel.cancel();
    };
    let error = tokio::join!(cascade.complete(&ask, &stopped), stopping).0.expect_err("stopped");
    assert_eq!((error.is_cancelled(), error.partial.as_str(), error.problem().code), (true, "one ", "cancelled"));
    assert!(b.requests().is_empty());
    assert_eq!(cascade.status()[0].failures, 0, "being stopped is no failure");
    let error = cascade.complete(&request(), &stopped).await.expect_err("stopped before it began");
    assert_eq!(error.attempts.len(), 1);
}

// shows: models: a fallback never carries what must stay here, and says that privacy stopped it
#[tokio::test(start_paused = true)]
async fn privacy_holds_in_the_fallback_and_is_told() {
    let far = Arc::new(Scripted::script(vec![Step::Reply("far".into())]).named("far").at(Place::Remote));
    let cascade =
        Cascade::new(vec![scripted("a", vec![refused(), refused()]), far.clone(), Arc::new(Reflex::new("m"))]);
    assert_eq!(cascade.complete(&request(), &call(9)).await.map(|a| a.place), Ok(Place::Remote));
    let mut private = request();
    private.messages[0].parts[0].droppable = false;
    let answer = cascade.complete(&private, &call(9)).await.expect("reflex answers");
    assert_eq!(answer.place, Place::Reflex);
    assert!(
        matches!(&answer.attempts[1], Attempt { provider, failure: Failure::Privacy { .. }, .. } if provider == "far")
    );
    assert_eq!(far.requests().len(), 1, "the private one never got there");
}

#[tokio::test(start_paused = true)]
async fn every_reason_is_told_in_words() {
    let cascade = Cascade::new(vec![
        scripted("a", vec![Step::Fail(Failure::RateLimited { retry_after: Some(Duration::from_millis(6_500)) })]),
        scripted("b", (0..3).map(|_| Step::Fail(Failure::ServerError { status: 502 })).collect()),
    ]);
    let error = cascade.complete(&request(), &call(9)).await.expect_err("both fail");
    assert_eq!(
        error.to_string(),
        "No answer came. a: it takes no more requests for now, the next one in 7 s. b: it failed with status 502."
    );
    assert_eq!(
        (error.problem().code, error.problem().hint.as_str()),
        ("no_model", "Wait a little, or add another provider.")
    );
    let nobody = Cascade::new(vec![]).complete(&request(), &call(9)).await.expect_err("nobody");
    assert_eq!(nobody.to_string(), "No provider of models is configured.");
    assert!(!nobody.problem().hint.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_never_reads_does_not_hold_the_model_up() {
    let chunks: Vec<String> = (0..500).map(|n| format!("{n} ")).collect();
    let cascade = Cascade::new(vec![scripted("a", vec![Step::Slow { chunks: chunks.clone(), every: Duration::ZERO }])]);
    let (to, mut from) = mpsc::channel(2);
    let answer = cascade.complete(&request(), &Call { deltas: Some(to), ..call(60) }).await.expect("an answer");
    assert_eq!(answer.content, chunks.concat());
    assert_eq!(from.recv().await.as_deref(), Some("0 "));
}

/// A provider that is there or not, as the test says.
struct Lamp {
    info: ProviderInfo,
    lit: Mutex<bool>,
}

impl Provider for Lamp {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn chat<'a>(&'a self, _: &'a ChatRequest, _: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(std::future::pending())
    }
    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        let lit = self.lit.lock().map(|l| *l).unwrap_or_default();
        let health = Health { models: vec!["m".into()], version: None, model_in_use: "m".into() };
        Box::pin(async move { if lit { Ok(health) } else { Err(Failure::Unreachable { what: "dark".into() }) } })
    }
}

// shows: models: a provider that was down at boot is found when it comes up
#[tokio::test(start_paused = true)]
async fn looks_tell_only_what_changed() {
    let info = ProviderInfo { name: "lamp".into(), kind: "lamp", place: Place::Local };
    let lamp = Arc::new(Lamp { info, lit: Mutex::new(false) });
    let cascade = Cascade::new(vec![lamp.clone(), Arc::new(Reflex::new("m"))]);
    assert_eq!(cascade.status()[0].state, ProviderState::Unknown);
    let light = |on| *lamp.lit.lock().expect("not poisoned") = on;
    let look = async || {
        let changes = cascade.probe_all(Duration::from_secs(1)).await;
        changes.into_iter().map(|c| (c.provider, c.up, c.models, c.why)).collect::<Vec<_>>()
    };
    let up = vec![("lamp".to_owned(), true, vec!["m".to_owned()], String::new())];
    let down = vec![("lamp".to_owned(), false, vec![], "dark".to_owned())];
    assert_eq!(look().await, down);
    assert_eq!((look().await, cascade.has_model()), (vec![], false));
    light(true);
    assert_eq!(look().await, up);
    assert_eq!((look().await, cascade.has_model()), (vec![], true));
    assert_eq!(cascade.status()[0].model_in_use, "m");
    // A provider that ignores its time is dropped all the same.
    let error = cascade.complete(&request(), &call(1)).await.map(|a| a.attempts[0].failure.clone());
    assert_eq!(error, Ok(Failure::Timeout { stage: Stage::FirstToken }));
    light(false);
    assert_eq!(look().await, down);
}

#[tokio::test(start_paused = true)]
async fn calls_failures_tokens_and_times_are_counted_for_each_provider() {
    let cascade = Cascade::new(vec![scripted("a", vec![refused(), slow(2), Step::Hang])]);
    cascade.complete(&request(), &call(60)).await.expect_err("refused");
    cascade.complete(&request(), &call(60)).await.expect("answered");
    let figures = &cascade.figures()[0];
    assert_eq!((figures.name.as_str(), figures.up, figures.busy, figures.answers), ("a", Some(true), 0, 1));
    assert_eq!(figures.failures, [("unreachable", 1)].into());
    assert!(figures.usage.completion_tokens > 0, "{figures:?}");
    assert_eq!((figures.first_word.count, figures.took.count), (1, 2));
    assert!(figures.took.sum_seconds >= 2.0, "{figures:?}");
    let asking = cascade.clone();
    let hanging = tokio::spawn(async move { asking.complete(&request(), &call(60)).await });
    tokio::task::yield_now().await;
    assert_eq!(cascade.figures()[0].busy, 1);
    hanging.abort();
    assert!(hanging.await.is_err());
    assert_eq!(cascade.figures()[0].busy, 0, "a call that was dropped is not in flight");
}

mod errands;
mod meant;
mod router;
mod spending;
