//! How this engine is held against llama.cpp on the same file: with the same tokens before it, each is to say the same
//! token next, but for ties.

#![expect(clippy::expect_used, reason = "a step that fails should stop the test")]
#![expect(clippy::print_stdout, reason = "how many ties there were is worth a look")]

use timmy_engine::Model;
use timmy_engine::shape::Architecture;

/// Tokens that are said after each prompt.
pub const TOKENS: usize = 64;
/// How far below one engine's likeliest token the other's may lie. With weights of 8 bits both round each input to 8
/// bits, and the last bit of a sum moves a logit by up to a fifth; what is closer than that is a tie.
pub const TIE_MAX: f32 = 0.25;
/// Most ties after a prompt. A fault of a layout shows in nearly every place.
pub const TIES_MAX: usize = 4;
pub const LAYOUTS: [Architecture; 6] = [
    Architecture::Llama,
    Architecture::Qwen2,
    Architecture::Qwen3,
    Architecture::Qwen3Moe,
    Architecture::Gemma3,
    Architecture::Phi3,
];
pub const PROMPTS: [&str; 3] = [
    "This program is free software",
    "<|im_start|>user\nWhat is the capital of Italy? 1234 naïve 'I'll'<|im_end|>\n<|im_start|>assistant\n",
    "Timmy lives in one program on one machine, and keeps what it knows in one file. Gulls, boats and the light; 日本",
];

/// A text in tokens, with the token that a text begins with where the model wants one.
pub fn cut(model: &dyn Model, text: &str) -> Vec<u32> {
    let mut cut = model.vocabulary().encode(text, true).expect("tokens");
    if model.facts().add_bos {
        cut.splice(0..0, model.facts().bos);
    }
    cut
}

/// The places where `model`, given what the other engine said before, would say something else: how far below its
/// likeliest token the other's lies. After such a place it is fed the other's token, so that each of them is compared.
pub fn ties(model: &mut dyn Model, prompt: &[u32], said: &[u32]) -> Vec<f32> {
    let mut logits = model.forward(prompt, 0).expect("logits");
    let mut ties = Vec::new();
    for token in said {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let below = most - logits[*token as usize];
        if below > 0.0 {
            ties.push(below);
        }
        logits = model.forward(&[*token], model.length()).expect("logits");
    }
    ties
}

/// Holds what [`ties`] found against its bounds; `what` says in a failure what was compared.
pub fn only_ties(what: &str, ties: &[f32]) {
    println!("{what}: {} of {TOKENS} tokens are ties: {ties:?}", ties.len());
    assert!(ties.iter().all(|below| *below <= TIE_MAX), "{what}: {ties:?}");
    assert!(ties.len() <= TIES_MAX, "{what}: {} ties: {ties:?}", ties.len());
}
