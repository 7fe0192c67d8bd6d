//! The models on this machine: registered, fetched, imported, put aside, and which agent works with which.
//!
//! Nothing here is fetched unless the owner asks for it by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use timmy_domain::model::advice::{Fit, Measured, fit, memory_bytes, tenths_of_tokens};
use timmy_domain::model::catalogue::{CATALOGUE, Entry};
use timmy_domain::model::running::Running;
use timmy_domain::model::{ANSWER_TOKENS_USUAL, Assignment, Model, ModelFormat, ModelRole, TEMPERATURE_USUAL, is_name};
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Actor, Problem, Timestamp};
use timmy_store::StoreError;

use crate::ctx::Ctx;

use files::Found;
use pulls::Pulls;
use speed::{Meter, Speeds};

pub mod files;
mod further;
mod order;
pub mod pulls;
pub mod speed;

/// The folder of models inside the home.
pub const FOLDER: &str = "models";
/// How long a removed model can come back, in minutes.
pub const UNDO_MINUTES: u64 = 60;
/// Removed models that can come back at once.
const ASIDE_MAX: usize = 20;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// Tokens a model may be said to read.
const CONTEXT_MAX: u64 = 16_777_216;

/// A model to register; what is left out has its usual value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewModel {
    /// Its name.
    pub name: String,
    /// How it lies on the disk.
    pub format: Option<ModelFormat>,
    /// Where.
    pub path: String,
    /// What it is for.
    pub role: Option<ModelRole>,
    /// Tokens it reads and writes in one request.
    pub context_window: Option<u64>,
    /// What it is, in words.
    pub description: String,
    /// How freely it chooses its words, 0 to 2.
    pub default_temperature: Option<f64>,
    /// Tokens of an answer.
    pub max_tokens: Option<u64>,
}

/// An entry of the catalogue beside what this machine makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// Its family.
    pub family: &'static str,
    /// Its parameters, in millions.
    pub parameters_millions: u64,
    /// How its weights are packed.
    pub quantisation: &'static str,
    /// Tokens it can read and write at most.
    pub context: u64,
    /// Its licence.
    pub licence: &'static str,
    /// Whether it turns text into vectors instead of writing.
    pub embeds: bool,
    /// Its bytes; 0 when they are not known for certain.
    pub bytes: u64,
    /// Memory it needs to lie there whole, in bytes; 0 when that is not known.
    pub memory_bytes: u64,
    /// Its checksum; empty when it can only be imported by its path.
    pub sha256: &'static str,
    /// How it fits this machine.
    pub fit: Fit,
    /// Tenths of a token that it can write here in a second at most; 0 while that is not known.
    pub tenths_of_tokens_per_second: u64,
    /// Whether a model of that name is registered.
    pub installed: bool,
    /// Bytes of it that came before.
    pub bytes_here: u64,
}

/// A model that was removed and can come back.
struct Aside {
    model: Model,
    agents: Vec<String>,
    file: Option<PathBuf>,
    at: Timestamp,
}

/// The models. Cheap to clone.
#[derive(Clone)]
pub struct Library {
    ctx: Ctx,
    user_home: Option<PathBuf>,
    aside: Arc<Mutex<BTreeMap<String, Aside>>>,
    meter: Meter,
    /// Those that are being fetched.
    pub pulls: Pulls,
}

impl Library {
    /// The models over `ctx`. `user_home` is where other programs of the owner keep theirs.
    #[must_use]
    pub fn new(ctx: Ctx, user_home: Option<PathBuf>) -> Self {
        let folder = folder(&ctx);
        let pulls = Pulls::new(ctx.clone(), folder);
        Self { pulls, ctx, user_home, aside: Arc::default(), meter: Meter::default() }
    }

    /// Where the files lie.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        folder(&self.ctx)
    }

    /// Every registered model, also inactive ones, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, role: Option<ModelRole>) -> Result<Vec<Model>, Problem> {
        self.sweep().await;
        self.ctx.store.read(move |r| r.models(role)).await.map_err(|e| e.problem())
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn get(&self, name: &str) -> Result<Model, Problem> {
        let asked = name.to_owned();
        let found = self.ctx.store.read(move |r| r.model(&asked)).await.map_err(|e| e.problem())?;
        found.ok_or_else(|| no_model(name))
    }

    /// Registers a model whose file lies where Timmy may read: in the folder of models, in a folder the owner granted to
    /// tools, or where Ollama keeps its own.
    ///
    /// # Errors
    /// When a value makes no sense, the file lies elsewhere or is no model, or the store fails.
    pub async fn register(&self, new: NewModel) -> Result<Model, Problem> {
        self.admit(new, false, "registered").await
    }

    /// Registers the file at a path the owner himself gave, wherever it lies. It is not copied.
    ///
    /// # Errors
    /// When a value makes no sense, the file is no model, or the store fails.
    pub async fn import(&self, new: NewModel) -> Result<Model, Problem> {
        self.admit(new, true, "imported").await
    }

    async fn admit(&self, new: NewModel, anywhere: bool, how: &'static str) -> Result<Model, Problem> {
        let mut model = self.checked(new)?;
        if model.format != ModelFormat::Ollama {
            let granted = if anywhere { None } else { Some(self.granted().await) };
            let (path, format) = (PathBuf::from(&model.path), model.format);
            let looked = tokio::task::spawn_blocking(move || files::look(&path, format, granted.as_deref())).await;
            let Found { path, bytes } = looked.map_err(|_| interrupted())??;
            model.path = path;
            model.bytes = bytes;
        }
        let made = model.clone();
        let written = self.ctx.store.write(move |tx| tx.model_register(&made, how, &Actor::Owner)).await;
        written.map_err(|e| e.problem())?;
        Ok(model)
    }

    fn checked(&self, new: NewModel) -> Result<Model, Problem> {
        let bad = |what: &str, hint: &str| Problem::invalid("bad_model", what.to_owned(), hint.to_owned());
        if !is_name(&new.name) {
            return Err(bad("This is no name of a model.", "Use letters, digits and . _ : / - in between."));
        }
        let temperature = new.default_temperature.unwrap_or(TEMPERATURE_USUAL);
        if !(0.0..=2.0).contains(&temperature) {
            return Err(bad("A temperature lies between 0 and 2.", "Leave it out for 0.7."));
        }
        let (window, tokens) = (new.context_window.unwrap_or(4_096), new.max_tokens.unwrap_or(ANSWER_TOKENS_USUAL));
        if !(1..=CONTEXT_MAX).contains(&window) || !(1..=CONTEXT_MAX).contains(&tokens) {
            return Err(bad("Tokens are counted from 1 to 16,777,216.", "Leave them out for the usual values."));
        }
        let format = new.format.unwrap_or(ModelFormat::Gguf);
        if (format == ModelFormat::Ollama) != new.path.is_empty() {
            return Err(bad("A model has a path, unless Ollama keeps it.", "Give the path, or format \"ollama\"."));
        }
        Ok(Model {
            name: new.name,
            format,
            path: new.path,
            role: new.role.unwrap_or(ModelRole::General),
            context_window: window,
            description: cut(&one_line(&new.description), DESCRIPTION_CHARS_MAX),
            registered_at: self.ctx.now(),
            active: true,
            default_temperature: temperature,
            max_tokens: tokens,
            bytes: 0,
            sha256: String::new(),
        })
    }

    /// The folders a registered file may lie in.
    async fn granted(&self) -> Vec<PathBuf> {
        let (settings, home) = (self.ctx.settings.tools.clone(), self.user_home.clone());
        let (models, own) = (self.folder(), self.folder().parent().map(PathBuf::from).unwrap_or_default());
        let looked = tokio::task::spawn_blocking(move || {
            let grants = settings.grants(home.as_deref(), &[&own]).0;
            let tools = grants.folders().iter().map(|grant| PathBuf::from(grant.path()));
            tools.chain([models]).chain(home.map(|h| files::ollama_folder(&h))).collect()
        });
        looked.await.unwrap_or_default()
    }

    /// Models that an Ollama on this machine keeps, which can be imported without copying.
    pub async fn ollama_files(&self) -> Vec<files::Blob> {
        let Some(home) = self.user_home.clone() else { return Vec::new() };
        tokio::task::spawn_blocking(move || files::ollama(&files::ollama_folder(&home))).await.unwrap_or_default()
    }

    /// Switches a model on or off; it stays so over a restart.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn switch(&self, name: &str, active: bool) -> Result<Model, Problem> {
        let switched = name.to_owned();
        let written = self.ctx.store.write(move |tx| tx.model_switch(&switched, active, &Actor::Owner)).await;
        written.map_err(|error| unless_unknown(&error, name))
    }

    /// Which agent works with which model.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn assignments(&self) -> Result<Vec<Assignment>, Problem> {
        self.ctx.store.read(|r| r.model_assignments()).await.map_err(|e| e.problem())
    }

    /// Gives an agent a model of its own.
    ///
    /// # Errors
    /// When there is no such model, when the name of the agent is none, or the store fails.
    pub async fn assign(&self, agent: &str, name: &str) -> Result<Assignment, Problem> {
        if !is_name(agent) {
            return Err(Problem::invalid("bad_agent", "This is no name of an agent.", "The usual one is timmy."));
        }
        // As tasks have it.
        let (agent, model) = (agent.to_ascii_lowercase(), name.to_owned());
        let written = self.ctx.store.write(move |tx| tx.model_assign(&agent, &model, &Actor::Owner)).await;
        written.map_err(|error| unless_unknown(&error, name))
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When the agent has none, or the store fails.
    pub async fn unassign(&self, agent: &str) -> Result<(), Problem> {
        let asked = agent.to_ascii_lowercase();
        let written = self.ctx.store.write(move |tx| tx.model_unassign(&asked, &Actor::Owner)).await;
        written.map_err(|error| match error {
            StoreError::Unknown { .. } => {
                let shown = cut(&one_line(agent), 60);
                let what = format!("The agent {shown:?} has no model of its own.");
                Problem::unknown("unknown_assignment", what, "To give it one: timmy model use NAME --agent AGENT")
            }
            error => error.problem(),
        })
    }

    /// Takes a model out of the register. A file of Timmy's own is put aside for [`UNDO_MINUTES`]; any other stays
    /// where it is.
    ///
    /// # Errors
    /// When there is none, or disk or store fail.
    pub async fn remove(&self, name: &str) -> Result<Model, Problem> {
        let model = self.get(name).await?;
        let agents =
            self.assignments().await?.into_iter().filter(|a| a.model_name == name).map(|a| a.agent_id).collect();
        let (folder, path) = (self.folder(), PathBuf::from(&model.path));
        let moved = tokio::task::spawn_blocking(move || files::put_aside(&folder, &path)).await;
        let file = moved.map_err(|_| interrupted())??;
        let (gone, aside) = (name.to_owned(), file.is_some());
        let written = self.ctx.store.write(move |tx| tx.model_remove(&gone, aside, &Actor::Owner)).await;
        if let Err(error) = written {
            files::bring_back(file.as_deref(), &model.path);
            return Err(error.problem());
        }
        let mut kept = self.aside();
        if kept.len() >= ASIDE_MAX {
            kept.pop_first();
        }
        kept.insert(name.to_owned(), Aside { model: model.clone(), agents, file, at: self.ctx.now() });
        Ok(model)
    }

    /// Brings a removed model back, with its file and its agents.
    ///
    /// # Errors
    /// When it is too late, or disk or store fail.
    pub async fn restore(&self, name: &str) -> Result<Model, Problem> {
        self.sweep().await;
        let Some(aside) = self.aside().remove(name) else {
            return Err(Problem::unknown(
                "unknown_model",
                "There is nothing of that name to bring back.",
                "To fetch it again: timmy model pull NAME. To register its file: timmy model import PATH",
            ));
        };
        files::bring_back(aside.file.as_deref(), &aside.model.path);
        let (model, agents) = (aside.model, aside.agents);
        let back = model.clone();
        let written = self.ctx.store.write(move |tx| {
            tx.model_register(&back, "brought back", &Actor::Owner)?;
            agents.iter().try_for_each(|agent| tx.model_assign(agent, &back.name, &Actor::Owner).map(|_| ()))
        });
        written.await.map_err(|e| e.problem())?;
        Ok(model)
    }

    /// Frees the room of what can no longer come back, also of what an earlier run put aside.
    async fn sweep(&self) {
        let now = self.ctx.now();
        let kept: Vec<PathBuf> = {
            let mut aside = self.aside();
            aside.retain(|_, a| now.since(a.at) < Duration::from_secs(UNDO_MINUTES * 60));
            aside.values().filter_map(|a| a.file.clone()).collect()
        };
        let folder = self.folder();
        // What could not be removed is tried again the next time.
        let _ = tokio::task::spawn_blocking(move || files::sweep(&folder, &kept)).await;
    }

    fn aside(&self) -> MutexGuard<'_, BTreeMap<String, Aside>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the machine has for models, and what is known of how fast it is. Nothing waits for that: it is measured
    /// beside, from the first time on that somebody asks.
    pub async fn measured(&self) -> (Measured, Speeds) {
        let folder = self.folder().parent().map(PathBuf::from).unwrap_or_default();
        let speeds = self.meter.look(&self.ctx, folder);
        let machine = self.ctx.readings.machine(self.ctx.now()).await;
        let measured = Measured {
            memory_bytes: machine.memory_total_bytes.unwrap_or(0),
            available_bytes: machine.memory_available_bytes.unwrap_or(0),
            disk_free_bytes: machine.disk_free_bytes.unwrap_or(0),
            disk_read_bytes_per_second: speeds.disk_read_bytes_per_second,
            memory_read_bytes_per_second: speeds.memory_read_bytes_per_second,
        };
        (measured, speeds)
    }

    /// The catalogue beside what this machine makes of it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn offers(&self, machine: Measured) -> Result<Vec<Offer>, Problem> {
        let installed: Vec<String> = self.list(None).await?.into_iter().map(|m| m.name).collect();
        let folder = self.folder();
        Ok(CATALOGUE.iter().map(|entry| offer(entry, machine, &installed, &folder)).collect())
    }

    /// How each registered file would be run here, before anything is loaded: which way its weights come, and what a
    /// token takes at least. Says nothing of models that others keep, nor where nobody runs files.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn running(&self, machine: Measured) -> Result<Vec<Running>, Problem> {
        let mut told = Vec::new();
        for model in self.list(None).await?.into_iter().filter(|model| model.format == ModelFormat::Gguf) {
            let Some(weighed) = self.ctx.cascade.weigh(Path::new(&model.path)).await else { break };
            told.push(match weighed {
                Ok(weighed) => Running::of(&model.name, &weighed, machine),
                Err(why) => Running::refused(&model.name, &why),
            });
        }
        Ok(told)
    }
}

fn offer(entry: &Entry, machine: Measured, installed: &[String], folder: &Path) -> Offer {
    let (bytes, sha256) = entry.source.map_or((0, ""), |s| (s.bytes, s.sha256));
    let installed = installed.iter().any(|name| name == entry.name);
    let fit = fit(bytes, installed, machine);
    Offer {
        name: entry.name,
        family: entry.family,
        parameters_millions: entry.parameters_millions,
        quantisation: entry.quantisation,
        context: entry.context,
        licence: entry.licence,
        embeds: entry.embeds,
        bytes,
        memory_bytes: if bytes == 0 { 0 } else { memory_bytes(bytes) },
        sha256,
        fit,
        tenths_of_tokens_per_second: tenths_of_tokens(bytes, fit, machine),
        installed,
        bytes_here: if sha256.is_empty() { 0 } else { timmy_llm::pull::unfinished_bytes(folder, sha256) },
    }
}

impl Ctx {
    /// The name of the model `agent` works with, when the owner gave it one of its own that may be asked.
    pub async fn model_of(&self, agent: &'static str) -> Option<String> {
        // Without an answer of the store the usual model does the work.
        self.store.read_here(move |r| r.model_of(agent)).await.ok().flatten().map(|model| model.name)
    }
}

fn folder(ctx: &Ctx) -> PathBuf {
    ctx.mind_dir.parent().map(|home| home.join(FOLDER)).unwrap_or_default()
}

fn no_model(name: &str) -> Problem {
    let shown = cut(&one_line(name), 60);
    Problem::unknown(
        "unknown_model",
        format!("There is no model called {shown:?} here."),
        "Look at `timmy model list`.",
    )
}

/// What the store said, in words of the models where it knows none of that name.
fn unless_unknown(error: &StoreError, name: &str) -> Problem {
    match error {
        StoreError::Unknown { .. } => no_model(name),
        error => error.problem(),
    }
}

fn interrupted() -> Problem {
    Problem::unavailable("interrupted", "The look at the disk was interrupted. Nothing was changed.", "Try again.")
}
