//! Answers of the real worker: words, order, unloading, vectors.

use std::time::Duration;

use timmy_domain::Sensitivity;
use timmy_engine::EngineSettings;
use timmy_engine::worker::WorkerPhase;
use timmy_llm::{Cascade, Embedder, Failure, Finish, Part, Provider, Sampling};
use tokio_util::sync::CancellationToken;

use crate::support::{House, call, question, streaming, until};

// shows: engine: a GGUF file in the models folder answers through the worker process, streamed, the same each time
#[tokio::test]
async fn a_model_answers_in_words_that_come_as_they_are_made() {
    let house = House::tiny();
    let (call, mut words) = streaming();
    let first = house.provider.chat(&question("Tell me of the sea.", 24), &call).await.expect("an answer");
    drop(call);
    let mut said = String::new();
    while let Some(piece) = words.recv().await {
        said.push_str(&piece);
    }
    assert_eq!(said, first.content);
    assert!(!first.content.is_empty() && first.usage.completion_tokens > 0 && first.usage.prompt_tokens > 3);
    assert_eq!(first.model, "tiny");
    let again = house.ask(&question("Tell me of the sea.", 24)).await.expect("an answer");
    assert_eq!(again, first, "what is known of the question before changes nothing");
    let state = house.provider.state();
    assert_eq!((state.phase, state.starts, state.deaths), (WorkerPhase::Idle, 1, 0));
    assert!(state.loaded.is_some_and(|loaded| !loaded.fallback_template && loaded.threads == 1));
}

#[tokio::test]
async fn chance_follows_the_seed_and_stops_end_the_answer() {
    let house = House::tiny();
    let drawn = |seed| {
        let mut request = question("Tell me of the sea.", 16);
        request.temperature = Some(1.5);
        request.sampling.seed = Some(seed);
        request
    };
    let (one, two) = (house.ask(&drawn(1)).await.expect("one"), house.ask(&drawn(1)).await.expect("two"));
    assert_eq!(one.content, two.content);
    assert_ne!(house.ask(&drawn(2)).await.expect("three").content, one.content);

    let whole = house.ask(&question("Hello", 16)).await.expect("an answer").content;
    let letters: Vec<char> = whole.chars().collect();
    let stop: String = letters[letters.len() / 2..].iter().take(3).collect();
    let mut request = question("Hello", 16);
    request.sampling = Sampling { stop: vec![stop.clone()], ..Sampling::default() };
    let cut = house.ask(&request).await.expect("an answer");
    assert_eq!((cut.content.as_str(), cut.finish), (whole.split(&stop).next().expect("a part"), Finish::Stop));
}

#[tokio::test]
async fn the_cascade_asks_the_engine_like_any_other() {
    let house = House::tiny();
    let cascade = Cascade::new(vec![house.provider.clone()]);
    let answer = cascade.complete(&question("Hello", 8), &call()).await.expect("an answer");
    assert_eq!((answer.provider.as_str(), answer.model.as_str()), ("engine", "tiny"));
    assert!(answer.attempts.is_empty());
}

// shows: engine: questions come one after the other through a bounded queue, and one too many is refused at once
#[tokio::test]
async fn questions_come_in_turn_and_one_too_many_is_refused() {
    let house = House::tiny();
    house.ask(&question("Warm up", 1)).await.expect("loaded");
    let mut asked = Vec::new();
    let (ended, mut order) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..4 {
        let (provider, ended) = (house.provider.clone(), ended.clone());
        asked.push(tokio::spawn(async move {
            let done = provider.chat(&question(&format!("Question {n}"), 8), &call()).await;
            ended.send(n).ok();
            done
        }));
        // Each has its place in the queue before the next one asks.
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for task in asked {
        task.await.expect("no panic").expect("an answer");
    }
    let mut ends = Vec::new();
    while let Ok(n) = order.try_recv() {
        ends.push(n);
    }
    assert_eq!(ends, [0, 1, 2, 3]);

    // One is worked on for long, so many wait, and the next one is refused.
    let long = CancellationToken::new();
    let mut busy = Vec::new();
    for n in 0..=timmy_engine::worker::QUEUE_MAX {
        let (provider, cancel) = (house.provider.clone(), long.clone());
        busy.push(tokio::spawn(async move {
            let call = timmy_llm::Call { cancel, ..call() };
            provider.chat(&question(&format!("Long {n}"), 1_500), &call).await
        }));
        tokio::time::sleep(Duration::from_millis(5)).await;
        if n == 0 {
            let provider = house.provider.clone();
            until("the first one's turn", || provider.state().phase == WorkerPhase::Busy).await;
        }
    }
    let refused = house.ask(&question("One more", 1)).await;
    long.cancel();
    let ended = futures(busy).await;
    if !ended.iter().any(|done| done.is_ok()) {
        assert_eq!(refused, Err(Failure::RateLimited { retry_after: None }));
    }
    assert_eq!(house.provider.state().deaths, 0);
    // Those that were given up leave the queue one by one.
    loop {
        match house.ask(&question("After that", 1)).await {
            Err(Failure::RateLimited { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            done => break done.map(drop).expect("an answer as ever"),
        }
    }
}

async fn futures<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.expect("no panic"));
    }
    done
}

// shows: engine: a model nobody asks for leaves memory after the time that was set, and comes back when asked
#[tokio::test]
async fn a_model_nobody_asks_for_leaves() {
    let house = House::tiny_with(&EngineSettings { idle_unload_seconds: 3_600, ..EngineSettings::default() });
    house.ask(&question("Hello", 2)).await.expect("an answer");
    assert!(!house.workers().is_empty());
    assert!(house.provider.holds(&call()).await.expect("a report").weight_bytes > 0);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_599)).await;
    tokio::task::yield_now().await;
    assert_eq!(house.provider.state().phase, WorkerPhase::Idle);
    tokio::time::advance(Duration::from_secs(2)).await;
    let provider = house.provider.clone();
    until("the end of the worker", || provider.state().phase == WorkerPhase::Away).await;
    tokio::time::resume();
    until("the end of its process", || house.workers().is_empty()).await;
    assert_eq!(house.provider.holds(&call()).await.expect("a report").weight_bytes, 0);
    assert_eq!(house.provider.state().starts, 1, "a look starts nothing");

    house.ask(&question("Hello", 2)).await.expect("an answer");
    assert_eq!((house.provider.state().starts, house.provider.state().deaths), (2, 0));
}

// shows: engine: the worker starts no more threads than it was given, whatever the machine has
#[tokio::test]
async fn a_worker_starts_the_threads_it_was_given() {
    for threads in [1, 3] {
        let house =
            House::new(crate::support::WORKER, &EngineSettings { memory_mb: 512, threads, ..Default::default() });
        crate::support::write_tiny(&house.models().join("tiny.gguf"));
        house.ask(&question("Hello", 4)).await.expect("an answer");
        assert_eq!(house.provider.state().loaded.map(|loaded| loaded.threads as u64), Some(threads));
        let worker = *house.workers().last().expect("a worker");
        let variables = std::fs::read(format!("/proc/{worker}/environ")).expect("its environment");
        let variables = String::from_utf8_lossy(&variables).into_owned();
        for name in ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
            let given = format!("{name}={threads}");
            assert!(variables.split('\0').any(|one| one == given), "{given} in {variables}");
        }
    }
}

// shows: engine: texts become vectors of the loaded model, each the same whatever was asked before
#[tokio::test]
async fn texts_become_vectors() {
    let house = House::tiny();
    let part = |text: &str| Part { text: text.to_owned(), sensitivity: Sensitivity::LocalOnly, droppable: false };
    let texts = [part("the sea"), part("a tax form"), part("")];
    let first = house.provider.embed(&texts, &call()).await.expect("vectors");
    house.ask(&question("Something else", 4)).await.expect("an answer");
    let again = house.provider.embed(&texts, &call()).await.expect("vectors");
    assert_eq!(first, again);
    assert_eq!(first.vectors.len(), 3);
    for vector in &first.vectors {
        let length: f32 = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }
    assert_ne!(first.vectors[0], first.vectors[1]);
    assert!(first.usage.prompt_tokens > 2);
}

// shows: engine: without a model file the refusal says where to put one, and a wrong file is refused with the reason
#[tokio::test]
async fn no_file_and_a_wrong_file_are_refused_with_the_next_step() {
    let house = House::new(crate::support::WORKER, &EngineSettings::default());
    let probe = house.provider.probe(Duration::from_secs(60)).await.expect_err("no model");
    assert_eq!(house.ask(&question("Hello", 2)).await.expect_err("no model"), probe);
    let Failure::NoModel { hint, .. } = &probe else { panic!("{probe:?}") };
    assert!(hint.contains(&house.models().display().to_string()), "{hint}");

    std::fs::write(house.models().join("wrong.gguf"), b"GGUF and nothing that follows").expect("written");
    house.provider.probe(Duration::from_secs(60)).await.expect("there is a file; loading it is for the first question");
    let refused = house.ask(&question("Hello", 2)).await.expect_err("a wrong file");
    assert!(matches!(&refused, Failure::Unsupported { what } if what.starts_with("wrong.gguf: ")), "{refused:?}");
    let state = house.provider.state();
    assert_eq!((state.starts, state.deaths), (1, 0), "the worker was never at fault");

    crate::support::write_tiny(&house.models().join("zz.gguf"));
    let mut request = question("Hello", 2);
    request.model = Some("zz".to_owned());
    assert_eq!(house.ask(&request).await.expect("an answer").model, "zz");
}

#[tokio::test]
async fn a_prompt_longer_than_the_context_is_refused_and_an_answer_ends_with_it() {
    let house = House::tiny_with(&EngineSettings { context: 512, ..EngineSettings::default() });
    let long = "one more word ".repeat(600);
    assert_eq!(house.ask(&question(&long, 5)).await, Err(Failure::ContextLength));
    let full = house.ask(&question("Hello", 4_000)).await.expect("an answer");
    let tokens = full.usage.prompt_tokens + full.usage.completion_tokens;
    assert!(tokens <= 512 && (full.finish == Finish::Length) == (tokens == 512), "{:?} {tokens}", full.finish);
}
