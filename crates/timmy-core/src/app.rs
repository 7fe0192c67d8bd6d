//! The engine, assembled: what the dashboard and the command line hold in their hands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use timmy_domain::event::{SystemCrashed, SystemStarted, SystemStopping};
use timmy_domain::{NewEvent, Problem, Secret};
use timmy_llm::Cascade;
use timmy_store::{Store, StoreError};
use timmy_tools::mcp::Hub;
use timmy_tools::readings::Readings;
use tokio_util::sync::CancellationToken;

use crate::agent::worker::Agent;
use crate::attention::Attention;
use crate::backup::Backups;
use crate::backup::nightly::Nightly;
use crate::chance::Chance;
use crate::clock::{BoxFuture, Clock};
use crate::clockwatch::ClockWatch;
use crate::ctx::{Ctx, Inside};
use crate::disk::Disk;
use crate::fault::{Fault, Faults};
use crate::granted::Granted;
use crate::library::Library;
use crate::meters::Meters;
use crate::mind::thinking::Thinking;
use crate::mind::watch::{Watch, Watcher};
use crate::models::Prober;
use crate::pulse::Pulse;
use crate::report::Reports;
use crate::retention::Retention;
use crate::router::{self, Router};
use crate::selfhood::Keeper;
use crate::settings::Settings;
use crate::status::{self, Signs, Status};
use crate::supervisor::{self, Component};
use crate::talk::answer::Answering;
use crate::talk::conversation::Talk;
use crate::telemetry::Telemetry;
use crate::thoughts::Thoughts;
use crate::trust::access::Access;
use crate::trust::approvals::{Approvals, Sweep};
use crate::trust::policy::Policy;
use crate::trust::rules::Rules;
use crate::upkeep::Upkeep;
use crate::work::due::{self, Reminders};
use crate::work::processor::Processor;
use crate::work::queue::Queue;
use crate::{reactor, reconcile, toolservers};

/// The store's key that stands while a server runs, to tell a stop from a crash.
pub(crate) const RUNNING_KEY: &str = "system.running";
/// How often a start that found no room on the disk is written down again, in seconds.
const STARTED_AGAIN_SECONDS: u64 = 5;

/// What an engine is made of.
pub struct Parts {
    /// The one database.
    pub store: Store,
    /// Models, in the order in which they are asked.
    pub cascade: Cascade,
    /// The only source of time.
    pub clock: Arc<dyn Clock>,
    /// The only source of randomness.
    pub chance: Chance,
    /// The settings of the engine.
    pub settings: Settings,
    /// The folder of the version-controlled self.
    pub mind_dir: PathBuf,
    /// Where `~` points in a path the owner types.
    pub user_home: Option<PathBuf>,
    /// The admin token of this start, as `run.json` holds it.
    pub run_token: Secret,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What every part gets handed.
    pub ctx: Ctx,
    /// The thinking engine.
    pub thinking: Thinking,
    /// The conversation.
    pub talk: Talk,
    /// The watched folders.
    pub watch: Watch,
    /// The door.
    pub access: Access,
    /// What is to be done.
    pub queue: Queue,
    /// Who does it.
    pub processor: Processor,
    /// What waits for the owner's word.
    pub approvals: Approvals,
    /// What may be done without it.
    pub policy: Policy,
    /// The owner's rules.
    pub rules: Rules,
    /// Who answers.
    pub router: Router,
    /// The models on this machine.
    pub library: Library,
    /// The backups.
    pub backups: Backups,
    /// The last sixty minutes.
    pub pulse: Pulse,
    /// The servers of tools.
    pub servers: Hub,
    /// The folders that tools may work in.
    pub granted: Granted,
}

impl App {
    /// An engine of these parts. Nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let started_at = parts.clock.now();
        let telemetry = Telemetry::new(&parts.settings.telemetry, Arc::clone(&parts.clock), parts.chance.clone());
        let readings = Readings::of(parts.store.path().to_owned());
        let ctx = Ctx::new(Inside {
            store: parts.store,
            cascade: parts.cascade,
            clock: parts.clock,
            chance: parts.chance,
            settings: parts.settings,
            mind_dir: parts.mind_dir,
            started_at,
            stop: CancellationToken::new(),
            attention: Attention::default(),
            reports: Reports::default(),
            faults: Faults::default(),
            meters: Meters::default(),
            readings,
            telemetry,
            router_saved: std::sync::Mutex::default(),
            wishes: crate::models::Wishes::default(),
        });
        router::resume(&ctx.store, &ctx.cascade, started_at, &ctx.chance);
        let queue = Queue::new(ctx.clone());
        let servers = Hub::new(ctx.settings.servers.clone());
        let agent = Agent::new(ctx.clone(), &queue, parts.user_home.clone(), servers.clone());
        let thinking = Thinking::new(ctx.clone());
        let thoughts = Thoughts::new(ctx.clone(), thinking.clone());
        Self {
            processor: Processor::new(queue.clone(), vec![Arc::new(agent), Arc::new(thoughts)]),
            queue,
            thinking,
            talk: Talk::new(ctx.clone()),
            granted: Granted::new(&ctx, parts.user_home.clone()),
            library: Library::new(ctx.clone(), parts.user_home.clone()),
            watch: Watch::new(ctx.clone(), parts.user_home),
            access: Access::new(ctx.clone(), &parts.run_token),
            approvals: Approvals::new(ctx.clone()),
            policy: Policy::new(ctx.clone()),
            rules: Rules::new(ctx.clone()),
            router: Router::new(ctx.clone()),
            backups: Backups::new(ctx.clone()),
            pulse: Pulse::default(),
            servers,
            ctx,
        }
    }

    /// The parts of the house: one line each.
    #[must_use]
    pub fn components(&self) -> Vec<Component> {
        let always = vec![
            self.pulse.component(),
            self.thinking.component(),
            self.processor.component(),
            reactor::component(Arc::new(Answering(self.talk.clone()))),
            reconcile::component(Arc::new(Prober)),
            reconcile::component(Arc::new(Watcher)),
            reconcile::component(Arc::new(Keeper::default())),
            reconcile::component(Arc::new(Upkeep)),
            reconcile::component(Arc::new(Sweep)),
            reconcile::component(Arc::new(Reminders)),
            reconcile::component(Arc::new(Retention)),
            reconcile::component(Arc::new(Disk)),
            reconcile::component(Arc::new(ClockWatch::default())),
            reconcile::component(Arc::new(Nightly::new(self.backups.clone()))),
        ];
        let sometimes = self.ctx.telemetry.component().into_iter().chain(toolservers::component(&self.servers));
        always.into_iter().chain(sometimes).collect()
    }

    /// Runs every part until [`Ctx::stop`](Inside::stop) is cancelled.
    pub fn run(&self) -> BoxFuture<'static, ()> {
        Box::pin(supervisor::run(self.ctx.clone(), self.components()))
    }

    /// Runs only the parts of these names, for a command that needs no server.
    pub fn run_only(&self, names: &[&str]) -> BoxFuture<'static, ()> {
        let parts = self.components().into_iter().filter(|c| names.contains(&c.name)).collect();
        Box::pin(supervisor::run(self.ctx.clone(), parts))
    }

    /// Tells that the server started, and when the last run ended without saying so.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn tell_started(&self, version: &str, address: &str) -> Result<(), Fault> {
        let sandbox = Some(timmy_tools::sandbox::fence().await.tier.name().to_owned());
        let body = SystemStarted { version: version.to_owned(), address: address.to_owned(), sandbox };
        match started(&self.ctx, body.clone()).await {
            Err(StoreError::DiskFull) => {
                tracing::error!("the disk is full: Timmy shows what he has, and stores nothing until there is room");
                drop(tokio::spawn(started_later(self.ctx.clone(), body)));
                Ok(())
            }
            told => Ok(told?),
        }
    }

    /// Tells that the server stops.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn tell_stopping(&self, reason: &str) -> Result<(), Fault> {
        let body = SystemStopping { reason: reason.to_owned() };
        let told = self.ctx.store.write(move |tx| {
            tx.clear_state(RUNNING_KEY)?;
            tx.append(NewEvent::new("system", body)).map(|_| ())
        });
        Ok(told.await?)
    }

    /// What Timmy is and does right now, and what waits for the owner.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<Status, Problem> {
        let now = self.ctx.now();
        let read = self
            .ctx
            .store
            .read(move |r| Ok((status::asked(r, now)?.0, due::shown(r, now)?, r.messages(None, 1)?, r.folders()?)));
        let (asked, due, messages, folders) = read.await.map_err(|e| e.problem())?;
        Ok(status::decide(Signs {
            writes_refused: self.ctx.store.writes_refused(),
            parts: &self.ctx.reports.all(),
            doing: &self.thinking.doing(),
            turns: self.talk.turns.count(),
            waiting: status::waiting(&asked, &due, &messages, &folders),
        }))
    }
}

/// Writes down that the server started, and that the last run ended without saying so.
async fn started(ctx: &Ctx, body: SystemStarted) -> Result<(), StoreError> {
    let told = ctx.store.write(move |tx| {
        if tx.state(RUNNING_KEY)?.is_some() {
            let last_seq = tx.last_seq()?;
            tx.append(NewEvent::new("system", SystemCrashed { last_seq }))?;
        }
        tx.set_state(RUNNING_KEY, "yes")?;
        tx.append(NewEvent::new("system", body)).map(|_| ())
    });
    told.await
}

/// The same as soon as there is room.
async fn started_later(ctx: Ctx, body: SystemStarted) {
    loop {
        tokio::select! {
            () = ctx.stop.cancelled() => return,
            () = ctx.sleep(Duration::from_secs(STARTED_AGAIN_SECONDS)) => {}
        }
        match started(&ctx, body.clone()).await {
            Err(StoreError::DiskFull) => {}
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%error, "the start could not be written to the log");
                return;
            }
        }
    }
}
