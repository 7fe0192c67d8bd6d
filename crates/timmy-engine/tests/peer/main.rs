//! llama.cpp itself beside this engine, on the same small model files. `cargo xtask peers` installs it and runs this.

#![expect(clippy::unwrap_used, reason = "a step that fails should stop the test")]
#![expect(clippy::disallowed_methods, reason = "the peer is a process of its own")]
#![expect(clippy::print_stdout, reason = "a test that skips says so")]

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use timmy_engine::fixture::{Fixture, VectorFixture};
use timmy_engine::shape::Architecture;
use timmy_engine::{LoadOptions, Model, load};

use ties::{LAYOUTS, PROMPTS, TOKENS, cut, only_ties, ties};

#[path = "../beside/ties.rs"]
mod ties;

/// How much the vectors of one text are to have in common: both round inputs and weights in their own order.
const ALIKE_MIN: f32 = 0.999;
/// The Python that has the peer; says so and gives nothing where there is none.
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("TIMMY_TEST_MODEL_PEER").map(|venv| PathBuf::from(venv).join("bin/python"));
    if found.is_none() {
        println!("SKIPPED: TIMMY_TEST_MODEL_PEER names no folder with xllamacpp; run `cargo xtask peers`.");
    }
    found
}

/// The lines that begin with `word` and a blank, without it, of what a script of the peer tells about these tokens.
fn told(python: &Path, script: &[&str], model: &Path, texts: &str, word: &str) -> Vec<String> {
    let (script, way) = script.split_first().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer").join(script);
    let mut command = Command::new(python);
    command.arg(script).arg(model).args(way).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(texts.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
}

/// What the peer says after each prompt.
fn said(python: &Path, model: &Path, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let lines = told(python, &["says.py"], model, &format!("{prompts:?}"), "said");
    lines.iter().map(|line| line.split(' ').map(|token| token.parse().unwrap()).collect()).collect()
}

// shows: engine: beside llama.cpp itself, 64 tokens after three prompts in six layouts are its own, but for ties
#[test]
fn six_layouts_say_what_the_peer_says() {
    let Some(python) = python() else { return };
    for architecture in LAYOUTS {
        let (file, mut model) = made(architecture);
        let prompts: Vec<Vec<u32>> = PROMPTS.iter().map(|text| cut(&*model, text)).collect();
        let said = said(&python, file.path(), &prompts);
        assert_eq!(said.len(), PROMPTS.len(), "{architecture:?}");
        for (prompt, said) in prompts.iter().zip(&said) {
            assert_eq!(said.len(), TOKENS, "{architecture:?}");
            only_ties(architecture.name(), &ties(&mut *model, prompt, said));
        }
    }
}

// shows: engine: beside llama.cpp itself, the vectors of three texts in six layouts point where its own do
#[test]
fn six_layouts_make_the_vectors_the_peer_makes() {
    let Some(python) = python() else { return };
    for architecture in LAYOUTS {
        let (file, mut model) = made(architecture);
        let texts: Vec<Vec<u32>> = PROMPTS.iter().map(|text| cut(&*model, text)).collect();
        let theirs = told(&python, &["embeds.py", "mean"], file.path(), &format!("{texts:?}"), "vector");
        assert_eq!(theirs.len(), texts.len(), "{architecture:?}");
        for (text, theirs) in texts.iter().zip(&theirs) {
            let theirs: Vec<f32> = theirs.split(' ').map(|number| number.parse().unwrap()).collect();
            let mine = model.embed(text).unwrap();
            assert_eq!(mine.len(), theirs.len());
            // Both have the length one, so this is 1 where they are the same.
            let alike: f32 = mine.iter().zip(&theirs).map(|(a, b)| a * b).sum();
            println!("{architecture:?}: {alike}");
            assert!(alike > ALIKE_MIN, "{architecture:?}: {alike}");
        }
    }
}

/// Texts that the peer cuts by itself, with what a cutter of words may trip over.
const TEXTS: [&str; 4] = [
    "This program is free software",
    "Naïve Ångström's don't-know, 1234!? CAFÉ \u{200b}\t end\u{0}",
    "日本 the light; boats and gulls\u{301} ~ $5 <tag> x²",
    "",
];

// shows: engine: beside llama.cpp itself, models that make vectors only cut text as it does and make the vectors it makes
#[test]
fn models_that_make_vectors_only_make_those_the_peer_makes() {
    let Some(python) = python() else { return };
    for (nomic, pooling) in [(false, 1), (false, 2), (true, 1), (true, 3)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fixture = VectorFixture::tiny(nomic, pooling);
        fixture.write(&mut BufWriter::new(file.reopen().unwrap())).unwrap();
        let path = file.path().to_owned();
        let options = LoadOptions { path, memory_budget_bytes: None, threads: 1, context_length: None };
        let mut model = load(&options).unwrap();
        let asked = serde_json::to_string(&TEXTS).unwrap();
        let theirs = told(&python, &["embeds.py", "own"], file.path(), &asked, "vector");
        assert_eq!(theirs.len(), TEXTS.len());
        for (text, theirs) in TEXTS.iter().zip(&theirs) {
            let theirs: Vec<f32> = theirs.split(' ').map(|number| number.parse().unwrap()).collect();
            let mine = model.embed(&cut(&*model, text)).unwrap();
            let alike: f32 = mine.iter().zip(&theirs).map(|(a, b)| a * b).sum();
            println!("nomic {nomic}, pooling {pooling}: {alike} {:?}", &theirs[..8]);
            assert!(
                alike > ALIKE_MIN && mine.len() == theirs.len(),
                "nomic {nomic}, pooling {pooling}: {alike}: {text:?}"
            );
        }
    }
}

/// A small model of a layout, and its file.
fn made(architecture: Architecture) -> (tempfile::NamedTempFile, Box<dyn Model>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    Fixture::tiny(architecture).write(&mut BufWriter::new(file.reopen().unwrap())).unwrap();
    let path = file.path().to_owned();
    let options = LoadOptions { path, memory_budget_bytes: None, threads: 1, context_length: None };
    let model = load(&options).unwrap();
    (file, model)
}
