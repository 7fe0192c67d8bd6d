//! The script is followed, and what it was asked is remembered.

use timmy_domain::Sensitivity;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::provider::Manner;
use crate::request::{Brief, ChatMessage, Part, Role, Sampling, TaskClass};

fn request(text: &str, sensitivity: Sensitivity) -> ChatRequest {
    let part = Part { text: text.to_owned(), sensitivity, droppable: false };
    ChatRequest {
        messages: vec![ChatMessage {
            role: Role::User,
            parts: vec![part],
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
        brief: Brief::default(),
    }
}

fn call(seconds: u64) -> Call {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    Call { cancel: CancellationToken::new(), deadline, first_word_by: None, deltas: None, manner: Manner::default() }
}

#[tokio::test(start_paused = true)]
async fn replies_from_the_settings_come_in_turn_and_labelled() {
    let scripted = Scripted::new(&ScriptedSettings { delay_ms: 50, chunk_ms: 10, ..ScriptedSettings::default() });
    let ask = request("hi", Sensitivity::LocalOnly);
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(scripted.chat(&ask, &call(9)).await.expect("a reply").content);
    }
    assert_eq!(heard[0], heard[3]);
    assert!(heard.iter().all(|r| r.starts_with("Scripted reply")));
    assert_eq!(scripted.requests().len(), 4);
    let words = Scripted::new(&ScriptedSettings { replies: vec![], ..ScriptedSettings::default() });
    assert_eq!(words.chat(&ask, &call(9)).await, Err(Failure::NothingToSay));
}

#[tokio::test(start_paused = true)]
async fn each_step_does_what_it_says() {
    let every = Duration::from_secs(4);
    let tool = ToolCall { id: "1".into(), name: "look".into(), arguments: "{}".into() };
    let slow = || Step::Slow { chunks: vec!["a ".into(), "b".into()], every };
    let scripted = Scripted::script(vec![
        Step::Reply("x".into()),
        Step::Fail(Failure::Auth),
        Step::Hang,
        slow(),
        slow(),
        Step::Tool(vec![tool.clone()]),
    ]);
    let ask = request("hi", Sensitivity::Open);
    assert_eq!(scripted.chat(&ask, &call(9)).await.map(|c| c.content), Ok("x".into()));
    assert_eq!(scripted.chat(&ask, &call(9)).await, Err(Failure::Auth));
    assert_eq!(scripted.chat(&ask, &call(9)).await, Err(Failure::Timeout { stage: Stage::FirstToken }));
    let (to, mut from) = mpsc::channel(8);
    let heard = scripted.chat(&ask, &Call { deltas: Some(to), ..call(9) }).await.map(|c| c.content);
    assert_eq!((heard, from.recv().await.as_deref()), (Ok("a b".into()), Some("a ")));
    assert_eq!(scripted.chat(&ask, &call(5)).await, Err(Failure::Timeout { stage: Stage::Total }));
    let called = scripted.chat(&ask, &call(9)).await.expect("a call");
    assert_eq!((called.tool_calls, called.finish), (vec![tool], Finish::ToolCalls));
    assert_eq!(scripted.chat(&ask, &call(9)).await, Err(Failure::NothingToSay));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_script_can_be_stopped_and_one_elsewhere_is_not_told_what_stays_here() {
    let scripted = Scripted::script(vec![Step::Hang, Step::Reply("x".into())]).at(Place::Remote).named("far");
    let secret = request("private", Sensitivity::LocalOnly);
    assert!(matches!(scripted.chat(&secret, &call(9)).await, Err(Failure::Privacy { .. })));
    assert!(scripted.requests().is_empty());
    let hanging = call(9);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        hanging.cancel.cancel();
    };
    let ask = request("hi", Sensitivity::Open);
    assert_eq!(tokio::join!(scripted.chat(&ask, &hanging), stopping).0, Err(Failure::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_requests_is_bounded() {
    let scripted = Scripted::new(&ScriptedSettings::default());
    for n in 0..=REQUESTS_MAX {
        scripted.chat(&request(&n.to_string(), Sensitivity::Open), &call(9)).await.expect("a reply");
    }
    let requests = scripted.requests();
    assert_eq!((requests.len(), requests[0].messages[0].parts[0].text.as_str()), (REQUESTS_MAX, "1"));
}
