//! A model that makes vectors only, beside the one that answers.

use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use timmy_domain::Sensitivity;
use timmy_engine::EngineSettings;
use timmy_engine::fixture::{Fixture, VectorFixture};
use timmy_engine::shape::Architecture;
use timmy_engine::worker::frame::FRAME_BYTES_MAX;
use timmy_llm::{Embedder, Failure, Part, Provider};

use crate::support::{House, call, question};

fn write(house: &House, name: &str) {
    let file = File::create(house.models().join(format!("{name}.gguf"))).expect("a file");
    VectorFixture::tiny(false, 1).write(&mut BufWriter::new(file)).expect("a model");
}

fn texts() -> [Part; 3] {
    let long = "the light ".repeat(900);
    ["the light and the sea", "", long.as_str()].map(|text| Part {
        text: text.to_owned(),
        sensitivity: Sensitivity::LocalOnly,
        droppable: false,
    })
}

// shows: engine: vectors come from a model of their own in a worker of its own where the owner names one, and the other goes on answering
#[tokio::test]
async fn vectors_come_from_a_model_of_their_own() {
    let named =
        EngineSettings { model: "tiny".to_owned(), embedding_model: "reader".to_owned(), ..EngineSettings::default() };
    let house = House::tiny_with(&named);
    let missing = house.provider.embed(&texts(), &call()).await.expect_err("not there");
    assert!(missing.hint().contains("reader.gguf") && missing.hint().contains("embedding_model"), "{missing:?}");
    write(&house, "reader");
    let said = house.ask(&question("Tell me of the sea.", 8)).await.expect("an answer");
    let made = house.provider.embed(&texts(), &call()).await.expect("vectors");
    assert_eq!((said.model.as_str(), made.model.as_str()), ("tiny", "reader"));
    assert!(made.vectors.iter().all(|vector| vector.len() == 64));
    assert_eq!(house.ask(&question("Tell me of the sea.", 8)).await.expect("an answer"), said);
    assert_eq!(house.provider.embed(&texts(), &call()).await.expect("vectors").vectors, made.vectors);
    assert_eq!((house.provider.state().starts, house.provider.state().deaths), (1, 0), "nothing was read anew");
    assert!(house.provider.holds(&call()).await.is_ok_and(|held| held.cache_bytes > 0), "what was said is known yet");
}

// shows: engine: a conversation with a model that makes vectors only is refused with the reason, before and after it made one
#[tokio::test]
async fn a_conversation_with_such_a_model_is_refused() {
    let house = House::tiny_with(&EngineSettings { model: "reader".to_owned(), ..EngineSettings::default() });
    write(&house, "reader");
    for _ in 0..2 {
        let refused = house.ask(&question("Hello", 4)).await.expect_err("it writes nothing");
        assert!(matches!(&refused, Failure::Unsupported { what } if what.contains("[engine] model")), "{refused:?}");
        let made = house.provider.embed(&texts(), &call()).await.expect("vectors");
        assert_eq!((made.model.as_str(), made.vectors.len()), ("reader", 3));
    }
    assert_eq!((house.provider.state().starts, house.provider.state().deaths), (1, 0));
    let weighed = house.provider.weigh(house.models().join("reader.gguf")).expect("it runs files").await;
    assert!(weighed.is_ok_and(|weighed| weighed.layers == 3 && weighed.resident_layers == 3));
}

// shows: engine: a model that makes vectors only is not chosen for answers where none is named, but for vectors
#[tokio::test]
async fn one_that_makes_only_vectors_is_not_chosen_for_answers() {
    let house = House::new(crate::support::WORKER, &EngineSettings::default());
    write(&house, "reader");
    let refused = house.ask(&question("Hello", 4)).await.expect_err("none writes");
    let Failure::NoModel { hint, .. } = &refused else { panic!("{refused:?}") };
    assert!(hint.starts_with("reader makes only vectors; put a .gguf file"), "{hint}");
    assert_eq!(house.provider.probe(Duration::from_secs(60)).await.expect_err("none writes"), refused);
    let made = house.provider.embed(&texts(), &call()).await.expect("vectors");
    assert_eq!((made.model.as_str(), made.vectors.len()), ("reader", 3));
    crate::support::write_tiny(&house.models().join("a.gguf"));
    assert_eq!(house.ask(&question("Hello", 4)).await.expect("an answer").model, "a");
}

/// A house with a model whose vectors have so many numbers, and that computes little.
fn wide(width: usize) -> House {
    let house = House::tiny_with(&EngineSettings { model: "wide".to_owned(), ..EngineSettings::default() });
    let tiny = Fixture::tiny(Architecture::Llama);
    let model = Fixture { width, inner: 32, layers: 1, heads: 1, key_heads: 1, ..tiny };
    let file = File::create(house.models().join("wide.gguf")).expect("a file");
    model.write(&mut BufWriter::new(file)).expect("a model");
    house
}

fn many(count: usize) -> Vec<Part> {
    let text = |n| Part { text: format!("sea {n}"), sensitivity: Sensitivity::LocalOnly, droppable: false };
    (0..count).map(text).collect()
}

// shows: engine: vectors that do not fit into one frame of the worker come in several, whole and in order
#[tokio::test]
async fn more_vectors_than_a_frame_holds_come_in_several() {
    let house = wide(3_072);
    let made = house.provider.embed(&many(1_000), &call()).await.expect("vectors").vectors;
    assert!(made.len() == 1_000 && made.iter().all(|vector| vector.len() == 3_072), "{}", made.len());
    let bytes = serde_json::to_vec(&made).expect("numbers").len();
    assert!(bytes > FRAME_BYTES_MAX, "{bytes} bytes would have fitted into one");
    let some = house.provider.embed(&many(1_000)[990..], &call()).await.expect("vectors").vectors;
    assert_eq!(made[990..], some, "each stands where its text stood");
    house.ask(&question("Hello", 4)).await.expect("an answer");
    assert_eq!((house.provider.state().starts, house.provider.state().deaths), (1, 0), "the same worker");
}

// shows: engine: more vectors than may be asked for at once are refused at once with the bound, and the worker lives on
#[tokio::test]
async fn vectors_over_the_bound_are_refused_at_once() {
    let house = wide(4_128);
    let refused = house.provider.embed(&many(4_096), &call()).await;
    let told = matches!(&refused, Err(Failure::BadRequest { status: 400, detail }) if detail.contains("over the 4064"));
    assert!(told, "{:?}", refused.map(|made| made.vectors.len()));
    assert_eq!(house.provider.embed(&many(2), &call()).await.expect("vectors").vectors.len(), 2);
    assert_eq!((house.provider.state().starts, house.provider.state().deaths), (1, 0), "the same worker");
}
