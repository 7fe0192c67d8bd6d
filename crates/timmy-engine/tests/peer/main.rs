//! llama.cpp itself beside this engine, on the same small model files. `cargo xtask peers` installs it and runs this.

#![expect(clippy::unwrap_used, reason = "a step that fails should stop the test")]
#![expect(clippy::disallowed_methods, reason = "the peer is a process of its own")]
#![expect(clippy::print_stdout, reason = "a test that skips says so")]

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;
use timmy_engine::{LoadOptions, Model, load};

/// Tokens that are said after each prompt.
const TOKENS: usize = 64;
/// How far below this engine's likeliest token the peer's may lie. With weights of 8 bits both round each input to 8
/// bits, and the last bit of a sum moves a logit by up to a fifth; what is closer than that is a tie.
const TIE_MAX: f32 = 0.25;
/// Most ties after a prompt. A fault of a layout shows in nearly every place.
const TIES_MAX: usize = 4;
/// How much the vectors of one text are to have in common: both round inputs and weights in their own order.
const ALIKE_MIN: f32 = 0.999;
const LAYOUTS: [Architecture; 6] = [
    Architecture::Llama,
    Architecture::Qwen2,
    Architecture::Qwen3,
    Architecture::Qwen3Moe,
    Architecture::Gemma3,
    Architecture::Phi3,
];
const PROMPTS: [&str; 3] = [
    "This program is free software",
    "<|im_start|>user\nWhat is the capital of Italy? 1234 naïve 'I'll'<|im_end|>\n<|im_start|>assistant\n",
    "Timmy lives in one program on one machine, and keeps what it knows in one file. Gulls, boats and the light; 日本",
];

/// The Python that has the peer; says so and gives nothing where there is none.
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("TIMMY_TEST_MODEL_PEER").map(|venv| PathBuf::from(venv).join("bin/python"));
    if found.is_none() {
        println!("SKIPPED: TIMMY_TEST_MODEL_PEER names no folder with xllamacpp; run `cargo xtask peers`.");
    }
    found
}

/// The lines that begin with `word` and a blank, without it, of what a script of the peer tells about these tokens.
fn told(python: &Path, script: &str, model: &Path, prompts: &[Vec<u32>], word: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer").join(script);
    let mut command = Command::new(python);
    command.arg(script).arg(model).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{prompts:?}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
}

/// What the peer says after each prompt.
fn said(python: &Path, model: &Path, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let lines = told(python, "says.py", model, prompts, "said");
    lines.iter().map(|line| line.split(' ').map(|token| token.parse().unwrap()).collect()).collect()
}

/// The places where this engine, given what the peer said before, would say something else: how far below its
/// likeliest token the peer's lies.
fn ties(model: &mut dyn Model, prompt: &[u32], said: &[u32]) -> Vec<f32> {
    let mut logits = model.forward(prompt, 0).unwrap();
    let mut ties = Vec::new();
    for token in said {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let below = most - logits[*token as usize];
        if below > 0.0 {
            ties.push(below);
        }
        logits = model.forward(&[*token], model.length()).unwrap();
    }
    ties
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
            let ties = ties(&mut *model, prompt, said);
            println!("{architecture:?}: {} of {TOKENS} tokens are ties: {ties:?}", ties.len());
            assert!(ties.iter().all(|below| *below <= TIE_MAX), "{architecture:?}: {ties:?}");
            assert!(ties.len() <= TIES_MAX, "{architecture:?}: {} ties", ties.len());
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
        let theirs = told(&python, "embeds.py", file.path(), &texts, "vector");
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

/// A small model of a layout, and its file.
fn made(architecture: Architecture) -> (tempfile::NamedTempFile, Box<dyn Model>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    Fixture::tiny(architecture).write(&mut BufWriter::new(file.reopen().unwrap())).unwrap();
    let path = file.path().to_owned();
    let options = LoadOptions { path, memory_budget_bytes: None, threads: 1, context_length: None };
    let model = load(&options).unwrap();
    (file, model)
}

/// A text in tokens, with the token that a text begins with where the model wants one.
fn cut(model: &dyn Model, text: &str) -> Vec<u32> {
    let mut cut = model.vocabulary().encode(text, true).unwrap();
    if model.facts().add_bos {
        cut.splice(0..0, model.facts().bos);
    }
    cut
}
