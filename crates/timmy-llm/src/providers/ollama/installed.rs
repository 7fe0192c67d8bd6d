//! Which of the installed models answers: the configured one, else the nearest to it.

use serde_json::Value;

use crate::failure::Failure;
use crate::providers::{MODELS_MAX, name};

/// A model that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its name with its tag.
    pub name: String,
    /// Whether it writes text; a model for embeddings does not.
    pub writes: bool,
}

/// Reads the answer of `/api/tags`.
pub fn read(tags: &Value) -> Result<Vec<Installed>, Failure> {
    let Some(models) = tags.get("models").and_then(Value::as_array) else {
        return Err(Failure::Malformed { what: "it does not list its models as Ollama does".to_owned() });
    };
    let named = models.iter().filter_map(|m| Some((m, m.get("name").or_else(|| m.get("model"))?.as_str()?)));
    let installed = named.map(|(model, text)| {
        let family = model.pointer("/details/family").and_then(Value::as_str).unwrap_or_default();
        Installed { name: name(text), writes: !family.contains("bert") && !text.contains("embed") }
    });
    Ok(installed.take(MODELS_MAX).collect())
}

/// The wished model when it is installed; else the configured one; else one whose tag begins like the configured
/// one, which is how quantisations are named; else one of the same family; else the first that writes.
pub fn choose(installed: &[Installed], wished: Option<&str>, configured: &str) -> Option<String> {
    let writing = || installed.iter().filter(|i| i.writes).map(|i| i.name.as_str());
    let exact = |asked: &str| writing().find(|have| full(have) == full(asked));
    let family = |model: &str| model.split(':').next().unwrap_or_default().to_owned();
    let chosen = wished
        .and_then(exact)
        .or_else(|| exact(configured))
        .or_else(|| writing().find(|have| configured.contains(':') && have.starts_with(configured)))
        .or_else(|| writing().find(|have| family(have) == family(configured)))
        .or_else(|| writing().next());
    chosen.map(str::to_owned)
}

/// Whether a model sees pictures, as far as its name tells: the list does not.
pub fn sees(model: &str) -> bool {
    ["llava", "vision", "-vl", "2.5vl", "3vl", "gemma3", "moondream", "minicpm-v"].iter().any(|w| model.contains(w))
}

/// A name without a tag means the tag `latest`.
fn full(model: &str) -> String {
    if model.contains(':') { model.to_owned() } else { format!("{model}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_installed_model_answers() {
        let rows: &[(&[&str], Option<&str>, Option<&str>)] = &[
            (&["qwen:7b", "llama3.1:8b-instruct"], None, Some("llama3.1:8b-instruct")),
            (&["llama3.1:70b", "llama3.1:8b-instruct-q4_K_M"], None, Some("llama3.1:8b-instruct-q4_K_M")),
            (&["qwen:7b", "llama3.1:latest"], None, Some("llama3.1:latest")),
            (&["qwen:7b", "mistral:latest"], None, Some("qwen:7b")),
            (&["qwen:7b", "mistral:latest"], Some("mistral"), Some("mistral:latest")),
            (&["qwen:7b", "llama3.1:8b-instruct"], Some("gpt-4o"), Some("llama3.1:8b-instruct")),
            (&["nomic-embed-text:latest"], None, None),
            (&[], None, None),
        ];
        for (names, wished, expected) in rows {
            let models: Vec<Value> = names.iter().map(|n| serde_json::json!({ "name": n })).collect();
            let installed = read(&serde_json::json!({ "models": models })).expect("a list");
            assert_eq!(
                choose(&installed, *wished, "llama3.1:8b-instruct").as_deref(),
                *expected,
                "{names:?} {wished:?}"
            );
        }
    }

    #[test]
    fn a_list_that_is_none_is_refused_and_a_model_for_embeddings_never_writes() {
        assert!(read(&serde_json::json!({ "data": [] })).is_err());
        let tags = serde_json::json!({ "models": [{ "name": "minilm", "details": { "family": "bert" } }, {}] });
        assert_eq!(read(&tags), Ok(vec![Installed { name: "minilm".into(), writes: false }]));
    }
}
