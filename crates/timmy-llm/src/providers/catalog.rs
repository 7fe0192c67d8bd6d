//! Which models a server behind an API lists, and which of them is asked. OpenAI and Anthropic list them alike.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::MODELS_MAX;
use crate::failure::Failure;
use crate::wire::Wire;

/// The models a server listed when it was last asked.
#[derive(Debug)]
pub struct Listed {
    provider: String,
    model: String,
    seen: Mutex<Vec<String>>,
}

impl Listed {
    /// Nothing was asked yet. `model` is the one to ask for, or empty.
    pub fn new(provider: &str, model: &str) -> Self {
        Self { provider: provider.to_owned(), model: model.to_owned(), seen: Mutex::default() }
    }

    /// Asks which models are there, and remembers it. A server without such a list has the configured one.
    pub async fn look(&self, wire: &Wire) -> Result<Vec<String>, Failure> {
        let found = match wire.get("/models").await {
            Ok(body) => read(&body)?,
            Err(Failure::BadRequest { status: 404 | 405, .. }) if !self.model.is_empty() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = found.clone();
        Ok(found)
    }

    /// The wished model when the server lists it, else the configured one, else the first listed.
    pub fn choose(&self, wished: Option<&str>) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let wished = wished.filter(|w| seen.iter().any(|l| l == w));
        let own = Some(self.model.as_str()).filter(|m| !m.is_empty());
        wished.or(own).map(str::to_owned).or_else(|| seen.first().cloned())
    }

    /// The failure, or that the model is not there when this is what it says.
    pub fn unless_gone(&self, failure: Failure) -> Failure {
        match failure {
            Failure::BadRequest { status: 404, detail } if detail.contains("model") => self.no_model(),
            failure => failure,
        }
    }

    /// No model can be asked.
    pub fn no_model(&self) -> Failure {
        let hint = format!("Set model in [provider.{}] of timmy.toml to one that the server has.", self.provider);
        let model = if self.model.is_empty() { "any".to_owned() } else { self.model.clone() };
        Failure::NoModel { model, hint }
    }
}

/// Reads the answer of `/models`.
fn read(body: &Value) -> Result<Vec<String>, Failure> {
    let Some(data) = body.get("data").and_then(Value::as_array) else {
        return Err(Failure::Malformed { what: "it does not list its models as OpenAI does".to_owned() });
    };
    let ids = data.iter().filter_map(|m| m.get("id")?.as_str());
    Ok(ids.take(MODELS_MAX).map(super::name).collect())
}
