//! A model that makes vectors only, beside the one that answers.

use std::fs::File;
use std::io::BufWriter;

use timmy_domain::Sensitivity;
use timmy_engine::EngineSettings;
use timmy_engine::fixture::VectorFixture;
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
