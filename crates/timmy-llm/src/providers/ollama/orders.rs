//! Models of an Ollama server: fetching one, removing one, and which of them lie in memory now.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use timmy_domain::text::{cut, one_line};
use tokio_util::sync::CancellationToken;

use super::Ollama;
use crate::failure::{Failure, Stage};
use crate::providers::{MODELS_MAX, name};
use crate::wire::ModelOrder;
use crate::wire::lines::Flow;

/// How long the server may be silent while it fetches, in seconds: it says nothing while it checks what came.
const SILENCE_SECONDS: u64 = 300;
/// How long removing a model may take, in seconds.
const REMOVE_SECONDS: u64 = 30;
/// Characters of a step that are kept.
const STEP_CHARS_MAX: usize = 120;

/// How a pull stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullStep {
    /// What the server is doing, in its words.
    pub status: String,
    /// Bytes of the file it is at that are there.
    pub bytes_done: u64,
    /// Bytes of that file; 0 while unknown.
    pub bytes_total: u64,
}

/// A model that lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its name.
    pub model: String,
    /// Bytes of memory it takes.
    pub bytes: u64,
    /// Bytes of those that lie on a graphics card.
    pub bytes_vram: u64,
}

impl Ollama {
    /// Has the server fetch `model`, and tells each step. Only ever called because the owner asked.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] when `cancel` is; the server goes on from there at the next pull. Else why it failed.
    pub async fn pull(
        &self,
        model: &str,
        cancel: &CancellationToken,
        step: &mut (dyn FnMut(PullStep) + Send),
    ) -> Result<(), Failure> {
        let mut whole = false;
        let mut line = |value: Value| {
            let status = value.get("status").and_then(Value::as_str).unwrap_or_default();
            let count = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
            let (bytes_done, bytes_total) = (count("completed"), count("total"));
            whole = status == "success";
            step(PullStep { status: cut(&one_line(status), STEP_CHARS_MAX), bytes_done, bytes_total });
            Ok(if whole { Flow::Done } else { Flow::More })
        };
        let order = ModelOrder { model, stream: true };
        let silence = Duration::from_secs(SILENCE_SECONDS);
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::Cancelled),
            done = self.wire.order(Method::POST, "/api/pull", &order, silence, &mut line) => done?,
        }
        // The list it chooses from is read again when it is next asked.
        self.forget();
        if whole { Ok(()) } else { Err(crate::wire::reading::broke_off()) }
    }

    /// Has the server remove `model`.
    ///
    /// # Errors
    /// [`Failure::NoModel`] when it has none of that name, else why it failed.
    pub async fn remove(&self, model: &str) -> Result<(), Failure> {
        let order = ModelOrder { model, stream: false };
        let patience = Duration::from_secs(REMOVE_SECONDS);
        let removed = self.wire.order(Method::DELETE, "/api/delete", &order, patience, &mut |_| Ok(Flow::More)).await;
        self.forget();
        removed.map_err(|failure| match failure {
            Failure::BadRequest { status: 404, .. } => {
                Failure::NoModel { model: model.to_owned(), hint: "Look at `ollama list`.".to_owned() }
            }
            failure => failure,
        })
    }

    /// The models that lie in memory now.
    ///
    /// # Errors
    /// Why they are not known.
    pub async fn loaded(&self, within: Duration) -> Result<Vec<Loaded>, Failure> {
        let asked = tokio::time::timeout(within, self.wire.get("/api/ps")).await;
        let body = asked.unwrap_or(Err(Failure::Timeout { stage: Stage::Connect }))?;
        let Some(models) = body.get("models").and_then(Value::as_array) else {
            return Err(Failure::Malformed { what: "it does not tell what is loaded as Ollama does".to_owned() });
        };
        let count = |model: &Value, key: &str| model.get(key).and_then(Value::as_u64).unwrap_or(0);
        let loaded = models.iter().take(MODELS_MAX).filter_map(|m| {
            let model = name(m.get("name").or_else(|| m.get("model"))?.as_str()?);
            Some(Loaded { model, bytes: count(m, "size"), bytes_vram: count(m, "size_vram") })
        });
        Ok(loaded.collect())
    }

    fn forget(&self) {
        self.installed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}
