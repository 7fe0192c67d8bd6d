//! The conformance suite for those without a wire: the script and reflex.

use std::time::Duration;

use timmy_domain::thought::Place;
use timmy_llm::{
    ANSWER_BYTES_MAX, Call, Cascade, Completion, Fact, Failure, Finish, Provider, Reflex, Scripted, Stage, Step,
    TaskClass, ToolCall, ToolChoice,
};
use tokio::sync::mpsc;

use crate::{call, patient, request};

fn slow(chunks: &[&str], every: Duration) -> Step {
    Step::Slow { chunks: chunks.iter().map(|chunk| (*chunk).to_owned()).collect(), every }
}

/// Asks, and gives every piece that came as well.
async fn heard(provider: &dyn Provider, call: Call) -> (Result<Completion, Failure>, Vec<String>) {
    let (to, mut from) = mpsc::channel(4_096);
    let done = provider.chat(&request("hello"), &Call { deltas: Some(to), ..call }).await;
    let mut pieces = Vec::new();
    while let Ok(piece) = from.try_recv() {
        pieces.push(piece);
    }
    pieces.retain(|piece| !piece.is_empty());
    (done, pieces)
}

#[tokio::test(start_paused = true)]
async fn scripted_streams_whatever_characters_its_pieces_hold() {
    // A sign that is made of several, letters with marks of their own, and text from right to left, cut between any two.
    let text = "Grüße e\u{301}🦀 👩\u{200d}🚀 שלום\n";
    let characters: Vec<String> = text.chars().map(String::from).collect();
    let pieces: Vec<&str> = characters.iter().map(String::as_str).collect();
    let scripted = Scripted::script(vec![slow(&pieces, Duration::from_millis(1))]);
    let (done, came) = heard(&scripted, patient()).await;
    assert_eq!(done.map(|c| (c.content, c.finish)), Ok((text.to_owned(), Finish::Stop)));
    assert_eq!(came, pieces);
}

#[tokio::test(start_paused = true)]
async fn scripted_stops_at_once_before_a_word_and_between_two() {
    let second = Duration::from_secs(1);
    for (step, after, expected) in
        [(Step::Hang, second, vec![]), (slow(&["one ", "two ", "three"], second), second * 3 / 2, vec!["one ", "two "])]
    {
        let scripted = Scripted::script(vec![step]);
        let stopped = patient();
        let cancel = stopped.cancel.clone();
        let began = tokio::time::Instant::now();
        let stopping = async {
            tokio::time::sleep(after).await;
            cancel.cancel();
        };
        let ((done, came), ()) = tokio::join!(heard(&scripted, stopped), stopping);
        assert_eq!((done, came), (Err(Failure::Cancelled), expected.into_iter().map(str::to_owned).collect()));
        assert_eq!(began.elapsed(), after, "at once");
    }
}

#[tokio::test(start_paused = true)]
async fn scripted_is_late_as_any_other() {
    let second = Duration::from_secs(1);
    for (step, stage) in [(Step::Hang, Stage::FirstToken), (slow(&["one ", "two"], second * 2), Stage::Total)] {
        let scripted = Scripted::script(vec![step]);
        let done = scripted.chat(&request("x"), &call(3_000)).await;
        assert_eq!(done, Err(Failure::Timeout { stage }));
    }
}

#[tokio::test(start_paused = true)]
async fn scripted_that_talks_nonsense_or_is_busy_is_treated_as_any_other() {
    let malformed = Failure::Malformed { what: "the answer is not JSON where it should be".to_owned() };
    let busy = Failure::RateLimited { retry_after: Some(Duration::from_secs(3)) };
    // What it says, how long the second try waits for that, and whether it counts against it.
    for (failure, waits_ms, counts) in [(malformed, 500, 1), (busy, 3_000, 0)] {
        let steps = vec![Step::Fail(failure.clone()), Step::Reply("well".to_owned())];
        let cascade = Cascade::new(vec![std::sync::Arc::new(Scripted::script(steps))]);
        let answer = cascade.complete(&request("x"), &call(20_000)).await.expect("a second try");
        assert_eq!((answer.content.as_str(), answer.duration_ms), ("well", waits_ms), "{failure:?}");
        assert_eq!(answer.attempts[0].failure, failure);
        assert_eq!(cascade.status()[0].known[0].failures, counts, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scripted_without_an_end_is_broken_off_at_the_bound_of_all() {
    let chunks = vec!["x".repeat(65_536); ANSWER_BYTES_MAX / 65_536 + 1];
    let scripted = Scripted::script(vec![Step::Slow { chunks, every: Duration::ZERO }]);
    let (done, came) = heard(&scripted, patient()).await;
    assert!(matches!(done, Err(Failure::TooLarge { .. })), "{done:?}");
    assert_eq!(came.concat().len(), ANSWER_BYTES_MAX, "and not a byte more");
}

#[tokio::test(start_paused = true)]
async fn scripted_gives_a_call_as_it_stands_however_it_was_cut() {
    let arguments = r#"{"at":"dö🦀r"}"#;
    for (at, _) in arguments.char_indices() {
        let call = ToolCall { id: "1".into(), name: "look".into(), arguments: arguments[..at].to_owned() };
        let scripted = Scripted::script(vec![Step::Tool(vec![call.clone()])]);
        let done = scripted.chat(&request("x"), &patient()).await.expect("a call");
        assert_eq!(
            (done.tool_calls, done.finish),
            (vec![call], Finish::ToolCalls),
            "nothing is made whole or left out"
        );
    }
}

/// Reflex with so many facts of so many characters to tell.
fn facts(count: usize, text: &str) -> timmy_llm::ChatRequest {
    let fact = |n: usize| Fact { text: format!("{n} {text}"), weight: 50, fresh: true };
    let mut request = request("x");
    request.brief.facts = (0..count).map(fact).collect();
    request.brief.question = Some("What is new?".to_owned());
    request
}

#[tokio::test]
async fn reflex_streams_line_by_line() {
    let (to, mut from) = mpsc::channel(64);
    let done = Reflex::new("m").chat(&facts(3, "tides"), &Call { deltas: Some(to), ..patient() }).await.expect("words");
    let mut pieces = Vec::new();
    while let Some(piece) = from.recv().await {
        pieces.push(piece);
    }
    assert_eq!(pieces.concat(), done.content);
    assert!(pieces.len() > 4 && pieces.iter().rev().skip(1).all(|piece| piece.ends_with('\n')), "{pieces:?}");
}

#[tokio::test(start_paused = true)]
async fn reflex_stops_before_a_word_and_when_nobody_reads() {
    let (to, mut from) = mpsc::channel(1);
    let stopped = Call { deltas: Some(to), ..patient() };
    stopped.cancel.cancel();
    assert_eq!(Reflex::new("m").chat(&facts(3, "tides"), &stopped).await, Err(Failure::Cancelled));
    drop(stopped);
    assert_eq!(from.recv().await, None, "not a word");
    // The reader takes one piece and no more. Giving up ends the wait for it.
    let (to, _reader) = mpsc::channel(1);
    let stopped = Call { deltas: Some(to), ..patient() };
    let cancel = stopped.cancel.clone();
    let began = tokio::time::Instant::now();
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        cancel.cancel();
    };
    let (reflex, asked) = (Reflex::new("m"), facts(3, "tides"));
    let (done, ()) = tokio::join!(reflex.chat(&asked, &stopped), stopping);
    assert!(done.is_ok() && began.elapsed() == Duration::from_millis(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn reflex_says_little_however_much_there_is_to_tell() {
    for text in ["tides ".repeat(2_000), "🦀".repeat(5_000), "e\u{301}".repeat(5_000), "a\u{1b}[31m\n\0b ".repeat(500)]
    {
        let said = Reflex::new("m").chat(&facts(500, &text), &patient()).await.expect("words").content;
        assert!(said.chars().count() < 3_000, "{} characters", said.chars().count());
        assert!(!said.contains(['\u{fffd}', '\u{1b}', '\0']), "{said:?}");
        assert!(said.contains("- 0 "), "and yet it tells: {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reflex_calls_no_tool_and_says_so() {
    let cascade = Cascade::new(vec![std::sync::Arc::new(Reflex::new("m"))]);
    let mut asked = facts(3, "tides");
    asked.sampling.tool_choice = ToolChoice::Required;
    let error = cascade.complete(&asked, &call(3_000)).await.expect_err("it calls none");
    assert_eq!(error.attempts[0].failure, Failure::ToolNotCalled);
    let of_tools = timmy_llm::ChatRequest { class: TaskClass::ToolUse, ..facts(3, "tides") };
    let reflex = Reflex::new("m");
    assert_eq!(reflex.info().place, Place::Reflex);
    assert!(matches!(reflex.chat(&of_tools, &patient()).await, Err(Failure::Unsupported { .. })));
}
