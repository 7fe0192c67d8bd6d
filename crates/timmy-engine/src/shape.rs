//! What a header says about the shape of its model, checked before anything is computed from it.
//!
//! Names of keys and their defaults are those of the format's own implementation, llama.cpp.

use crate::error::EngineError;
use crate::gguf::{Header, Value};

/// Most layers.
pub const LAYERS_MAX: usize = 512;
/// Longest hidden state, in numbers.
pub const WIDTH_MAX: usize = 65_536;
/// Most heads of attention in a layer.
pub const HEADS_MAX: usize = 1_024;
/// Most experts in a layer.
pub const EXPERTS_MAX: usize = 1_024;
/// Longest context, in tokens.
pub const CONTEXT_TOKENS_MAX: usize = 1 << 24;

/// The layouts this engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama, and Mistral and Mixtral, which are stored as it.
    Llama,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3 with one feed-forward part for each layer.
    Qwen3,
    /// Qwen 3 with experts.
    Qwen3Moe,
    /// Gemma 3, text only.
    Gemma3,
    /// Phi 3 and 4.
    Phi3,
}

impl Architecture {
    fn of(name: &str) -> Result<Self, EngineError> {
        Ok(match name {
            "llama" => Self::Llama,
            "qwen2" => Self::Qwen2,
            "qwen3" => Self::Qwen3,
            "qwen3moe" => Self::Qwen3Moe,
            "gemma3" => Self::Gemma3,
            "phi3" => Self::Phi3,
            other => return Err(EngineError::UnsupportedArchitecture(other.chars().take(64).collect())),
        })
    }

    /// Its name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Qwen3Moe => "qwen3moe",
            Self::Gemma3 => "gemma3",
            Self::Phi3 => "phi3",
        }
    }
}

/// How positions turn a head around.
#[derive(Clone, Debug, PartialEq)]
pub struct Turning {
    /// Numbers of a head that are turned; the rest stays.
    pub width: usize,
    /// The base of the frequencies.
    pub base: f32,
    /// What positions are divided by.
    pub stretch: f32,
    /// What the turned numbers are multiplied with.
    pub strength: f32,
}

/// Experts of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many each token asks.
    pub used: usize,
}

/// The shape of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The layout.
    pub architecture: Architecture,
    /// Layers.
    pub layers: usize,
    /// Numbers of a hidden state.
    pub width: usize,
    /// Heads that ask.
    pub heads: usize,
    /// Heads that are asked.
    pub key_heads: usize,
    /// Numbers of a key of one head.
    pub key_width: usize,
    /// Numbers of a value of one head.
    pub value_width: usize,
    /// What is added to a mean square before its root is taken.
    pub epsilon: f32,
    /// What questions times keys are multiplied with.
    pub attention_scale: f32,
    /// How positions turn heads in layers that look at everything.
    pub turning: Turning,
    /// How positions turn heads in layers that look at a window, and the window in tokens.
    pub window: Option<(Turning, usize)>,
    /// Experts, where there are any.
    pub experts: Option<Experts>,
    /// What the rows of the embedding table are multiplied with.
    pub embedding_scale: f32,
    /// The bound into which logits are bent, where there is one.
    pub logit_bend: Option<f32>,
    /// Tokens the model was made to look back on.
    pub trained_context_tokens: usize,
    /// Tokens it was made for before its reach was extended by factors.
    pub original_context_tokens: usize,
}

/// Layers of Gemma 3 of which the last looks at everything and the others at a window.
const WINDOW_PATTERN_LAYERS: usize = 6;
/// Layers of the one Gemma 3 whose attention is scaled by its width.
const GEMMA_27B_LAYERS: usize = 62;
/// The base of frequencies in the window layers of Gemma 3.
const WINDOW_BASE: f32 = 10_000.0;

impl Shape {
    /// Reads and checks the shape.
    ///
    /// # Errors
    /// A layout this engine does not run, a number that is missing or out of bounds, a way of stretching positions
    /// that is not supported.
    pub fn read(header: &Header) -> Result<Self, EngineError> {
        let name = header.text("general.architecture").ok_or_else(|| missing("general.architecture"))?;
        let architecture = Architecture::of(name)?;
        let keys = Keys::new(header, name);
        let layers = keys.within("block_count", 1, LAYERS_MAX)?;
        let width = keys.within("embedding_length", 1, WIDTH_MAX)?;
        let heads = keys.within("attention.head_count", 1, HEADS_MAX)?;
        let key_heads = keys.within_or("attention.head_count_kv", heads, 1, heads)?;
        if !heads.is_multiple_of(key_heads) {
            return Err(EngineError::Corrupt(format!("{heads} heads cannot share {key_heads}")));
        }
        let key_width = keys.within_or("attention.key_length", width / heads, 1, WIDTH_MAX)?;
        let value_width = keys.within_or("attention.value_length", width / heads, 1, WIDTH_MAX)?;
        let trained_context_tokens = keys.within("context_length", 1, CONTEXT_TOKENS_MAX)?;
        let original_context_tokens = keys
            .count("rope.scaling.original_context_length")
            .filter(|tokens| *tokens > 0)
            .unwrap_or(trained_context_tokens);
        let epsilon = keys.number("attention.layer_norm_rms_epsilon").ok_or_else(|| missing("the epsilon"))?;
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(EngineError::Corrupt("its epsilon is no small number".to_owned()));
        }
        let turning = turning(&keys, key_width)?;
        let window = window(&keys, architecture, &turning)?;
        let across = if architecture == Architecture::Gemma3 && layers == GEMMA_27B_LAYERS {
            width as f32 / heads as f32
        } else {
            key_width as f32
        };
        Ok(Self {
            architecture,
            layers,
            width,
            heads,
            key_heads,
            key_width,
            value_width,
            epsilon,
            attention_scale: 1.0 / across.sqrt(),
            turning,
            window,
            experts: experts(&keys)?,
            embedding_scale: if architecture == Architecture::Gemma3 { (width as f32).sqrt() } else { 1.0 },
            logit_bend: keys.number("final_logit_softcapping").filter(|bend| *bend > 0.0),
            trained_context_tokens,
            original_context_tokens,
        })
    }

    /// Whether a layer looks at a window only.
    #[must_use]
    pub fn has_window(&self, layer: usize) -> bool {
        self.window.is_some() && layer % WINDOW_PATTERN_LAYERS < WINDOW_PATTERN_LAYERS - 1
    }

    /// How positions turn the heads of a layer.
    #[must_use]
    pub fn turning(&self, layer: usize) -> &Turning {
        match &self.window {
            Some((turning, _)) if self.has_window(layer) => turning,
            _ => &self.turning,
        }
    }

    /// Numbers that one token leaves in the memory of one layer.
    #[must_use]
    pub fn cache_width(&self) -> usize {
        self.key_heads * (self.key_width + self.value_width)
    }
}

/// The numbers of a layout, by their names behind its own.
pub(crate) struct Keys<'a> {
    header: &'a Header,
    prefix: &'a str,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(header: &'a Header, prefix: &'a str) -> Self {
        Self { header, prefix }
    }
}

impl Keys<'_> {
    fn value(&self, key: &str) -> Option<&Value> {
        self.header.metadata.get(&format!("{}.{key}", self.prefix))
    }

    pub(crate) fn count(&self, key: &str) -> Option<usize> {
        self.value(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())
    }

    pub(crate) fn number(&self, key: &str) -> Option<f32> {
        self.value(key).and_then(Value::as_f32)
    }

    /// A whole number within bounds.
    pub(crate) fn within(&self, key: &str, least: usize, most: usize) -> Result<usize, EngineError> {
        if self.value(key).is_some_and(|value| value.as_wholes().is_some()) {
            return Err(EngineError::Unsupported(format!("a different {key} in each layer")));
        }
        let count = self.count(key).ok_or_else(|| missing(key))?;
        if !(least..=most).contains(&count) {
            return Err(EngineError::Corrupt(format!("its {key} is {count}, not between {least} and {most}")));
        }
        Ok(count)
    }

    fn within_or(&self, key: &str, usual: usize, least: usize, most: usize) -> Result<usize, EngineError> {
        if self.value(key).is_none() { Ok(usual.max(least)) } else { self.within(key, least, most) }
    }
}

/// How positions turn a head of this width.
pub(crate) fn turning(keys: &Keys<'_>, key_width: usize) -> Result<Turning, EngineError> {
    let width = keys.within_or("rope.dimension_count", key_width, 1, key_width)?;
    if !width.is_multiple_of(2) {
        return Err(EngineError::Corrupt(format!("{width} numbers of a head cannot be turned in pairs")));
    }
    let base = keys.number("rope.freq_base").unwrap_or(10_000.0);
    let kind = keys.value("rope.scaling.type").and_then(Value::as_text).unwrap_or("linear");
    let factor = keys.number("rope.scaling.factor").or_else(|| keys.number("rope.scale_linear"));
    let stretch = match kind {
        "none" | "longrope" => 1.0,
        "linear" => factor.filter(|factor| *factor != 0.0).unwrap_or(1.0),
        other => return Err(EngineError::Unsupported(format!("positions stretched by {other:?}"))),
    };
    let strength = keys.number("rope.scaling.attn_factor").unwrap_or(1.0);
    if !(base.is_finite() && base > 0.0 && stretch.is_finite() && stretch > 0.0 && strength.is_finite()) {
        return Err(EngineError::Corrupt("its positions are turned by impossible numbers".to_owned()));
    }
    Ok(Turning { width, base, stretch, strength })
}

fn window(
    keys: &Keys<'_>,
    architecture: Architecture,
    turning: &Turning,
) -> Result<Option<(Turning, usize)>, EngineError> {
    let window = keys.count("attention.sliding_window").filter(|window| *window > 0);
    match (architecture, window) {
        // llama.cpp, too, lets Phi look at everything: its files do not say which layers have the window.
        (Architecture::Gemma3, Some(window)) => {
            let base = keys.number("rope.freq_base_swa").unwrap_or(WINDOW_BASE);
            if !(base.is_finite() && base > 0.0) {
                return Err(EngineError::Corrupt("its window is turned by an impossible base".to_owned()));
            }
            Ok(Some((Turning { base, stretch: 1.0, ..turning.clone() }, window)))
        }
        _ => Ok(None),
    }
}

fn experts(keys: &Keys<'_>) -> Result<Option<Experts>, EngineError> {
    if keys.count("expert_count").unwrap_or(0) == 0 {
        return Ok(None);
    }
    let count = keys.within("expert_count", 1, EXPERTS_MAX)?;
    Ok(Some(Experts { count, used: keys.within("expert_used_count", 1, count)? }))
}

fn missing(what: &str) -> EngineError {
    EngineError::Corrupt(format!("{what} is missing"))
}
