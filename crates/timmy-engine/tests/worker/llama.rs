//! llama.cpp built in, `make test-llama`: behind the same trait and in the same worker it says what this engine says.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use candle_core::quantized::GgmlDType;
use serde_json::{Value, json};
use timmy_domain::Sensitivity;
use timmy_domain::model::running::Way;
use timmy_engine::fixture::{Fixture, VectorFixture};
use timmy_engine::shape::Architecture;
use timmy_engine::worker::WorkerPhase;
use timmy_engine::{EngineSettings, LoadOptions, Model, Runner};
use timmy_llm::{AnswerFormat, Call, Embedder, Failure, Finish, Part, Provider, Sampling};

use self::ties::{LAYOUTS, PROMPTS, TOKENS, cut, only_ties, ties};
use crate::support::{House, call, question, streaming, until};

#[path = "../beside/ties.rs"]
mod ties;

/// How far a logit of one engine may lie from the other's with weights of 32 bits: sums go in another order, and llama.cpp
/// multiplies questions and keys with 16 bits. The farthest seen is 0.018, where two experts are nearly equally likely.
const APART_MAX: f32 = 0.03;

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

/// How far the logits of the two lie apart at most, at the end of the prompt and after each of the tokens said.
fn apart(own: &mut dyn Model, llama: &mut dyn Model, prompt: &[u32], said: &[u32]) -> f32 {
    let (mut mine, mut other) = (own.forward(prompt, 0).expect("logits"), llama.forward(prompt, 0).expect("logits"));
    let mut most = 0.0_f32;
    for token in said {
        most = mine.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(most, f32::max);
        mine = own.forward(&[*token], own.length()).expect("logits");
        other = llama.forward(&[*token], llama.length()).expect("logits");
    }
    most
}

// shows: engine: with llama.cpp built in, 64 greedy tokens after three prompts in six layouts are those of the engine of the house: all with weights of 32 bits, all but ties with weights of 8
#[test]
fn greedy_tokens_are_those_of_the_engine_of_the_house() {
    let folder = tempfile::tempdir().expect("a folder");
    for (kind, architecture) in [GgmlDType::F32, GgmlDType::Q8_0].into_iter().flat_map(|k| LAYOUTS.map(|a| (k, a))) {
        let what = format!("{} {kind:?}", architecture.name());
        let path = folder.path().join(&what);
        put(&path, &Fixture { kind, ..Fixture::tiny(architecture) });
        let (mut own, mut llama) = (loaded(Runner::Own, &path), loaded(Runner::Llama, &path));
        assert_eq!(own.facts(), llama.facts());
        for prompt in PROMPTS {
            let prompt = cut(&*own, prompt);
            let (mine, other) = (greedy(&mut *own, &prompt), greedy(&mut *llama, &prompt));
            if kind == GgmlDType::F32 {
                assert_eq!(mine, other, "{what}");
                let apart = apart(&mut *own, &mut *llama, &prompt, &mine);
                assert!(apart <= APART_MAX, "{what}: {apart}");
            } else {
                // Each is fed what the other said, so that a tie ends nothing: all tokens are compared both ways.
                only_ties(&what, &ties(&mut *own, &prompt, &other));
                only_ties(&what, &ties(&mut *llama, &prompt, &mine));
            }
        }
        // What was read is gone back to, and goes on the same.
        let prompt = own.vocabulary().encode(PROMPTS[0], true).expect("tokens");
        let whole = llama.forward(&prompt, 0).expect("logits");
        llama.truncate(2);
        assert_eq!(llama.length(), 2);
        let again = llama.forward(&prompt[2..], 2).expect("logits");
        assert!(whole.iter().zip(&again).all(|(a, b)| (a - b).abs() < 0.05), "{what}");
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

#[tokio::test]
async fn a_model_that_makes_vectors_only_is_left_to_the_engine_of_the_house() {
    let text = [Part { text: "the sea".to_owned(), sensitivity: Sensitivity::LocalOnly, droppable: false }];
    let mut made = Vec::new();
    for runner in ["own", "llama.cpp"] {
        let house = House::tiny_with(&EngineSettings { model: "reader".to_owned(), ..with(runner) });
        let file = File::create(house.models().join("reader.gguf")).expect("a file");
        VectorFixture::tiny(false, 2).write(&mut BufWriter::new(file)).expect("a model");
        made.push(house.provider.embed(&text, &call()).await.expect("vectors").vectors);
        let refused = house.ask(&question("Hello", 4)).await.expect_err("it writes nothing");
        assert!(matches!(&refused, Failure::Unsupported { .. }), "{refused:?}");
        assert_eq!(house.provider.state().deaths, 0);
    }
    assert_eq!(made[0], made[1]);
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
