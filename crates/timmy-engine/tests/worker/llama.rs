//! llama.cpp built in, `make test-llama`: behind the same trait and in the same worker it says what this engine says.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use serde_json::{Value, json};
use timmy_domain::Sensitivity;
use timmy_domain::model::running::Way;
use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;
use timmy_engine::worker::WorkerPhase;
use timmy_engine::{EngineSettings, LoadOptions, Model, Runner};
use timmy_llm::{AnswerFormat, Call, Embedder, Failure, Finish, Part, Provider, Sampling};

use crate::support::{House, call, question, streaming, until};

/// Tokens that are said after each prompt.
const TOKENS: usize = 64;
const PROMPTS: [&str; 3] = [
    "This program is free software",
    "<|im_start|>user\nWhat is the capital of Italy? 1234 naïve 'I'll'<|im_end|>\n<|im_start|>assistant\n",
    "Timmy lives in one program on one machine, and keeps what it knows in one file. Gulls, boats and the light; 日本",
];

fn put(at: &Path, fixture: &Fixture) {
    fixture.write(&mut BufWriter::new(File::create(at).expect("a file"))).expect("a model");
}

fn with(runner: &str) -> EngineSettings {
    EngineSettings { runner: runner.to_owned(), ..EngineSettings::default() }
}

fn loaded(runner: Runner, path: &Path) -> Box<dyn Model> {
    let options =
        LoadOptions { path: path.to_owned(), memory_budget_bytes: None, threads: 1, context_length: Some(512) };
    runner.load(&options).expect("a model")
}

fn greedy(model: &mut dyn Model, prompt: &[u32]) -> Vec<u32> {
    let mut said = Vec::new();
    let mut logits = model.forward(prompt, 0).expect("logits");
    while said.len() < TOKENS {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).expect("a token");
        said.push(u32::try_from(best).expect("a number"));
        logits = model.forward(&said[said.len() - 1..], model.length()).expect("logits");
    }
    said
}

// Not on the page of what is shown: with llama.cpp built from its source, qwen3-moe parts from the engine of the house at
// token 55 after one of the prompts, and why is not known yet.
#[test]
fn greedy_tokens_are_those_of_the_engine_of_the_house() {
    let folder = tempfile::tempdir().expect("a folder");
    // Not Qwen 2: for the others seeds were searched with which no choice is so close that a last bit decides it.
    for architecture in
        [Architecture::Llama, Architecture::Qwen3, Architecture::Qwen3Moe, Architecture::Gemma3, Architecture::Phi3]
    {
        let path = folder.path().join(architecture.name());
        put(&path, &Fixture::tiny(architecture));
        let (mut own, mut llama) = (loaded(Runner::Own, &path), loaded(Runner::Llama, &path));
        assert_eq!(own.facts(), llama.facts());
        for prompt in PROMPTS {
            let prompt = own.vocabulary().encode(prompt, true).expect("tokens");
            assert_eq!(greedy(&mut *llama, &prompt), greedy(&mut *own, &prompt), "{architecture:?}");
        }
        // What was read is gone back to, and goes on the same.
        let prompt = own.vocabulary().encode(PROMPTS[0], true).expect("tokens");
        let whole = llama.forward(&prompt, 0).expect("logits");
        llama.truncate(2);
        assert_eq!(llama.length(), 2);
        let again = llama.forward(&prompt[2..], 2).expect("logits");
        assert!(whole.iter().zip(&again).all(|(a, b)| (a - b).abs() < 0.05), "{architecture:?}");
        assert!(llama.forward(&prompt, 400).is_err(), "beyond what was read");
        assert!(llama.forward(&[u32::MAX], 0).is_err() && llama.forward(&[], 0).is_err());
    }
}

// shows: engine: with llama.cpp built in, answers stream, stop, follow their seed and keep a schema as with the engine of the house
#[tokio::test]
async fn answers_are_those_of_the_engine_of_the_house() {
    let (own, llama) = (House::tiny_with(&with("own")), House::tiny_with(&with("llama.cpp")));
    let (asked, mut words) = streaming();
    let first = llama.provider.chat(&question("Tell me of the sea.", 24), &asked).await.expect("an answer");
    drop(asked);
    let mut said = String::new();
    while let Some(piece) = words.recv().await {
        said.push_str(&piece);
    }
    assert_eq!(said, first.content);
    assert_eq!(own.ask(&question("Tell me of the sea.", 24)).await.expect("an answer"), first);
    assert_eq!(llama.ask(&question("Tell me of the sea.", 24)).await.expect("an answer"), first, "and again");
    assert_eq!(llama.provider.state().loaded.map(|loaded| loaded.way), Some(Way::Resident));

    let drawn = |seed| {
        let mut request = question("Tell me of the sea.", 16);
        request.temperature = Some(1.5);
        request.sampling.seed = Some(seed);
        request
    };
    let one = llama.ask(&drawn(1)).await.expect("one").content;
    assert_eq!(llama.ask(&drawn(1)).await.expect("two").content, one);
    assert_ne!(llama.ask(&drawn(2)).await.expect("three").content, one);

    let letters: Vec<char> = first.content.chars().collect();
    let stop: String = letters[letters.len() / 2..].iter().take(3).collect();
    let mut request = question("Tell me of the sea.", 24);
    request.sampling = Sampling { stop: vec![stop.clone()], ..Sampling::default() };
    let cut = llama.ask(&request).await.expect("an answer");
    assert_eq!((cut.content.as_str(), cut.finish), (first.content.split(&stop).next().expect("a part"), Finish::Stop));

    let schema = json!({"type": "object", "properties": {"wet": {"type": "boolean"}}, "required": ["wet"],
                        "additionalProperties": false});
    let mut request = question("What now?", 100);
    request.sampling.format = AnswerFormat::Schema { name: "sea".to_owned(), schema };
    let held = llama.ask(&request).await.expect("an answer");
    assert!(serde_json::from_str::<Value>(&held.content).expect("JSON")["wet"].is_boolean(), "{held:?}");
}

// shows: engine: with llama.cpp built in, an answer that is given up ends at once and the worker answers the next one
#[tokio::test]
async fn an_answer_that_is_given_up_ends() {
    let house = House::tiny_with(&with("llama.cpp"));
    house.ask(&question("Warm up", 1)).await.expect("loaded");
    let cancel = tokio_util::sync::CancellationToken::new();
    let asked = {
        let (provider, cancel) = (house.provider.clone(), cancel.clone());
        tokio::spawn(async move { provider.chat(&question("Everything", 1_500), &Call { cancel, ..call() }).await })
    };
    let provider = house.provider.clone();
    until("its turn", || provider.state().phase == WorkerPhase::Busy || asked.is_finished()).await;
    cancel.cancel();
    let ended = asked.await.expect("no panic");
    assert!(ended.is_ok() || ended == Err(Failure::Cancelled), "{ended:?}");
    house.ask(&question("Hello", 2)).await.expect("an answer");
    assert_eq!((house.provider.state().starts, house.provider.state().deaths), (1, 0));
}

// shows: engine: with llama.cpp built in, vectors are those of the engine of the house
#[tokio::test]
async fn vectors_are_those_of_the_engine_of_the_house() {
    let (own, llama) = (House::tiny_with(&with("own")), House::tiny_with(&with("llama.cpp")));
    let long = "word ".repeat(900);
    let texts = ["the sea", "a tax form", "", long.as_str()].map(|text| Part {
        text: text.to_owned(),
        sensitivity: Sensitivity::LocalOnly,
        droppable: false,
    });
    let mine = own.provider.embed(&texts, &call()).await.expect("vectors");
    let other = llama.provider.embed(&texts, &call()).await.expect("vectors");
    assert_eq!(mine.usage, other.usage);
    for (mine, other) in mine.vectors.iter().zip(&other.vectors) {
        let alike: f32 = mine.iter().zip(other).map(|(a, b)| a * b).sum();
        assert!(alike > 0.999, "{alike}");
    }
    llama.ask(&question("Hello", 4)).await.expect("an answer after that");
}

// shows: engine: with llama.cpp built in, files that the engine of the house does not know are run by it, and damaged ones are refused
#[tokio::test]
async fn unknown_layouts_are_run_and_damaged_files_are_refused() {
    let house = House::tiny_with(&with("auto"));
    let tiny = Fixture::tiny(Architecture::Llama);
    let file = |name: &str| house.models().join(format!("{name}.gguf"));
    put(&file("other"), &Fixture { label: Some("mistral3"), ..tiny.clone() });
    put(&file("nobody"), &Fixture { label: Some("nobody"), ..tiny.clone() });
    let sound = fs::read(file("tiny")).expect("the model");
    fs::write(file("cut"), &sound[..sound.len() / 2]).expect("written");
    let named = |name: &str| {
        let mut request = question("Tell me of the sea.", 24);
        request.model = Some(name.to_owned());
        request
    };
    let known = house.ask(&named("tiny")).await.expect("an answer");
    let other = house.ask(&named("other")).await.expect("an answer");
    assert_eq!(other.content, known.content, "both are stored alike");
    for (name, why) in [("nobody", "llama.cpp"), ("cut", "cut short")] {
        let refused = house.ask(&named(name)).await.expect_err(name);
        assert!(matches!(&refused, Failure::Unsupported { what } if what.contains(why)), "{refused:?}");
    }
    assert_eq!(house.ask(&named("tiny")).await.expect("an answer as ever"), known);
    assert_eq!(house.provider.state().deaths, 0);

    // With llama.cpp for all files, too, what is damaged is refused before it gets there.
    let house = House::tiny_with(&with("llama.cpp"));
    fs::write(house.models().join("cut.gguf"), &sound[..sound.len() / 2]).expect("written");
    assert!(matches!(house.ask(&named("cut")).await, Err(Failure::Unsupported { .. })));
    house.ask(&named("tiny")).await.expect("an answer");
    assert_eq!(house.provider.state().deaths, 0);
}
