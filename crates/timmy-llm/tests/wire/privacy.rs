//! No byte that must stay here reaches the socket of a provider elsewhere.

use std::sync::Arc;

use proptest::prelude::*;
use timmy_domain::Sensitivity;
use timmy_domain::thought::Place;
use timmy_llm::{
    Brief, Cascade, CascadeSettings, ChatMessage, ChatRequest, Fact, Failure, Part, Provider, Reflex, Role, Rules,
    Sampling, TaskClass, ToolCall,
};

use crate::stub::{Act, Stub, chatting, ok};
use crate::{FORMATS, patient};

/// What a part is made of: its label, whether it may be left out, and some text.
pub type Piece = (bool, bool, String);

pub fn any_message() -> impl Strategy<Value = (u8, Vec<Piece>, bool)> {
    let piece = (proptest::bool::weighted(0.3), proptest::bool::weighted(0.8), "[a-z\"\\\\\n🦀é ]{0,12}");
    (0..8_u8, proptest::collection::vec(piece, 0..4), proptest::bool::weighted(0.2))
}

/// A request in which every local-only text carries a mark of its own.
pub fn build(messages: Vec<(u8, Vec<Piece>, bool)>) -> ChatRequest {
    let mut marks = 0..;
    let mut message = |(role, pieces, calls): (u8, Vec<Piece>, bool)| {
        let role = match role {
            0 => Role::System,
            1 => Role::Assistant,
            2 => Role::Tool,
            _ => Role::User,
        };
        let parts: Vec<Part> = pieces
            .into_iter()
            .map(|(local, droppable, text)| {
                let sensitivity = if local { Sensitivity::LocalOnly } else { Sensitivity::Open };
                let mark = marks.next().unwrap_or(0);
                let text = if local { format!("{text}LOCAL{mark}x") } else { format!("{text}OPEN{mark}x") };
                Part { text, sensitivity, droppable }
            })
            .collect();
        let local = parts.iter().any(|p| p.sensitivity == Sensitivity::LocalOnly);
        let arguments = if local { "{\"LOCAL\":1}" } else { "{}" };
        let call = ToolCall { id: "c".into(), name: "look".into(), arguments: arguments.into() };
        let tool_calls = if calls { vec![call] } else { vec![] };
        ChatMessage { role, parts, tool_calls, tool_call_id: None, images: Vec::new() }
    };
    let facts = vec![Fact { text: "LOCAL fact".into(), weight: 1, fresh: true }];
    ChatRequest {
        messages: messages.into_iter().map(&mut message).collect(),
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: 16,
        temperature: None,
        model: None,
        sampling: Sampling::default(),
        brief: Brief { facts, question: Some("LOCAL question".into()) },
    }
}

/// Whether a request may go elsewhere, said once more and differently than the code says it.
fn may_leave(request: &ChatRequest) -> bool {
    let stays = |m: &&ChatMessage| m.parts.iter().any(|p| p.sensitivity == Sensitivity::LocalOnly);
    let bound = |m: &ChatMessage| m.role == Role::Tool || !m.tool_calls.is_empty();
    let undroppable = |m: &ChatMessage| m.parts.iter().any(|p| p.sensitivity == Sensitivity::LocalOnly && !p.droppable);
    let refused = request.messages.iter().filter(stays).any(|m| bound(m) || undroppable(m));
    let asks = |m: &ChatMessage| {
        m.role != Role::System && (!stays(&m) || m.parts.iter().any(|p| p.sensitivity == Sensitivity::Open))
    };
    !refused && request.messages.iter().any(asks)
}

async fn check(request: &ChatRequest, stub: &Stub, provider: Arc<dyn Provider>) -> Result<(), TestCaseError> {
    let before = stub.seen().len();
    // What it costs is known, so that nothing but privacy can stop it.
    let prices = vec![format!("{}/* 0 0", provider.info().name)];
    let rules = Rules::of(&CascadeSettings { prices, ..CascadeSettings::default() }).expect("rules");
    let answer = Cascade::with(vec![provider, Arc::new(Reflex::new("m"))], rules).complete(request, &patient()).await;
    let answer = answer.expect("reflex answers at least");
    let seen = stub.seen().split_off(before);
    for asked in &seen {
        prop_assert!(!asked.contains("LOCAL"), "left this machine: {}", asked);
    }
    let asked = seen.iter().find(|r| r.starts_with("POST"));
    prop_assert_eq!(asked.is_some(), may_leave(request));
    let Some(asked) = asked else {
        let refused = matches!(answer.attempts[0].failure, Failure::Privacy { .. });
        prop_assert!(refused, "the owner is told that privacy stopped it");
        return Ok(());
    };
    prop_assert_eq!(answer.place, Place::Remote);
    for part in request.messages.iter().flat_map(|m| &m.parts).filter(|p| p.sensitivity == Sensitivity::Open) {
        let mark = part.text.rfind("OPEN").map(|at| &part.text[at..]).unwrap_or_default();
        prop_assert!(asked.contains(mark), "{} was lost", mark);
    }
    Ok(())
}

// shows: models: no local-only text reaches a provider elsewhere
#[test]
fn no_local_only_text_leaves_this_machine() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let servers: Vec<_> = FORMATS
        .into_iter()
        .map(|format| {
            let stub = runtime.block_on(chatting(vec![Act::Write(ok(&(format.token("Yes.") + &format.end())))]));
            let provider = format.provider(&stub.url, "remote", 10_000);
            assert_eq!(provider.info().place, Place::Remote);
            (stub, provider)
        })
        .collect();
    proptest!(ProptestConfig::with_cases(300), |(messages in proptest::collection::vec(any_message(), 0..6))| {
        let request = build(messages);
        for (stub, provider) in &servers {
            runtime.block_on(check(&request, stub, Arc::clone(provider)))?;
        }
    });
}

#[tokio::test]
async fn a_provider_here_gets_everything() {
    for format in FORMATS {
        let stub = chatting(vec![Act::Write(ok(&(format.token("Yes.") + &format.end())))]).await;
        let pieces = vec![(true, false, String::new()), (false, false, String::new())];
        let request = build(vec![(4, pieces, false)]);
        format.provider(&stub.url, "", 10_000).chat(&request, &patient()).await.expect("an answer");
        assert!(stub.last().contains("LOCAL0xOPEN1x"), "{}", stub.last());
        assert!(
            !stub.last().contains("LOCAL fact") && !stub.last().contains("LOCAL question"),
            "the brief goes nowhere"
        );
    }
}
