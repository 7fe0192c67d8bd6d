use serde_json::json;
use timmy_domain::Timestamp;
use timmy_domain::risk::RiskClass;

use super::*;

fn call(id: &str, tool: &str, arguments: &str) -> Call {
    Call { id: id.into(), tool: tool.into(), arguments: arguments.into() }
}

fn said(text: &str, calls: Vec<Call>) -> Reply {
    Reply::Said { text: text.into(), calls, tokens: 10, cost_micros: 0 }
}

fn plan(nonce: &str) -> Box<Plan> {
    Box::new(Plan::new(
        "shell",
        RiskClass::Execute,
        json!({"argv": ["ls"]}),
        nonce,
        Timestamp::from_micros(1_900_000_000_000_000),
    ))
}

fn did(well: bool) -> Reply {
    Reply::Did { text: "three files".into(), evidence: vec!["status 0".into()], taint: vec![Taint::Tool], well }
}

fn approval() -> ApprovalId {
    ApprovalId::new(5, &[5; 10])
}

// shows: tasks: a run asks, judges, waits for the owner, does and finishes with evidence
#[test]
fn a_run_goes_from_question_to_evidence() {
    let mut run = Run::default();
    assert_eq!(run.next(false), Effect::AskModel);
    run.take(said("I look.", vec![call("1", "shell", r#"{"argv":["ls"]}"#)]));
    assert!(matches!(run.next(false), Effect::Judge(call) if call.id == "1"));
    run.take(Reply::Asked { plan: plan("n"), approval: approval() });
    assert!(
        matches!(run.next(true), Effect::Look { approval: a, .. } if a == approval()),
        "days later, after a restart"
    );
    run.take(Reply::NotYet);
    assert!(matches!(run.next(true), Effect::Look { .. }));
    run.take(Reply::Allowed { plan: plan("n"), approval: Some(approval()) });
    assert!(matches!(run.next(false), Effect::Do { .. }));
    assert!(matches!(run.next(true), Effect::Recover { .. }), "found so after a crash it may have been done");
    run.take(did(true));
    assert_eq!(run.next(false), Effect::AskModel);
    run.take(said("There are three files.", Vec::new()));
    let Effect::Finish(Outcome::Done(result)) = run.next(false) else { panic!("done") };
    assert!(result.contains("three files") && result.contains("status 0"));
    assert_eq!(run.taint, [Taint::Tool]);
}

// shows: tasks: who claims to be done although the last call was not is told once and then not believed
#[test]
fn a_claim_without_evidence_is_not_done() {
    let mut run = Run::default();
    run.take(said("", vec![call("1", "shell", "{}")]));
    run.take(Reply::Refused("The owner said no.".into()));
    run.take(said("All done!", Vec::new()));
    assert_eq!(run.next(false), Effect::AskModel, "told once");
    assert!(matches!(run.turns.last(), Some(Turn::House { .. })));
    run.take(said("Really done.", Vec::new()));
    assert!(matches!(run.next(false), Effect::Finish(Outcome::Permanent(why)) if why.contains("not done")));
}

#[test]
fn words_alone_say_that_nothing_was_changed() {
    let mut run = Run::default();
    run.take(said("Paris.", Vec::new()));
    assert!(matches!(run.next(false), Effect::Finish(Outcome::Done(text)) if text.contains("No tool was used")));
    let mut empty = Run::default();
    empty.take(said(" \n", Vec::new()));
    assert!(matches!(empty.next(false), Effect::Finish(Outcome::Transient(_))));
    let mut silent = Run::default();
    silent.take(Reply::Silent("no model answers".into()));
    assert!(matches!(silent.next(false), Effect::Finish(Outcome::Transient(_))));
}

// shows: tasks: a run that goes in circles, asks too often or reads too much ends with the reason
#[test]
fn a_run_has_an_end() {
    let mut circles = Run::default();
    let mut rounds = 0;
    while !matches!(circles.next(false), Effect::Finish(_)) {
        // The same arguments, written differently.
        let args = if rounds % 2 == 0 { r#"{"a":1,"b":2}"# } else { r#"{ "b": 2, "a": 1 }"# };
        circles.take(said("again", vec![call("x", "read", args)]));
        circles.take(Reply::Allowed { plan: plan("n"), approval: None });
        circles.take(did(true));
        rounds += 1;
        assert!(rounds < 20);
    }
    assert!(matches!(circles.next(false), Effect::Finish(Outcome::Permanent(why)) if why.contains("circles")));
    let mut long = Run::default();
    for round in 0..100 {
        long.take(said("go on", vec![call("x", "read", &format!(r#"{{"n":{round}}}"#))]));
        long.take(Reply::Allowed { plan: plan("n"), approval: None });
        long.take(did(true));
    }
    assert_eq!(long.model_calls, MODEL_CALLS_MAX);
    let mut dear = Run::default();
    dear.take(Reply::Said {
        text: String::new(),
        calls: vec![call("x", "read", "{}")],
        tokens: RUN_TOKENS_MAX,
        cost_micros: 0,
    });
    dear.take(Reply::Refused("no".into()));
    assert!(matches!(dear.next(false), Effect::Finish(Outcome::Permanent(why)) if why.contains("tokens")));
}

#[test]
fn many_calls_of_one_answer_are_made_in_turn_and_the_rest_is_not_heard() {
    let mut run = Run::default();
    run.take(said("", (0..20).map(|n| call(&n.to_string(), "read", &n.to_string())).collect()));
    let mut made = 0;
    while let Effect::Judge(call) = run.next(false) {
        assert_eq!(call.id, made.to_string());
        run.take(Reply::Refused("not now".into()));
        made += 1;
    }
    assert_eq!(made, CALLS_PER_ANSWER_MAX);
}

#[test]
fn a_run_is_the_same_after_it_was_written_down_and_read() {
    let mut run = Run::default();
    run.take(said("", vec![call("1", "shell", "{}")]));
    run.take(Reply::Asked { plan: plan("n"), approval: approval() });
    let text = serde_json::to_string(&run).expect("json");
    assert_eq!(serde_json::from_str::<Run>(&text).expect("a run"), run);
}

#[test]
fn a_reply_that_nobody_waits_for_changes_nothing() {
    let mut run = Run::default();
    for reply in
        [did(true), Reply::Refused("x".into()), Reply::Allowed { plan: plan("n"), approval: None }, Reply::NotYet]
    {
        run.take(reply);
        assert_eq!(run, Run::default());
    }
}
