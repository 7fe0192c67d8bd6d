//! The engine as a provider of the cascade: a question goes to the worker, its words come back as they are made.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use timmy_domain::model::running::Weighed;
use timmy_domain::thought::Place;
use timmy_llm::deltas::Deltas;
use timmy_llm::{
    ANSWER_BYTES_MAX, BoxFuture, Call, Capabilities, ChatRequest, Completion, Embedder, Embeddings, Failure, Finish,
    Health, Part, Provider, ProviderInfo, Stage, ToolCall, Usage,
};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::ask::{Ask, CallMade};
use crate::find::{For, Found, Places};
use crate::generate::{Answer, Ended};
use crate::runner::{HINT_BUILD, Runner};
use crate::settings::EngineSettings;
use crate::weights::Weights;
use crate::worker::words::Held;
use crate::worker::{CallWorker, Keeper, TEXTS_MAX, Told, Wanted, Work, WorkerState};

/// The name in the cascade.
pub const ENGINE_NAME: &str = "engine";
/// What the system tells of its memory.
const MEMINFO: &str = "/proc/meminfo";
/// The odd number by which the seeds of answers differ.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Models that run inside Timmy.
pub struct EngineProvider {
    info: ProviderInfo,
    settings: EngineSettings,
    places: Places,
    keeper: Keeper,
    /// Keeps the worker of the model that makes vectors only, where the owner names one: the two take turns otherwise,
    /// and the large one is read anew each time.
    vectors: Keeper,
    memory_bytes: u64,
    runner: Runner,
    weights: Weights,
    seed: AtomicU64,
}

/// Where a provider finds what it needs.
#[derive(Clone, Debug, Default)]
pub struct EngineParts {
    /// The program that becomes the worker: this one.
    pub program: PathBuf,
    /// Where models are looked for.
    pub places: Places,
    /// Where the seeds of answers begin.
    pub seed: u64,
}

impl EngineProvider {
    /// Starts and reads nothing before the first question.
    #[must_use]
    pub fn new(settings: &EngineSettings, parts: EngineParts) -> Self {
        let memory_bytes = settings.memory_bytes(&std::fs::read_to_string(MEMINFO).unwrap_or_default());
        let how = CallWorker { program: parts.program, memory_bytes, niceness: settings.niceness };
        Self {
            info: ProviderInfo { name: ENGINE_NAME.to_owned(), kind: "engine", place: Place::Local },
            settings: settings.clone(),
            places: parts.places,
            keeper: Keeper::new(how.clone(), Duration::from_secs(settings.idle_unload_seconds)),
            vectors: Keeper::new(how, Duration::from_secs(settings.idle_unload_seconds)),
            memory_bytes,
            runner: Runner::of(&settings.runner),
            weights: Weights::default(),
            seed: AtomicU64::new(parts.seed),
        }
    }

    /// How the worker is.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        self.keeper.state()
    }

    /// The model files there are, Timmy's own first.
    #[must_use]
    pub fn models(&self) -> Vec<Found> {
        let mut found = self.places.own();
        found.extend(self.places.elsewhere());
        found.extend(self.places.of_ollama());
        found
    }

    /// What the worker holds in memory; nothing when none runs.
    ///
    /// # Errors
    /// Why the worker does not say.
    pub async fn holds(&self, call: &Call) -> Result<Held, Failure> {
        let found = self.look(None, &self.settings.model, For::Words).await?;
        let mut told = self.keeper.ask(self.wanted(&found), Work::Report)?;
        match within(call, call.deadline, Stage::Total, &mut told).await? {
            Told::Holds(held) => Ok(held),
            other => Err(unasked(other)),
        }
    }

    fn no_model(&self, model: &str) -> Failure {
        let folder = self.places.models.display();
        let model = model.to_owned();
        if !model.is_empty() {
            let key = if model == self.settings.model { "model" } else { "embedding_model" };
            let hint = format!("Put {model}.gguf into {folder}, or correct [engine] {key} in timmy.toml.");
            return Failure::NoModel { model, hint };
        }
        let hint = match (self.places.own().first(), self.places.of_ollama().first()) {
            (_, Some(kept)) => {
                format!("Ollama keeps {0}; to use it, set [engine] model = \"{0}\" in timmy.toml.", kept.name)
            }
            // Had it been one that writes, it would have been chosen.
            (Some(own), None) => {
                let name = &own.name;
                format!("{name} makes only vectors; put a .gguf file of a model that writes beside it, into {folder}.")
            }
            (None, None) => format!("Put a .gguf file into {folder}, or name one with [engine] model in timmy.toml."),
        };
        Failure::NoModel { model: "a GGUF file".to_owned(), hint }
    }

    fn wanted(&self, found: &Found) -> Wanted {
        Wanted {
            path: found.path.clone(),
            threads: usize::try_from(self.settings.threads).unwrap_or(0),
            context_tokens: self.settings.context_tokens(),
            runner: self.runner,
        }
    }

    /// The name of the model that makes vectors.
    fn vector_model(&self) -> &str {
        match self.settings.embedding_model.as_str() {
            "" => &self.settings.model,
            own => own,
        }
    }

    fn built(&self) -> Result<(), Failure> {
        self.runner
            .built()
            .map_err(|error| Failure::NotBuiltIn { what: error.to_string(), hint: HINT_BUILD.to_owned() })
    }

    /// The file for a request that wishes for `wish`, else `model`. A wish for what is not there is none.
    async fn look(&self, wish: Option<&str>, model: &str, work: For) -> Result<Found, Failure> {
        self.built()?;
        // A folder may lie on a disk that sleeps.
        let (places, settings, memory) = (self.places.clone(), model.to_owned(), self.memory_bytes);
        let wish = wish.map(str::to_owned);
        let looked = tokio::task::spawn_blocking(move || {
            let wished = wish.and_then(|name| places.named(&name));
            wished.or_else(|| places.choose(&settings, memory, work))
        });
        looked.await.ok().flatten().ok_or_else(|| self.no_model(model))
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        if request.has_images() {
            return Err(Failure::Unsupported { what: "its models see no pictures".to_owned() });
        }
        let outbound = request.for_local();
        let found = self.look(outbound.model(), &self.settings.model, For::Words).await?;
        let ask = Ask::of(&outbound, self.seed.fetch_add(SEED_STEP, Ordering::Relaxed));
        let mut told = self.keeper.ask(self.wanted(&found), Work::Ask(Box::new(ask)))?;
        let mut deltas = Deltas::new(call.deltas.clone());
        let mut bytes = 0_usize;
        let done = loop {
            let (until, stage) = match deltas.begun() {
                false => (call.begin_by(), Stage::FirstToken),
                true => (call.deadline, Stage::Total),
            };
            match within(call, until, stage, &mut told).await {
                Ok(Told::Alive) => {}
                Ok(Told::Begun) => deltas.begin(),
                Ok(Told::Text(text)) => {
                    bytes = bytes.saturating_add(text.len());
                    if bytes > ANSWER_BYTES_MAX {
                        break Err(Failure::TooLarge { what: format!("it is over {ANSWER_BYTES_MAX} bytes") });
                    }
                    deltas.push(&text);
                }
                Ok(Told::Answered(answer)) => break Ok(completion(answer, &found.name)),
                Ok(other) => break Err(unasked(other)),
                Err(failure) => break Err(failure),
            }
        };
        // Whoever waits for the worker does not wait for a reader that is behind.
        drop(told);
        deltas.flush(&call.cancel).await;
        done
    }

    async fn vectors(&self, model: Option<&str>, texts: &[Part], call: &Call) -> Result<Embeddings, Failure> {
        if texts.len() > TEXTS_MAX {
            let detail = format!("{} texts at once, over {TEXTS_MAX}", texts.len());
            return Err(Failure::BadRequest { status: 400, detail });
        }
        let found = self.look(None, model.unwrap_or(self.vector_model()), For::Vectors).await?;
        let own = match model {
            None => self.settings.embedding_model.is_empty(),
            // One that is named is asked beside the one that answers, unless it is that one.
            Some(_) => {
                let usual = self.look(None, &self.settings.model, For::Words).await;
                usual.is_ok_and(|usual| usual.path == found.path)
            }
        };
        let keeper = if own { &self.keeper } else { &self.vectors };
        let words = texts.iter().map(|part| part.text.clone()).collect();
        let mut told = keeper.ask(self.wanted(&found), Work::Embed(words))?;
        loop {
            match within(call, call.deadline, Stage::Total, &mut told).await? {
                Told::Alive => {}
                Told::Embedded(vectors, _) if !are_for(&vectors, texts.len()) => {
                    let what = "its worker made other vectors than it was asked for".to_owned();
                    return Err(Failure::Malformed { what });
                }
                Told::Embedded(vectors, prompt_tokens) => {
                    let usage = Usage { prompt_tokens, completion_tokens: 0 };
                    return Ok(Embeddings { vectors, model: found.name, usage });
                }
                other => return Err(unasked(other)),
            }
        }
    }
}

/// Whether these are `count` vectors of one length, made of numbers.
fn are_for(vectors: &[Vec<f32>], count: usize) -> bool {
    let length = vectors.first().map_or(0, Vec::len);
    let sound = |v: &Vec<f32>| !v.is_empty() && v.len() == length && v.iter().all(|n| n.is_finite());
    vectors.len() == count && vectors.iter().all(sound)
}

/// What the worker tells next, unless the call is given up or its time is over.
async fn within(call: &Call, until: Instant, stage: Stage, told: &mut Receiver<Told>) -> Result<Told, Failure> {
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(Failure::Cancelled),
        told = told.recv() => match told {
            Some(Told::Failed(failure)) => Err(failure),
            Some(told) => Ok(told),
            None => Err(Failure::ServerFault { detail: "the engine ended".to_owned() }),
        },
        () = sleep_until(until) => Err(Failure::Timeout { stage }),
    }
}

fn unasked(told: Told) -> Failure {
    match told {
        Told::Failed(failure) => failure,
        _ => Failure::Malformed { what: "its worker answered what was not asked".to_owned() },
    }
}

fn completion(answer: Answer, model: &str) -> Completion {
    let finish = match answer.ended {
        Ended::Length => Finish::Length,
        Ended::Stop if answer.calls.is_empty() => Finish::Stop,
        Ended::Stop => Finish::ToolCalls,
    };
    let call = |c: CallMade| ToolCall { id: c.id, name: c.name, arguments: c.arguments };
    Completion {
        content: answer.content,
        tool_calls: answer.calls.into_iter().map(call).collect(),
        model: model.to_owned(),
        usage: Usage { prompt_tokens: answer.prompt_tokens, completion_tokens: answer.answer_tokens },
        finish,
    }
}

impl Provider for EngineProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn capabilities(&self) -> Capabilities {
        let loaded = self.keeper.state().loaded.map(|loaded| loaded.context_tokens as u64);
        Capabilities { tools: true, vision: false, json: true, context_tokens: loaded.unwrap_or(self.settings.context) }
    }

    fn embedder(&self) -> Option<&dyn Embedder> {
        Some(self)
    }

    fn weigh(&self, file: PathBuf) -> Option<BoxFuture<'_, Result<Weighed, String>>> {
        let (runner, memory_bytes) = (self.runner, self.memory_bytes);
        Some(Box::pin(self.weights.of(file, runner, memory_bytes, self.settings.context_tokens())))
    }

    /// Looks for the file; loads nothing.
    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async move {
            self.built()?;
            let timeout = Failure::Timeout { stage: Stage::Connect };
            let places = self.places.clone();
            let listed = tokio::task::spawn_blocking(move || [places.own(), places.elsewhere()].concat());
            let usual = tokio::time::timeout(deadline, self.look(None, &self.settings.model, For::Words))
                .await
                .unwrap_or(Err(timeout));
            let listed = listed.await.unwrap_or_default();
            let usual = match usual {
                Ok(found) => found.name,
                // Whoever asks for one of those by its name is answered, although none is the usual one.
                Err(why) => {
                    listed.iter().find(|model| !model.makes_only_vectors()).map(|m| m.name.clone()).ok_or(why)?
                }
            };
            let mut models: Vec<String> = listed.into_iter().map(|model| model.name).collect();
            if !models.contains(&usual) {
                models.insert(0, usual.clone());
            }
            Ok(Health { models, version: Some(self.runner.about().to_owned()), model_in_use: usual })
        })
    }
}

impl Embedder for EngineProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    /// The one that is set. Which one stands in for it, only a look at the disk tells.
    fn model(&self) -> String {
        self.vector_model().to_owned()
    }

    fn embed<'a>(&'a self, texts: &'a [Part], call: &'a Call) -> BoxFuture<'a, Result<Embeddings, Failure>> {
        Box::pin(self.vectors(None, texts, call))
    }

    fn embed_by<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [Part],
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Embeddings, Failure>> {
        Box::pin(self.vectors(Some(model), texts, call))
    }
}
