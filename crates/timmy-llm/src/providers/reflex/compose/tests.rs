//! What reflex says in each situation.

use super::*;

fn fact(weight: u32, fresh: bool, text: &str) -> Fact {
    Fact { text: text.to_owned(), weight, fresh }
}

fn facts() -> Vec<Fact> {
    vec![
        fact(30, true, "I woke up at 09:00"),
        fact(90, true, "kelp: 3 commits by Ana, the last one about tides"),
        fact(85, false, "I cannot read reports: permission denied"),
        fact(60, false, "notes holds 12 files, mostly Markdown"),
    ]
}

fn say(question: &str, facts: Vec<Fact>) -> String {
    compose(&Brief { facts, question: Some(question.to_owned()) }, TaskClass::Chat, "a-model").expect("an answer")
}

// shows: models: thoughts are composed from fresh facts by rules
#[test]
fn a_thought_tells_the_weightiest_fresh_facts_in_the_first_person() {
    let think = |facts: Vec<Fact>| compose(&Brief { facts, question: None }, TaskClass::Thought, "m");
    let rows = [
        (facts(), Ok("I notice in kelp: 3 commits by Ana, the last one about tides. I woke up at 09:00.".to_owned())),
        (
            vec![fact(1, true, "a"), fact(4, true, "d!"), fact(2, true, "b"), fact(3, true, "c")],
            Ok("I notice: d! I also see: c. And this: b.".to_owned()),
        ),
        (
            vec![fact(9, true, "kelp: a"), fact(8, true, "kelp: b"), fact(7, true, "reef: c: d")],
            Ok("I notice in kelp: a. I also see: b. And this in reef: c: d.".to_owned()),
        ),
        (vec![fact(9, true, "same"), fact(8, true, "same")], Ok("I notice: same.".to_owned())),
        (vec![fact(9, true, "one\nline \u{1b}[31m")], Ok("I notice: one line [31m.".to_owned())),
        (vec![fact(99, false, "known")], Err(Failure::NothingToSay)),
        (vec![fact(9, true, "  \n ")], Err(Failure::NothingToSay)),
        (vec![], Err(Failure::NothingToSay)),
    ];
    for (facts, expected) in rows {
        assert_eq!(think(facts), expected);
    }
}

#[test]
fn an_answer_picks_the_facts_that_the_question_is_about() {
    let kelp = "- kelp: 3 commits by Ana, the last one about tides.";
    let reports = "- I cannot read reports: permission denied.";
    let woke = "- I woke up at 09:00.";
    let notes = "- notes holds 12 files, mostly Markdown.";
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("What is new?", &["What is new", kelp, woke], &[reports, notes]),
        ("How are you doing?", &["What I can see:", kelp, reports, notes, woke], &[]),
        ("Is anything waiting for me?", &["This may need you:", kelp, reports], &[notes, woke]),
        ("What about the folder notes?", &["touches your question", notes], &[kelp, reports, woke]),
        ("What did Ana commit?", &["touches your question", kelp], &[reports, notes, woke]),
        ("What is the meaning of life?", &["I cannot answer that without a model.", kelp], &[woke]),
        ("", &["What I can see:", kelp], &[]),
    ];
    for (question, holds, lacks) in rows {
        let said = say(question, facts());
        for text in *holds {
            assert!(said.contains(text), "{question}: {text:?} is not in {said}");
        }
        for text in *lacks {
            assert!(!said.contains(text), "{question}: {text:?} is in {said}");
        }
    }
}

#[test]
fn every_answer_says_that_no_model_speaks_and_how_to_get_one() {
    for question in ["What is new?", "Is anything pending?", "status", "Write me a poem.", "", "\u{0}\u{202e}"] {
        for facts in [facts(), vec![]] {
            let said = say(question, facts);
            assert!(said.starts_with("No language model answers right now, so this is reflex"), "{said}");
            assert!(said.ends_with("run `ollama pull a-model`; I find it by myself within 15 seconds."), "{said}");
        }
    }
}

#[test]
fn nothing_is_made_up_when_nothing_is_known() {
    let rows = [
        ("What is new?", "I can see nothing new."),
        ("Does anything need me?", "Nothing that I can see needs you."),
        ("status", "I can see nothing worth telling."),
        ("Who wrote Hamlet?", "I cannot answer that without a model."),
    ];
    for (question, expected) in rows {
        assert!(say(question, vec![]).contains(expected), "{question}");
    }
}

#[test]
fn an_answer_is_bounded_whatever_the_facts() {
    let many = (0..500).map(|n| fact(50, true, &format!("kelp {n} {}", "x".repeat(5_000)))).collect();
    assert!(say("kelp", many).chars().count() < 2_500);
}
