//! What is known of a file before it is loaded, and which engine runs it.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use timmy_domain::model::running::{Way, Weighed};
use timmy_engine::EngineSettings;
use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;
#[cfg(not(feature = "engine-llama"))]
use timmy_llm::Failure;
use timmy_llm::Provider;

use crate::support::{House, WORKER, question};

/// A model of about 14 MB in 16 layers, large enough for a limit in MiB to lie within it.
fn write(at: &Path) {
    let fixture = Fixture {
        width: 256,
        inner: 1_024,
        layers: 16,
        key_width: 64,
        vocabulary_tokens: 512,
        ..Fixture::tiny(Architecture::Llama)
    };
    fixture.write(&mut BufWriter::new(File::create(at).expect("a file"))).expect("a model");
}

async fn weighed(house: &House, file: PathBuf) -> Result<Weighed, String> {
    house.provider.weigh(file).expect("it runs files").await
}

// shows: engine: a file is weighed before it is loaded, and what is said of it then is what the worker does
#[tokio::test]
async fn a_file_is_weighed_before_it_is_loaded() {
    for (memory_mb, expected) in [(64, Some(Way::Resident)), (26, Some(Way::Streamed)), (8, None)] {
        let settings = EngineSettings { memory_mb, threads: 1, context: 512, ..EngineSettings::default() };
        let house = House::new(WORKER, &settings);
        let file = house.models().join("m.gguf");
        write(&file);
        let told = weighed(&house, file.clone()).await;
        assert_eq!(house.provider.state().starts, 0, "nothing is started for it");
        let answer = house.ask(&question("Hello", 4)).await;
        let Some(way) = expected else {
            let why = told.expect_err("too large");
            assert!(why.contains("needs at least") && answer.expect_err("refused").to_string().contains(&why), "{why}");
            continue;
        };
        answer.expect("an answer");
        let told = told.expect("it can be run");
        let loaded = house.provider.state().loaded.expect("a model");
        assert_eq!((told.way, told.layers), (way, 16));
        assert_eq!((loaded.way, loaded.resident_layers as u64), (told.way, told.resident_layers));
        assert_eq!(told.read_per_token_bytes > 0, way == Way::Streamed);
        assert_eq!(told.budget_bytes >= told.whole_bytes, way == Way::Resident);
        assert!(told.needed_bytes <= told.budget_bytes && told.weights_per_token_bytes > 10_000_000, "{told:?}");
    }
}

#[tokio::test]
async fn a_file_that_changed_is_weighed_anew_and_one_that_is_none_is_refused() {
    let house = House::tiny();
    let file = house.models().join("tiny.gguf");
    let small = weighed(&house, file.clone()).await.expect("weighed");
    write(&file);
    assert!(weighed(&house, file.clone()).await.expect("weighed").layers > small.layers);
    std::fs::write(&file, b"GGUF and nothing that follows").expect("written");
    assert!(weighed(&house, file.clone()).await.is_err());
    std::fs::remove_file(&file).expect("removed");
    assert!(weighed(&house, file).await.is_err());
}

// shows: engine: a program without llama.cpp says so plainly where it is set, and what to do
#[cfg(not(feature = "engine-llama"))]
#[tokio::test]
async fn a_program_without_llama_cpp_says_so() {
    let house = House::tiny_with(&EngineSettings { runner: "llama.cpp".to_owned(), ..EngineSettings::default() });
    let refused = house.ask(&question("Hello", 4)).await.expect_err("not built in");
    assert!(matches!(refused, Failure::NotBuiltIn { .. }), "{refused:?}");
    assert!(refused.to_string().contains("not built into this Timmy"), "{refused}");
    let hint = refused.hint();
    assert!(hint.contains("--features engine-llama") && hint.contains("[engine] runner = \"auto\""), "{hint}");
    let probed = house.provider.probe(crate::support::PATIENCE).await.expect_err("not built in");
    assert_eq!(probed, refused, "it is known before anybody asks");
    let weighed = weighed(&house, house.models().join("tiny.gguf")).await.expect_err("not built in");
    assert!(weighed.contains("not built into this Timmy"), "{weighed}");
    assert_eq!(house.provider.state().starts, 0);
}
