//! Models with random weights and a real vocabulary, made here so that tests and measurements need no download.
//!
//! The same [`Fixture`] gives the same bytes on every machine. Such a model says nothing sensible; what it says is
//! reproducible, by this engine and by any other that reads the format.

mod chance;
mod vectors;
mod words;
mod write;

use std::io::Write;

use candle_core::quantized::GgmlDType;

use crate::error::EngineError;
use crate::shape::Architecture;
pub use vectors::VectorFixture;
use write::{Keys, Planned};

/// A model to be made.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The layout.
    pub architecture: Architecture,
    /// What the file calls the layout, where that is not its own name: several are stored alike.
    pub label: Option<&'static str>,
    /// Numbers of a hidden state.
    pub width: usize,
    /// Numbers of the inner state of the thinking part.
    pub inner: usize,
    /// Layers.
    pub layers: usize,
    /// Heads that ask.
    pub heads: usize,
    /// Heads that are asked.
    pub key_heads: usize,
    /// Numbers of a head.
    pub key_width: usize,
    /// How the matrices are stored.
    pub kind: GgmlDType,
    /// Tokens to look back on.
    pub context_tokens: usize,
    /// Tokens of the vocabulary, at most; a small vocabulary runs out of words to learn.
    pub vocabulary_tokens: usize,
    /// What chance begins with.
    pub seed: u64,
}

/// The message template of the ChatML family, with tools.
const TEMPLATE: &str = include_str!("fixture/chatml.jinja");

const EMBEDDINGS: &str = "token_embd.weight";
const HEAD: &str = "output.weight";
/// How many tokens further on the likely successor of a token stands.
const SUCCESSOR_TOKENS: usize = 257;

/// Leans the head: each token has a successor that is likely, as in a language. With chance alone the likeliest tokens
/// stand so close together that the last bit of a sum decides between them, and two engines say different words.
fn lean(head: &mut [f32], table: &[f32], width: usize) {
    let tokens = head.len() / width;
    for (token, embedding) in table.chunks_exact(width).enumerate() {
        let successor = (token + SUCCESSOR_TOKENS) % tokens * width;
        let scale = 1.2 / (width as f32).sqrt();
        crate::math::add_scaled(&mut head[successor..successor + width], scale, embedding);
    }
}

impl Fixture {
    /// A model of less than half a megabyte.
    #[must_use]
    pub fn tiny(architecture: Architecture) -> Self {
        // These two layouts know no width of a head but an even share of the state.
        let even = matches!(architecture, Architecture::Qwen2 | Architecture::Phi3);
        Self {
            architecture,
            label: None,
            width: 64,
            inner: 128,
            layers: if architecture == Architecture::Gemma3 { 7 } else { 4 },
            heads: if even { 2 } else { 4 },
            key_heads: if even { 1 } else { 2 },
            key_width: 32,
            kind: GgmlDType::Q8_0,
            context_tokens: 2_048,
            vocabulary_tokens: 768,
            // With these the likeliest tokens stand far enough apart for another engine to say the same.
            seed: match architecture {
                Architecture::Llama => 6,
                Architecture::Qwen3Moe => 21,
                Architecture::Phi3 => 3,
                _ => 42,
            },
        }
    }

    /// A model of about 400 MB, for measuring: 32 layers of 12 MB.
    #[must_use]
    pub fn middle() -> Self {
        Self {
            architecture: Architecture::Llama,
            label: None,
            width: 1_024,
            inner: 2_816,
            layers: 32,
            heads: 16,
            key_heads: 8,
            key_width: 64,
            kind: GgmlDType::Q8_0,
            context_tokens: 2_048,
            vocabulary_tokens: 768,
            seed: 42,
        }
    }

    /// Writes the model as a GGUF file.
    ///
    /// # Errors
    /// What the receiver of the bytes says, or sides that the way of storing does not allow.
    pub fn write(&self, out: &mut impl Write) -> Result<(), EngineError> {
        let words = words::learn(self.vocabulary_tokens);
        let tensors = self.tensors(words.len());
        let keys = self.keys(&words);
        write::head(out, &keys, &tensors)?;
        let mut table = Vec::new();
        write::weights(out, &tensors, self.seed, &mut |name, numbers| match name {
            EMBEDDINGS => table.clone_from(numbers),
            HEAD => lean(numbers, &table, self.width),
            _ => {}
        })
    }

    fn pieces(&self) -> bool {
        self.architecture == Architecture::Gemma3
    }

    fn experts(&self) -> Option<(usize, usize)> {
        (self.architecture == Architecture::Qwen3Moe).then_some((8, 2))
    }

    fn keys(&self, words: &words::Words) -> Keys {
        let name = self.label.unwrap_or(self.architecture.name());
        let mut keys = Keys::default();
        let count = |keys: &mut Keys, key: &str, count: usize| keys.whole(&format!("{name}.{key}"), count as u32);
        keys.text("general.architecture", name);
        keys.text("general.name", "timmy-random-test");
        count(&mut keys, "context_length", self.context_tokens);
        count(&mut keys, "embedding_length", self.width);
        count(&mut keys, "block_count", self.layers);
        count(&mut keys, "feed_forward_length", self.inner);
        count(&mut keys, "attention.head_count", self.heads);
        count(&mut keys, "attention.head_count_kv", self.key_heads);
        count(&mut keys, "attention.key_length", self.key_width);
        count(&mut keys, "attention.value_length", self.key_width);
        count(&mut keys, "rope.dimension_count", self.key_width);
        count(&mut keys, "vocab_size", words.len());
        let base = if self.pieces() { 1_000_000.0 } else { 10_000.0 };
        keys.number(&format!("{name}.rope.freq_base"), base);
        keys.number(&format!("{name}.attention.layer_norm_rms_epsilon"), 1e-5);
        if let Some((all, used)) = self.experts() {
            count(&mut keys, "expert_count", all);
            count(&mut keys, "expert_used_count", used);
            count(&mut keys, "expert_feed_forward_length", self.inner);
        }
        match self.architecture {
            // A window that a short conversation leaves.
            Architecture::Gemma3 => count(&mut keys, "attention.sliding_window", 16),
            Architecture::Phi3 => count(&mut keys, "rope.scaling.original_context_length", self.context_tokens),
            _ => {}
        }
        self.words(&mut keys, words);
        keys
    }

    fn words(&self, keys: &mut Keys, words: &words::Words) {
        let splitting = match self.architecture {
            Architecture::Llama => "llama-bpe",
            Architecture::Phi3 => "gpt-2",
            _ => "qwen2",
        };
        if self.pieces() {
            keys.text("tokenizer.ggml.model", "llama");
            keys.texts("tokenizer.ggml.tokens", &words.pieces());
            keys.numbers("tokenizer.ggml.scores", &words.scores());
            keys.flag("tokenizer.ggml.add_space_prefix", false);
            keys.wholes("tokenizer.ggml.token_type", &words.piece_kinds());
        } else {
            keys.text("tokenizer.ggml.model", "gpt2");
            keys.text("tokenizer.ggml.pre", splitting);
            keys.texts("tokenizer.ggml.tokens", &words.letters());
            keys.texts("tokenizer.ggml.merges", &words.merges());
            keys.wholes("tokenizer.ggml.token_type", &words.kinds());
        }
        keys.whole("tokenizer.ggml.bos_token_id", 1);
        keys.whole("tokenizer.ggml.eos_token_id", 2);
        keys.whole("tokenizer.ggml.unknown_token_id", 0);
        keys.flag("tokenizer.ggml.add_bos_token", self.pieces());
        keys.text("tokenizer.chat_template", TEMPLATE);
    }

    fn tensors(&self, tokens: usize) -> Vec<Planned> {
        let width = self.width;
        let mut tensors = vec![
            Planned::matrix(EMBEDDINGS, tokens, width, self.kind).spread(1.0),
            Planned::list("output_norm.weight", width, 1.0),
        ];
        if self.pieces() {
            // The table speaks, too, so its rows are as long as a head's would be.
            tensors[0].spread = 3.0 / (width as f32).sqrt();
        } else {
            let head = Planned::matrix(HEAD, tokens, width, self.kind);
            tensors.push(head.spread(3.0 / (width as f32).sqrt()));
        }
        if self.architecture == Architecture::Phi3 {
            tensors.push(Planned::list("rope_factors_long.weight", self.key_width / 2, 2.0));
            tensors.push(Planned::list("rope_factors_short.weight", self.key_width / 2, 1.2));
        }
        for layer in 0..self.layers {
            self.layer(&mut |tensor: Planned| tensors.push(tensor.within(&format!("blk.{layer}."))));
        }
        tensors
    }

    fn layer(&self, push: &mut dyn FnMut(Planned)) {
        let (width, kind) = (self.width, self.kind);
        let q = self.heads * self.key_width;
        let k = self.key_heads * self.key_width;
        let architecture = self.architecture;
        push(Planned::list("attn_norm.weight", width, 1.0));
        push(Planned::list("ffn_norm.weight", width, 1.0));
        if architecture == Architecture::Phi3 {
            push(Planned::matrix("attn_qkv.weight", q + 2 * k, width, kind));
        } else {
            push(Planned::matrix("attn_q.weight", q, width, kind));
            push(Planned::matrix("attn_k.weight", k, width, kind));
            push(Planned::matrix("attn_v.weight", k, width, kind));
        }
        if architecture == Architecture::Qwen2 {
            push(Planned::list("attn_q.bias", q, 0.0));
            push(Planned::list("attn_k.bias", k, 0.0));
            push(Planned::list("attn_v.bias", k, 0.0));
        }
        if matches!(architecture, Architecture::Qwen3 | Architecture::Qwen3Moe | Architecture::Gemma3) {
            push(Planned::list("attn_q_norm.weight", self.key_width, 1.0));
            push(Planned::list("attn_k_norm.weight", self.key_width, 1.0));
        }
        if architecture == Architecture::Gemma3 {
            push(Planned::list("post_attention_norm.weight", width, 1.0));
            push(Planned::list("post_ffw_norm.weight", width, 1.0));
        }
        push(Planned::matrix("attn_output.weight", width, q, kind).softly());
        match self.experts() {
            Some((all, _)) => {
                push(Planned::matrix("ffn_gate_inp.weight", all, width, GgmlDType::F32));
                push(Planned::matrix("ffn_gate_exps.weight", all * self.inner, width, kind).of(all));
                push(Planned::matrix("ffn_up_exps.weight", all * self.inner, width, kind).of(all));
                push(Planned::matrix("ffn_down_exps.weight", all * width, self.inner, kind).of(all).softly());
            }
            None if architecture == Architecture::Phi3 => {
                push(Planned::matrix("ffn_up.weight", 2 * self.inner, width, kind));
                push(Planned::matrix("ffn_down.weight", width, self.inner, kind).softly());
            }
            None => {
                push(Planned::matrix("ffn_gate.weight", self.inner, width, kind));
                push(Planned::matrix("ffn_up.weight", self.inner, width, kind));
                push(Planned::matrix("ffn_down.weight", width, self.inner, kind).softly());
            }
        }
    }
}
