//! A worker that dies, hangs or lies costs the answer it was making, never more.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use timmy_domain::Sensitivity;
use timmy_engine::gguf::Header;
use timmy_engine::worker::WorkerPhase;
use timmy_llm::{Call, Embedder, Failure, Part, Provider, Stage};
use tokio::time::Instant;

use crate::support::{House, call, question, streaming, until};

// shows: engine: a worker killed in the middle of an answer is a typed failure, and the next question is answered
#[tokio::test]
async fn a_worker_killed_in_the_middle_is_told_and_started_again() {
    let house = House::tiny();
    let (call_now, mut words) = streaming();
    let provider = house.provider.clone();
    let asked = tokio::spawn(async move { provider.chat(&question("Tell me everything.", 2_000), &call_now).await });
    while words.recv().await.expect("words").is_empty() {}
    let workers = house.workers();
    let innermost = workers.last().copied().and_then(Pid::from_raw).expect("a worker");
    kill_process(innermost, Signal::KILL).expect("killed");
    let failure = asked.await.expect("no panic").expect_err("half an answer is none");
    assert!(matches!(&failure, Failure::ServerFault { detail } if detail.contains("killed")), "{failure:?}");
    assert_eq!(house.provider.state().deaths, 1);
    house.ask(&question("And now?", 4)).await.expect("an answer");
    assert_eq!(house.provider.state().starts, 2);
}

// shows: engine: stopping an answer stops the model, and the worker lives on
#[tokio::test]
async fn an_answer_that_is_given_up_stops_the_model() {
    let house = House::tiny();
    let (call_now, mut words) = streaming();
    let cancel = call_now.cancel.clone();
    let provider = house.provider.clone();
    let asked = tokio::spawn(async move { provider.chat(&question("Tell me everything.", 2_000), &call_now).await });
    while words.recv().await.expect("words").is_empty() {}
    cancel.cancel();
    assert_eq!(asked.await.expect("no panic"), Err(Failure::Cancelled));
    house.ask(&question("And now?", 4)).await.expect("an answer");
    let state = house.provider.state();
    assert_eq!((state.starts, state.deaths), (1, 0), "the same worker");
}

// shows: engine: abort, panic, want of memory, garbage, lies about lengths and silence of the worker are typed failures
#[tokio::test]
async fn every_kind_of_misbehaviour_is_a_typed_failure() {
    let fault = |words: &'static str| move |failure: &Failure| matches!(failure, Failure::ServerFault { detail } if detail.contains(words));
    let malformed = |failure: &Failure| matches!(failure, Failure::Malformed { .. });
    type Expected = Box<dyn Fn(&Failure) -> bool>;
    let rows: [(&str, Expected); 8] = [
        ("aborts", Box::new(fault("worker gave up"))),
        ("eats", Box::new(fault("worker gave up"))),
        ("panics", Box::new(fault("the arithmetic fell over"))),
        ("dies-at-load", Box::new(fault("worker gave up"))),
        ("cut", Box::new(fault("its worker ended"))),
        ("garbage", Box::new(malformed)),
        ("lies", Box::new(malformed)),
        ("stranger", Box::new(malformed)),
    ];
    for (manner, expected) in rows {
        let house = House::villain(manner);
        let failure = house.ask(&question("Hello", 4)).await.expect_err(manner);
        assert!(expected(&failure), "{manner}: {failure:?}");
        assert_eq!(house.provider.state().deaths, 1, "{manner}");
        until("the end of its process", || house.workers().is_empty()).await;
    }
}

// shows: engine: a worker whose words never end is broken off at a bound, and killed when it goes on
#[tokio::test]
async fn a_worker_that_never_ends_is_broken_off() {
    let house = House::villain("floods");
    let failure = house.ask(&question("Hello", 4)).await;
    assert!(matches!(&failure, Err(Failure::TooLarge { .. })), "{failure:?}");
    until("the end of its process", || house.workers().is_empty()).await;
}

/// Makes every weight of a tensor in single precision no number.
fn spoil(file: &mut [u8], tensor: &str) {
    let header = Header::read(&*file, file.len() as u64).expect("a header");
    let at = &header.tensors[tensor];
    let (from, end) =
        (usize::try_from(at.offset).expect("small"), usize::try_from(at.offset + at.bytes).expect("small"));
    file[from..end].chunks_exact_mut(4).for_each(|weight| weight.copy_from_slice(&f32::NAN.to_le_bytes()));
}

// shows: engine: a model file whose weights are no numbers makes no vectors, is told with the reason, and the worker lives on
#[tokio::test]
async fn weights_that_are_no_numbers_are_refused() {
    let house = House::tiny();
    let mut file = std::fs::read(house.models().join("tiny.gguf")).expect("the tiny model");
    spoil(&mut file, "output_norm.weight");
    std::fs::write(house.models().join("tiny.gguf"), file).expect("written");
    let texts = [Part { text: "the sea".to_owned(), sensitivity: Sensitivity::LocalOnly, droppable: false }];
    let failure = house.provider.embed(&texts, &call()).await;
    let told = matches!(&failure, Err(Failure::ServerFault { detail }) if detail.contains("make no numbers"));
    assert!(told, "{failure:?}");
    // Words may come of it or not; they end.
    let _ = house.ask(&question("Hello", 4)).await;
    let state = house.provider.state();
    assert_eq!((state.starts, state.deaths), (1, 0), "{}", state.last_death);
}

// shows: engine: a worker that hangs is killed when the caller's time is over, and its silence is a typed failure
#[tokio::test]
async fn a_worker_that_hangs_is_killed() {
    for (manner, stage) in [("hangs", Stage::FirstToken), ("goes-silent", Stage::Total)] {
        let house = House::villain(manner);
        let soon = Call { deadline: Instant::now() + Duration::from_millis(1_500), ..call() };
        let failure = house.provider.chat(&question("Hello", 4), &soon).await;
        assert_eq!(failure, Err(Failure::Timeout { stage }), "{manner}");
        // It does not give the question up, so it goes.
        let provider = house.provider.clone();
        loop {
            if provider.state().phase == WorkerPhase::Away && house.workers().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

// shows: engine: a worker that dies again and again is started later each time, and meanwhile the refusal says when
#[tokio::test]
async fn a_worker_that_dies_again_and_again_rests() {
    let house = House::villain("aborts");
    let mut failures = Vec::new();
    for _ in 0..4 {
        failures.push(house.ask(&question("Hello", 4)).await.expect_err("it aborts"));
    }
    assert!(failures[..3].iter().all(|f| matches!(f, Failure::ServerFault { .. })), "{failures:?}");
    let Failure::Unreachable { what } = house.ask(&question("Hello", 4)).await.expect_err("it rests") else {
        panic!("{failures:?}")
    };
    assert!(what.starts_with("its worker died 4 times in a row and starts again in "), "{what}");
    let state = house.provider.state();
    assert_eq!((state.starts, state.deaths, state.phase), (4, 4, WorkerPhase::Resting));
}
