//! Models that are being fetched: a few at a time, each with how far it is, each of which can be stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use timmy_domain::event::{ModelPullEnded, ModelPullProgress, ModelPullStarted};
use timmy_domain::model::catalogue::{self, Entry};
use timmy_domain::model::{Model, ModelFormat};
use timmy_domain::{Actor, NewEvent, Problem, Timestamp};
use timmy_llm::Failure;
use timmy_llm::pull::{Fetched, Progress, PullFailure, Puller, Wanted, leaves, take_back};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;

use super::further::Hosts;
use super::interrupted;
use super::order::Order;

/// Files that are fetched at once; more wait.
pub const AT_ONCE_MAX: usize = 2;
/// Pulls that are remembered, running and ended.
pub const PULLS_MAX: usize = 20;
/// Words about progress that may wait for the store.
const TOLD_MAX: usize = 16;

/// How a pull stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// Others come first.
    Waiting,
    /// It comes.
    Fetching,
    /// The owner stopped it, and what came is still being put on the disk.
    Stopping,
    /// It is here.
    Done,
    /// The owner stopped it.
    Cancelled,
    /// It failed.
    Failed,
}

impl PullState {
    /// Whether it still goes on.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Self::Waiting | Self::Fetching | Self::Stopping)
    }
}

/// One pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pull {
    /// The model.
    pub name: String,
    /// How it stands.
    pub state: PullState,
    /// Bytes that are here.
    pub bytes_here: u64,
    /// All bytes; 0 while only the server knows them.
    pub bytes: u64,
    /// Whether what comes is checked against a checksum that was known before. Without one nothing is verified.
    pub checksum_known: bool,
    /// The SHA-256 of what came; empty until it is here.
    pub sha256: String,
    /// Bytes that come in a second, as a mean of this run; 0 while unknown.
    pub bytes_per_second: u64,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// Why it failed, and what can be done; else empty.
    pub why: String,
    /// What can be done; else empty.
    pub hint: String,
}

struct Entered {
    pull: Pull,
    /// The name of its unfinished file.
    part: String,
    cancel: CancellationToken,
}

/// The pulls. Cheap to clone.
#[derive(Clone)]
pub struct Pulls {
    ctx: Ctx,
    folder: PathBuf,
    turns: Arc<Semaphore>,
    entered: Arc<Mutex<BTreeMap<String, Entered>>>,
}

impl Pulls {
    pub(super) fn new(ctx: Ctx, folder: PathBuf) -> Self {
        Self { ctx, folder, turns: Arc::new(Semaphore::new(AT_ONCE_MAX)), entered: Arc::default() }
    }

    /// Every pull of this run, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Pull> {
        self.entered().values().map(|e| e.pull.clone()).collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Pull> {
        self.entered().get(name).map(|e| e.pull.clone())
    }

    /// Begins to fetch the model `name` of the catalogue. One that is being fetched is told as it stands.
    ///
    /// # Errors
    /// When the catalogue has no such model or no checksum for it, when it is here already, when too many wait, or it
    /// is just being stopped.
    pub async fn start(&self, name: &str) -> Result<Pull, Problem> {
        let Some(entry) = catalogue::find(name) else {
            let names: Vec<&str> = catalogue::fetchable().map(|(entry, _)| entry.name).collect();
            return Err(Problem::unknown(
                "unknown_model",
                "The catalogue has no model of that name.",
                format!("It has {}.", names.join(", ")),
            ));
        };
        self.not_here(name).await?;
        let Some(source) = entry.source else {
            return Err(Problem::conflict(
                "checksum_unknown",
                format!("The checksum of {name} is not known, so Timmy does not fetch it."),
                "Get the file yourself, and import it by its path: timmy model import PATH",
            ));
        };
        let (url, sha256) = (source.url.to_owned(), source.sha256.to_owned());
        let (bytes, sha256) = (Some(source.bytes), Some(sha256));
        let wanted = Wanted { url, bytes, sha256, file_name: entry.file_name(), head: b"" };
        self.enter(Order::of(entry, wanted)).await
    }

    /// Begins to fetch the GGUF file at `url`, to be called `name`. Without a checksum nothing is verified, and every
    /// word about it says so.
    ///
    /// # Errors
    /// When it cannot be asked for, when a model of that name is here, when too many wait, or the store fails.
    pub async fn start_from(&self, name: &str, url: &str, sha256: Option<&str>) -> Result<Pull, Problem> {
        let order = Order::from_address(name, url, sha256, &self.folder)?;
        let asked = order.name.clone();
        if self.ctx.store.read(move |r| r.model(&asked)).await.map_err(|e| e.problem())?.is_some() {
            let hint = "Remove that model first, or give this one another name.";
            return Err(Problem::conflict("model_exists", "A model of that name is registered already.", hint));
        }
        self.enter(order).await
    }

    /// Begins to fetch `entry` from where `wanted` says.
    ///
    /// # Errors
    /// When it is here already, when too many wait, when it was stopped and has not ended yet, or the store fails.
    pub async fn begin(&self, entry: &'static Entry, wanted: Wanted) -> Result<Pull, Problem> {
        self.not_here(entry.name).await?;
        self.enter(Order::of(entry, wanted)).await
    }

    /// Refuses a model that is registered with its file: it would come a second time, in place of one that may be in
    /// use.
    async fn not_here(&self, name: &str) -> Result<(), Problem> {
        let asked = name.to_owned();
        let registered = self.ctx.store.read(move |r| r.model(&asked)).await.map_err(|e| e.problem())?;
        let Some(model) = registered else { return Ok(()) };
        // A folder may lie on a disk that sleeps.
        let whole = tokio::task::spawn_blocking(move || has_file(&model)).await;
        if !whole.map_err(|_| interrupted())? {
            return Ok(());
        }
        let hint = format!(
            "To work with it: timmy model use {name}. To fetch it anew, remove it first: timmy model rm {name}"
        );
        Err(Problem::conflict("model_exists", format!("{name} is here already. Nothing was fetched."), hint))
    }

    async fn enter(&self, order: Order) -> Result<Pull, Problem> {
        let leave =
            if leaves(&order.wanted) { Some(self.ctx.cascade.leave().map_err(|why| stays(&why))?) } else { None };
        let cancel = self.ctx.stop.child_token();
        let (bytes_here, part) = (order.bytes_here(&self.folder), order.wanted.part_name());
        let pull = {
            let mut entered = self.entered();
            match entered.get(&order.name).map(|e| &e.pull) {
                // Two must never write into one file.
                Some(pull) if pull.state == PullState::Stopping => return Err(stopping()),
                Some(pull) if pull.state.runs() => return Ok(pull.clone()),
                _ => {}
            }
            if entered.values().any(|e| e.part == part && e.pull.state.runs()) {
                let hint = "Wait for it, or stop it first.";
                return Err(Problem::conflict("pull_runs", "The same file is being fetched under another name.", hint));
            }
            if entered.len() >= PULLS_MAX && !entered.contains_key(&order.name) {
                entered.retain(|_, e| e.pull.state.runs());
            }
            if entered.len() >= PULLS_MAX {
                return Err(Problem::conflict(
                    "too_many_pulls",
                    "Too many models wait to be fetched.",
                    "Stop one first.",
                ));
            }
            let pull = Pull {
                name: order.name.clone(),
                state: PullState::Waiting,
                bytes_here,
                bytes: order.wanted.bytes.unwrap_or(0),
                checksum_known: order.checksum_known(),
                sha256: String::new(),
                bytes_per_second: 0,
                started_at: self.ctx.now(),
                why: String::new(),
                hint: String::new(),
            };
            entered.insert(pull.name.clone(), Entered { pull: pull.clone(), part, cancel: cancel.clone() });
            pull
        };
        let told = ModelPullStarted { name: pull.name.clone(), bytes: pull.bytes, bytes_here, host: order.host() };
        let begun = self.ctx.store.append(vec![NewEvent::new("models", told).by(Actor::Owner)]).await;
        if let Err(error) = begun {
            self.entered().remove(&order.name);
            return Err(error.problem());
        }
        let pulls = self.clone();
        tokio::spawn(async move { pulls.run(order, cancel, leave).await });
        Ok(pull)
    }

    /// Stops the pull of `name`, which is [`PullState::Stopping`] until it has ended. What came stays, and the next
    /// time goes on from there.
    ///
    /// # Errors
    /// When none of that name runs.
    pub fn cancel(&self, name: &str) -> Result<Pull, Problem> {
        let mut entered = self.entered();
        let Some(running) = entered.get_mut(name).filter(|e| e.pull.state.runs()) else {
            return Err(Problem::conflict("no_pull", "No model of that name is being fetched.", "Look at the list."));
        };
        running.cancel.cancel();
        running.pull.state = PullState::Stopping;
        Ok(running.pull.clone())
    }

    /// Fetches and installs. `leave` ends it when everything has to stay on this machine.
    async fn run(&self, order: Order, cancel: CancellationToken, leave: Option<CancellationToken>) {
        let fetching = async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(PullFailure::Cancelled),
                turn = self.turns.acquire() => match turn {
                    Ok(_turn) if leave.is_some() => self.fetch_from_elsewhere(&order, &cancel).await,
                    Ok(_turn) => self.fetch(&order, &cancel, None).await,
                    Err(_) => Err(PullFailure::Cancelled),
                },
            }
        };
        let staying = async {
            match &leave {
                Some(leave) => leave.cancelled().await,
                None => std::future::pending().await,
            }
            // What came is put on the disk before it is over.
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        let fetched = tokio::select! {
            fetched = fetching => fetched,
            () = staying => Err(PullFailure::Cancelled),
        };
        // It was not the owner's word about this pull that ended it.
        let stayed = leave.is_some_and(|leave| leave.is_cancelled())
            && fetched == Err(PullFailure::Cancelled)
            && self.get(&order.name).is_none_or(|pull| pull.state != PullState::Stopping);
        let fetched = if stayed { Err(self.stayed()) } else { fetched };
        let installed = match fetched {
            Ok(fetched) => self.install(&order, &fetched).await.map_err(|p| (p.message, p.hint)),
            Err(failure) => Err((failure.to_string(), hint(&failure, order.checksum_known()).to_owned())),
        };
        let stopped = cancel.is_cancelled() && !stayed;
        let (why, hint) = match installed {
            Ok(sha256) => {
                self.set(&order.name, |pull| {
                    (pull.state, pull.bytes_here, pull.sha256) = (PullState::Done, pull.bytes, sha256);
                });
                return;
            }
            Err(words) => words,
        };
        let bytes_here = order.bytes_here(&self.folder);
        let told = ModelPullEnded { name: order.name.clone(), why: why.clone(), bytes_here };
        // When the store cannot write, the page still tells.
        let _ = self.ctx.tell(NewEvent::new("models", told)).await;
        self.set(&order.name, |pull| {
            pull.state = if stopped { PullState::Cancelled } else { PullState::Failed };
            (pull.why, pull.hint, pull.bytes_here) = (why, hint, bytes_here);
        });
    }

    /// Why nothing comes from elsewhere now.
    fn stayed(&self) -> PullFailure {
        let why = self.ctx.cascade.leave().err().map(|why| why.to_string());
        PullFailure::Stays {
            what: why.unwrap_or_else(|| "not fetched, because all had to stay here meanwhile".to_owned()),
        }
    }

    /// The same with a line in the ledger of what leaves for each host that is asked: the address is told there.
    async fn fetch_from_elsewhere(&self, order: &Order, cancel: &CancellationToken) -> Result<Fetched, PullFailure> {
        let bytes = order.wanted.url.len() as u64;
        let errand = self.ctx.cascade.fetches(&order.name, &order.host(), bytes).await;
        let errand = errand.map_err(|why| PullFailure::Stays { what: why.to_string() })?;
        let hosts = Arc::new(Hosts::of(&self.ctx.cascade, &order.name));
        let fetched = self.fetch(order, cancel, Some(hosts.clone())).await;
        self.ctx.cascade.back(&errand, fetched.is_ok());
        hosts.back(fetched.is_ok()).await;
        fetched
    }

    async fn fetch(
        &self,
        order: &Order,
        cancel: &CancellationToken,
        hosts: Option<Arc<Hosts>>,
    ) -> Result<Fetched, PullFailure> {
        self.set(&order.name, |pull| {
            if pull.state == PullState::Waiting {
                pull.state = PullState::Fetching;
            }
        });
        let puller = Puller::new().await?;
        let puller = match hosts {
            Some(hosts) => puller.through_gate(hosts),
            None => puller,
        };
        let home = self.folder.parent().map(PathBuf::from).unwrap_or_default();
        let free = timmy_tools::machine::disk_free_bytes(&home);
        let began = tokio::time::Instant::now();
        let (tell, mut told) = mpsc::channel::<Progress>(TOLD_MAX);
        let mut tenth = 0;
        let mut progress = move |at: Progress| {
            let seconds = began.elapsed().as_secs_f64();
            self.set(&order.name, |pull| {
                (pull.bytes_here, pull.bytes) = (at.bytes_here, at.bytes);
                pull.bytes_per_second = rate(at.bytes_new, seconds);
            });
            let now = at.bytes_here.saturating_mul(10) / at.bytes.max(1);
            if now > tenth {
                tenth = now;
                // The log need not know each step.
                let _ = tell.try_send(at);
            }
        };
        let fetching = async {
            let fetched = puller.fetch(&order.wanted, &self.folder, free, cancel, &mut progress).await;
            drop(progress);
            fetched
        };
        let telling = async {
            while let Some(at) = told.recv().await {
                let (bytes_here, bytes) = (at.bytes_here, at.bytes);
                let event = ModelPullProgress { name: order.name.clone(), bytes_here, bytes };
                let _ = self.ctx.tell(NewEvent::new("models", event)).await;
            }
        };
        tokio::join!(fetching, telling).0
    }

    /// Registers what came, and gives its checksum.
    async fn install(&self, order: &Order, fetched: &Fetched) -> Result<String, Problem> {
        let model = order.model(fetched, self.ctx.now());
        let how = if order.checksum_known() { "pulled" } else { "pulled unverified" };
        let written = self.ctx.store.write(move |tx| tx.model_register(&model, how, &Actor::Owner)).await;
        if let Err(error) = written {
            // A file that no model names would lie there for nobody.
            let (folder, wanted, path) = (self.folder.clone(), order.wanted.clone(), fetched.path.clone());
            let _ = tokio::task::spawn_blocking(move || take_back(&folder, &wanted, &path)).await;
            return Err(error.problem());
        }
        Ok(fetched.sha256.clone())
    }

    fn set(&self, name: &str, change: impl FnOnce(&mut Pull)) {
        if let Some(entered) = self.entered().get_mut(name) {
            change(&mut entered.pull);
        }
    }

    fn entered(&self) -> MutexGuard<'_, BTreeMap<String, Entered>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the file of a registered model is there, as long as it was. Where others keep it, nobody here can tell.
fn has_file(model: &Model) -> bool {
    let Ok(meta) = std::fs::metadata(&model.path) else { return false };
    match model.format {
        ModelFormat::Hf => meta.is_dir(),
        ModelFormat::Gguf | ModelFormat::Safetensors | ModelFormat::Ollama => {
            meta.is_file() && meta.len() == model.bytes
        }
    }
}

/// Nothing is fetched from elsewhere while everything stays here.
fn stays(why: &Failure) -> Problem {
    let hint =
        "Import a file that lies on this machine, or wait until it is over: timmy router local-only 0 ends the hour.";
    Problem::conflict("stays_here", format!("Nothing is fetched: {why}."), hint)
}

/// What can be done about it.
fn hint(failure: &PullFailure, checksum_known: bool) -> &'static str {
    match failure {
        PullFailure::Cancelled | PullFailure::Lost { .. } if !checksum_known => {
            "Pull it again. Without a checksum it begins anew, since nobody could tell whether the pieces fit."
        }
        failure => failure.hint(),
    }
}

fn stopping() -> Problem {
    Problem::conflict("pull_stopping", "This model is just being stopped.", "Ask for it again in a moment.")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a speed is shown rounded"
)]
fn rate(bytes: u64, seconds: f64) -> u64 {
    if seconds < 0.1 { 0 } else { (bytes as f64 / seconds) as u64 }
}
