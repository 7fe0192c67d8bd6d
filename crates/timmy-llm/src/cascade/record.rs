//! Traffic on the record, and asked back: what was asked and answered, a line each, without what must stay here.
//!
//! A line is found again by the hash of the whole request. What is labelled local stands in no line, neither in the
//! question nor, since it may speak of it, in the answer.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timmy_domain::thought::Place;
use timmy_domain::{Digest, Sensitivity};

use super::Answer;
use crate::deltas::Deltas;
use crate::failure::Failure;
use crate::provider::{BoxFuture, Call, Completion, Finish, Health, Provider, ProviderInfo, Usage};
use crate::request::ChatRequest;

/// Bytes a record may have. Then nothing more is written.
pub const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What stands in the place of a text that must stay here.
const STAYS: &str = "[stays on this machine]";

/// Writes traffic to a file.
#[derive(Debug)]
pub struct Recorder(Mutex<(File, u64)>);

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// The hash of the request.
    key: String,
    class: String,
    asked: Vec<Said>,
    provider: String,
    model: String,
    answered: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    duration_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Said {
    role: String,
    text: String,
}

fn key(request: &ChatRequest) -> String {
    let whole = format!(
        "{:?}{:?}{:?}{}{:?}{:?}",
        request.messages, request.tools, request.class, request.max_tokens, request.temperature, request.sampling
    );
    // A picture is shown by its length alone.
    let images = request.messages.iter().flat_map(|m| &m.images).map(|image| Digest::of(&image.bytes).to_string());
    Digest::of(images.fold(whole, |all, image| all + &image).as_bytes()).to_string()
}

impl Recorder {
    /// Writes behind what stands in the file at `path`, which only its owner can read.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let length = file.metadata()?.len();
        Ok(Self(Mutex::new((file, length))))
    }

    /// Writes a call down. A record that is full or cannot be written stays as it is; no call fails for it.
    pub fn write(&self, request: &ChatRequest, answer: &Answer) {
        let open = request.sensitivity() == Sensitivity::Open;
        // Only a whole answer of one model is given again: reflex is none, and half of an answer is not the answer.
        let whole = answer.finish == Finish::Stop && !answer.restarted && answer.place != Place::Reflex;
        let said = |m: &crate::ChatMessage| Said {
            role: m.role.name().to_owned(),
            text: m
                .parts
                .iter()
                .map(|p| if p.sensitivity == Sensitivity::Open { p.text.as_str() } else { STAYS })
                .collect(),
        };
        let line = Line {
            key: if open && whole && answer.tool_calls.is_empty() { key(request) } else { String::new() },
            class: request.class.name().to_owned(),
            asked: request.messages.iter().map(said).collect(),
            provider: answer.provider.clone(),
            model: answer.model.clone(),
            answered: if open { answer.content.clone() } else { STAYS.to_owned() },
            prompt_tokens: answer.usage.prompt_tokens,
            completion_tokens: answer.usage.completion_tokens,
            duration_ms: answer.duration_ms,
        };
        let Ok(mut text) = serde_json::to_string(&line) else { return };
        text.push('\n');
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.1 + text.len() as u64 <= RECORD_BYTES_MAX && inside.0.write_all(text.as_bytes()).is_ok() {
            inside.1 += text.len() as u64;
        }
    }
}

/// A provider that answers from a record, always named replay.
#[derive(Debug)]
pub struct Replay {
    info: ProviderInfo,
    lines: HashMap<String, Line>,
}

impl Replay {
    /// Answers from the record at `path`. Lines that cannot be read are passed by.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut text = String::new();
        File::open(path)?.take(RECORD_BYTES_MAX).read_to_string(&mut text)?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let lines = lines.filter(|line| !line.key.is_empty()).map(|line| (line.key.clone(), line)).collect();
        Ok(Self { info: ProviderInfo { name: "replay".to_owned(), kind: "replay", place: Place::Local }, lines })
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        let Some(line) = self.lines.get(&key(request)) else {
            return Err(Failure::Unsupported { what: "this was never asked while the record was made".to_owned() });
        };
        let mut deltas = Deltas::new(call.deltas.clone());
        deltas.push(&line.answered);
        deltas.flush(&call.cancel).await;
        Ok(Completion {
            content: line.answered.clone(),
            tool_calls: Vec::new(),
            model: line.model.clone(),
            usage: Usage { prompt_tokens: line.prompt_tokens, completion_tokens: line.completion_tokens },
            finish: Finish::Stop,
        })
    }
}

impl Provider for Replay {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        let model = "record".to_owned();
        Box::pin(async { Ok(Health { models: vec![model.clone()], version: None, model_in_use: model }) })
    }
}
