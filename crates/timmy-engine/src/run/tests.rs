use candle_core::quantized::GgmlDType;
use timmy_domain::model::running::Way;

use crate::fixture::Fixture;
use crate::shape::Architecture;
use crate::{LoadOptions, Model, load};

/// Tokens llama.cpp said, for models of 8-bit numbers. Such models round each input to 8 bits, so that the last bit of a
/// sum moves a logit by up to a fifth: the seeds of [`Fixture::tiny`] were searched until no choice of these 64 tokens
/// was that close. There are no lines of Qwen 2; like the others it is held against the peer by [`PEER_LOGS`], which
/// needed no search.
const PEER: &str = include_str!("peer.txt");
/// What llama.cpp (xllamacpp 2026.10.11549, one thread, its usual settings) gave as the logarithms of the chances of
/// the five likeliest tokens, for the models of [`Fixture::tiny`] with weights of 32 bits, the prompts below and 16
/// tokens said after each. Not searched for: the first recording, where tokens that end within a letter have none.
/// A line: layout; prompt; its tokens; tokens said; for each place its number, and pairs of a token and a logarithm.
const PEER_LOGS: &str = include_str!("peer_logs.txt");
/// How far a logarithm may lie from the peer's. The peer multiplies questions and keys with 16 bits and sums in another
/// order; the farthest seen is 0.01, where two experts are nearly equally likely, and the mean is 0.0006.
const APART_MAX: f32 = 0.02;
/// How far they may lie apart in the mean of a layout.
const APART_MEAN_MAX: f32 = 0.003;
const PROMPTS: [&str; 3] = [
    "This program is free software",
    "<|im_start|>user\nWhat is the capital of Italy? 1234 naïve 'I'll'<|im_end|>\n<|im_start|>assistant\n",
    "Timmy lives in one program on one machine, and keeps what it knows in one file. Gulls, boats,  ships and the light; 日本",
];

fn loaded(fixture: &Fixture, memory_budget_bytes: Option<u64>) -> Box<dyn Model> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fixture.write(&mut std::io::BufWriter::new(file.reopen().unwrap())).unwrap();
    let path = file.path().to_owned();
    load(&LoadOptions { path, memory_budget_bytes, threads: 1, context_length: None }).unwrap()
}

fn greedy(model: &mut dyn Model, prompt: &[u32], count: usize) -> Vec<u32> {
    let mut said = Vec::new();
    let mut logits = model.forward(prompt, 0).unwrap();
    while said.len() < count {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a))).unwrap();
        said.push(best as u32);
        logits = model.forward(&[best as u32], model.length()).unwrap();
    }
    said
}

fn numbers(list: &str) -> Vec<u32> {
    list.split(' ').map(|number| number.parse().unwrap()).collect()
}

// shows: engine: the tiny models cut text and say 64 tokens as llama.cpp does, for five layouts and three prompts
#[test]
fn the_tiny_models_say_what_the_peer_said() {
    for architecture in
        [Architecture::Llama, Architecture::Qwen3, Architecture::Qwen3Moe, Architecture::Gemma3, Architecture::Phi3]
    {
        let mut model = loaded(&Fixture::tiny(architecture), None);
        let lines = PEER.lines().filter(|line| line.split(';').next() == Some(architecture.name()));
        assert_eq!(lines.clone().count(), PROMPTS.len());
        for (line, text) in lines.zip(PROMPTS) {
            let [prompt, said] = [2, 3].map(|field| numbers(line.split(';').nth(field).unwrap()));
            let mut cut = model.vocabulary().encode(text, true).unwrap();
            if model.facts().add_bos {
                cut.insert(0, model.facts().bos.unwrap());
            }
            assert_eq!(cut, prompt, "{architecture:?}");
            assert_eq!(greedy(&mut *model, &prompt, said.len()), said, "{architecture:?}: {text}");
        }
    }
}

/// The logarithms of the chances.
fn logs(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = logits.iter().map(|logit| (logit - most).exp()).sum::<f32>().ln() + most;
    logits.iter().map(|logit| logit - sum).collect()
}

/// The farthest and the mean distance from what the peer gave, and how many numbers were compared.
fn apart(model: &mut dyn Model, line: &str) -> (f32, f32, usize) {
    let [prompt, said] = [2, 3].map(|field| numbers(line.split(';').nth(field).unwrap()));
    let mut found = Vec::new();
    let mut mine = vec![model.forward(&prompt, 0).unwrap()];
    for token in &said[..said.len() - 1] {
        mine.push(model.forward(&[*token], model.length()).unwrap());
    }
    for place in line.split(';').nth(4).unwrap().split(',') {
        let fields: Vec<&str> = place.split(' ').collect();
        let logs = logs(&mine[fields[0].parse::<usize>().unwrap()]);
        for pair in fields[1..].as_chunks::<2>().0 {
            found.push((logs[pair[0].parse::<usize>().unwrap()] - pair[1].parse::<f32>().unwrap()).abs());
        }
    }
    (found.iter().copied().fold(0.0, f32::max), found.iter().sum::<f32>() / found.len() as f32, found.len())
}

// shows: engine: all six layouts give the likeliest tokens the chances that llama.cpp gives them
#[test]
fn the_chances_are_those_of_the_peer_for_all_layouts() {
    for architecture in [
        Architecture::Llama,
        Architecture::Qwen2,
        Architecture::Qwen3,
        Architecture::Qwen3Moe,
        Architecture::Gemma3,
        Architecture::Phi3,
    ] {
        let mut model = loaded(&Fixture { kind: GgmlDType::F32, ..Fixture::tiny(architecture) }, None);
        let lines = PEER_LOGS.lines().filter(|line| line.split(';').next() == Some(architecture.name()));
        let outcomes: Vec<_> = lines.map(|line| apart(&mut *model, line)).collect();
        assert_eq!(outcomes.len(), PROMPTS.len());
        for (prompt, (most, mean, compared)) in outcomes.into_iter().enumerate() {
            assert!(compared >= 60, "{architecture:?}, prompt {prompt}: {compared}");
            assert!(
                most <= APART_MAX && mean <= APART_MEAN_MAX,
                "{architecture:?}, prompt {prompt}: {most} at most, {mean} in the mean"
            );
        }
    }
}

// shows: engine: with layers read from the disk in each pass a model says the same as when all of it stays in memory
#[test]
fn a_streamed_model_says_the_same() {
    let fixture =
        Fixture { width: 256, inner: 2_048, layers: 12, context_tokens: 128, ..Fixture::tiny(Architecture::Llama) };
    let mut whole = loaded(&fixture, None);
    let mut streamed = loaded(&fixture, Some(crate::plan::OVERHEAD_BYTES + (8 << 20)));
    assert_eq!((whole.memory().path, streamed.memory().path), (Way::Resident, Way::Streamed));
    let prompt = [5, 300, 17, 400];
    assert_eq!(greedy(&mut *streamed, &prompt, 16), greedy(&mut *whole, &prompt, 16));
    assert!(streamed.memory().bytes_read >= 16 * streamed.memory().bytes_read_per_pass);
}

#[test]
fn a_common_beginning_is_not_read_again_and_changes_nothing() {
    let mut model = loaded(&Fixture::tiny(Architecture::Gemma3), None);
    let afresh = model.forward(&[5, 6, 7, 8], 0).unwrap();
    model.forward(&[9, 10], 2).unwrap();
    let again = model.forward(&[7, 8], 2).unwrap();
    assert_eq!(model.length(), 4);
    let apart = afresh.iter().zip(&again).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-3, "{apart}");
}
