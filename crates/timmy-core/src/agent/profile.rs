//! Small models: which they are, and how they are asked, so that they can do at least something well.

/// How a model is asked in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whether the short frame is told instead of the full one.
    pub short: bool,
    /// Tools that are offered, by their names; `None` for all.
    pub tools: Option<&'static [&'static str]>,
    /// Tokens of what was said that go along.
    pub said_tokens_max: usize,
    /// Times it is asked in one run.
    pub calls_max: u32,
}

/// For models that can hold a plan and a table of tools.
pub const FULL: Profile = Profile { short: false, tools: None, said_tokens_max: 6_000, calls_max: 16 };
/// For small ones: they forget long texts and mix up tools.
pub const SMALL: Profile = Profile { short: true, tools: Some(&SMALL_TOOLS), said_tokens_max: 2_000, calls_max: 8 };

/// What a small model is offered: enough to look, to write, to reckon and to keep a list.
const SMALL_TOOLS: [&str; 6] = ["list_files", "read_file", "search_files", "write_file", "calculate", "task_add"];
/// Beginnings of the names of models that are small whatever size their name says.
const SMALL_NAMES: [&str; 8] =
    ["llama3.2", "llama-3.2", "phi-3", "phi3", "gemma:2b", "gemma-2b", "tinyllama", "smollm"];
/// Billions of parameters up to which a model counts as small.
const SMALL_BILLIONS_MAX: f64 = 4.0;

/// The profile of the model of this name.
#[must_use]
pub fn of(model: &str) -> Profile {
    if is_small(model) { SMALL } else { FULL }
}

/// Whether the name is one of a small model, or says a size of at most four billion parameters.
fn is_small(model: &str) -> bool {
    let low = model.to_ascii_lowercase();
    let name = low.rsplit('/').next().unwrap_or(&low);
    match billions(name) {
        Some(size) => size <= SMALL_BILLIONS_MAX,
        None => SMALL_NAMES.iter().any(|small| name.starts_with(small)),
    }
}

/// The size that a name says, such as 1.5 of `qwen2:1.5b` or 0.5 of `model-500m`.
fn billions(name: &str) -> Option<f64> {
    name.split(['-', ':', '_']).find_map(|part| {
        let (digits, unit) = match (part.strip_suffix('b'), part.strip_suffix('m')) {
            (Some(digits), _) => (digits, 1.0),
            (_, Some(digits)) => (digits, 0.001),
            _ => return None,
        };
        digits.starts_with(|c: char| c.is_ascii_digit()).then(|| digits.parse::<f64>().ok())?.map(|n| n * unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: tasks: small models are known by name and size, and get fewer tools, a shorter prompt and fewer steps
    #[test]
    fn small_models_are_known_by_name_and_by_size() {
        let small = [
            "llama3.2",
            "llama3.2:3b",
            "phi-3-mini",
            "gemma:2b",
            "tinyllama",
            "qwen2:0.5b",
            "qwen2:1.5b",
            "hf.co/org/model-500m-q4",
            "Qwen2.5-3B-Instruct",
            "smollm2",
        ];
        for model in small {
            assert_eq!(of(model), SMALL, "{model}");
        }
        let full =
            ["llama3.1:8b", "llama3.2-vision:11b", "qwen3:30b", "gpt-4o", "grok-2", "phi-3-medium-14b", "", "mistral"];
        for model in full {
            assert_eq!(of(model), FULL, "{model}");
        }
    }
}
