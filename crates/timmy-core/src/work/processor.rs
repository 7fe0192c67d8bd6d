//! The processor: takes tasks from the queue and has them done, a few at a time.
//!
//! A task that somebody stops, shelves or vetoes while it runs is really stopped: its worker is cancelled, and with it
//! whatever model call or child process it waits for. What a worker says after it lost its lease is not heard.
//!
//! A machine that slept wakes with every lease over. No worker died by that, so before anything is recycled the
//! processor renews what its own workers hold; and sleep counts neither as work nor as silence.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use timmy_domain::bus::Pattern;
use timmy_domain::event::QueueDrained;
use timmy_domain::task::step::{Act, Outcome};
use timmy_domain::task::{LEASE_SECONDS, Status, Task};
use timmy_domain::{Actor, NewEvent, Problem, Record, TaskId};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::queue::{Queue, Taken};
use crate::bus::Subscription;
use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;
use crate::supervisor::Component;

/// The name of the part.
pub const PART: &str = "work.processor";
/// Tasks that run at once.
const WORKERS_MAX: usize = 4;
/// Tasks of one agent that run at once.
const WORKERS_PER_AGENT_MAX: usize = 2;
/// Tasks of one kind that run at once: a thought or an answer is one model's work, and a second one would only wait.
const WORKERS_PER_KIND_MAX: usize = 1;
/// Seconds between two looks at the queue when nothing rings: for leases that ended and times that came.
const LOOK_SECONDS: u64 = 15;
/// Seconds between two signs of life of a worker.
const HEARTBEAT_SECONDS: u64 = LEASE_SECONDS / 3;
/// Times the lease of a worker is renewed for it without a sign of life of its own.
const RENEWALS_MAX: u32 = 3;
/// Seconds a cancelled worker has to let go by itself before it is dropped.
const LET_GO_SECONDS: u64 = 5;
/// Who tasks are assigned to that the owner does himself.
pub const OWNER: &str = "owner";
/// Tasks that are looked at at once at a start.
const DRAINED_PAGE: usize = 1_000;
/// Times that many that are looked at: all that may be open.
const DRAINED_PAGES_MAX: usize = 200;

/// Somebody who can do tasks of some kinds.
pub trait Handler: Send + Sync + 'static {
    /// The kinds.
    fn kinds(&self) -> &'static [&'static str];
    /// Does one. Has to end soon after [`Job::stop`] is cancelled; what it answers then is not heard.
    fn work<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome>;
}

/// A task in the hands of a worker.
pub struct Job {
    /// The task as it was taken, and the word that proves who has it.
    pub taken: Taken,
    /// Cancelled when the work is to stop.
    pub stop: CancellationToken,
    /// The queue it came from.
    pub queue: Queue,
    /// How often its worker gave a sign of life.
    beats: Arc<AtomicU64>,
}

impl Job {
    /// A task in hand.
    #[must_use]
    pub fn new(taken: Taken, stop: CancellationToken, queue: Queue) -> Self {
        Self { taken, stop, queue, beats: Arc::default() }
    }

    /// Notes what is done next, for everybody who looks at the task.
    pub async fn note(&self, step: &str) {
        // A task that is no longer the worker's is about to be stopped anyway.
        let _ = self.queue.note(&self.taken, step).await;
    }
}

/// The processor.
#[derive(Clone)]
pub struct Processor {
    queue: Queue,
    handlers: Arc<Vec<Arc<dyn Handler>>>,
}

/// A worker that runs.
struct Worker {
    taken: Taken,
    stop: CancellationToken,
    beats: Arc<AtomicU64>,
    /// How many signs of life it had given when its lease was last renewed for it.
    heard: u64,
    /// How often its lease was renewed for it since its last sign of life.
    silent: u32,
}

impl Worker {
    fn of(job: &Job) -> Self {
        let (taken, stop, beats) = (job.taken.clone(), job.stop.clone(), Arc::clone(&job.beats));
        Self { taken, stop, beats, heard: 0, silent: 0 }
    }

    /// Whether it may be that only the clock ended its lease. One that hangs gives no sign of life, and is taken for
    /// dead in the end.
    fn may_live(&self) -> bool {
        self.silent < RENEWALS_MAX || self.beats.load(Ordering::Relaxed) != self.heard
    }

    fn renewed(&mut self) {
        let beats = self.beats.load(Ordering::Relaxed);
        self.silent = if beats == self.heard { self.silent + 1 } else { 1 };
        self.heard = beats;
    }
}

/// The tasks that run now.
#[derive(Default)]
struct Running {
    jobs: JoinSet<()>,
    known: HashMap<Id, Worker>,
}

impl Running {
    fn of_agent(&self, agent: &str) -> usize {
        self.known.values().filter(|worker| worker.taken.task.assigned_to == agent).count()
    }

    /// Looks after the leases that are over: those of workers that live are renewed, the other tasks taken back.
    async fn look_after(&mut self, queue: &Queue) -> Result<(), Problem> {
        let alive = self.known.values().filter(|worker| worker.may_live());
        let alive = alive.map(|worker| (worker.taken.task.id, worker.taken.holder.clone())).collect();
        let renewed = queue.look_after(alive).await?.renewed;
        let lived = self.known.values_mut().filter(|worker| renewed.contains(&worker.taken.task.id));
        lived.for_each(Worker::renewed);
        Ok(())
    }

    /// The kinds that have enough workers.
    fn busy_kinds(&self, kinds: &[&'static str]) -> Vec<&'static str> {
        let busy = |kind: &&str| {
            self.known.values().filter(|worker| worker.taken.task.task_type == **kind).count() >= WORKERS_PER_KIND_MAX
        };
        kinds.iter().copied().filter(|kind| busy(kind)).collect()
    }

    fn stop(&self, id: TaskId) {
        self.known.values().filter(|worker| worker.taken.task.id == id).for_each(|worker| worker.stop.cancel());
    }
}

/// The task that an event takes out of its worker's hands.
fn stopped(record: &Record) -> Option<TaskId> {
    let acts = ["paused", "vetoed", "cancelled", "backlogged", "completed"];
    let act = record.name.strip_prefix("task.")?;
    acts.contains(&act).then_some(())?;
    record.task_id.as_deref()?.parse().ok()
}

impl Processor {
    /// A processor of `queue` with these handlers.
    #[must_use]
    pub fn new(queue: Queue, handlers: Vec<Arc<dyn Handler>>) -> Self {
        Self { queue, handlers: Arc::new(handlers) }
    }

    /// The kinds of tasks that can be done here.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.handlers.iter().flat_map(|handler| handler.kinds()).copied().collect()
    }

    fn handler(&self, kind: &str) -> Option<Arc<dyn Handler>> {
        self.handlers.iter().find(|handler| handler.kinds().contains(&kind)).cloned()
    }

    /// The part of the house that runs it.
    #[must_use]
    pub fn component(&self) -> Component {
        let own = self.clone();
        Component::new(PART, PartKind::Component, move |ctx| own.clone().run(ctx))
    }

    async fn run(self, ctx: Ctx) -> Result<(), Fault> {
        let heard: Vec<Pattern> =
            ["task.*", "thinking.task"].iter().filter_map(|pattern| pattern.parse().ok()).collect();
        // Subscribed before the first look, so that nothing that happens during it is missed.
        let mut bell = Subscription::new(&ctx.store, heard, ctx.store.last_seq());
        self.drain(&ctx).await?;
        let mut running = Running::default();
        loop {
            self.fill(&ctx, &mut running).await?;
            let done = running.known.len();
            ctx.reports.note(PART, PartKind::Component, ctx.now(), format!("{done} tasks run"));
            let due = self.next_look(&ctx).await?;
            tokio::select! {
                Some(ended) = running.jobs.join_next_with_id() => {
                    let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
                    running.known.remove(&id);
                }
                batch = bell.next() => {
                    for id in batch?.records.iter().filter_map(stopped) {
                        running.stop(id);
                    }
                }
                () = ctx.clock.sleep_until(due) => running.look_after(&self.queue).await.map_err(fault)?,
                () = ctx.stop.cancelled() => break,
            }
        }
        // Each worker gives its task back, so that a stop of the house is no failed attempt.
        running.known.values().for_each(|worker| worker.stop.cancel());
        while running.jobs.join_next().await.is_some() {}
        Ok(())
    }

    async fn next_look(&self, ctx: &Ctx) -> Result<timmy_domain::Timestamp, Fault> {
        let latest = ctx.now().plus(Duration::from_secs(LOOK_SECONDS));
        let next = ctx.store.read(|r| r.tasks_wake_at()).await?;
        Ok(next.map_or(latest, |at| at.min(latest)))
    }

    /// Looks through what the last run left: tasks whose workers went away with it, and kinds nobody here can do.
    async fn drain(&self, ctx: &Ctx) -> Result<(), Fault> {
        let recycled = self.queue.recycle_all().await.map_err(fault)?;
        let failed = recycled.iter().filter(|task| task.quarantined).count();
        let kinds = self.kinds();
        let (mut backlogged, mut before) = (0, None);
        for _ in 0..DRAINED_PAGES_MAX {
            let wanted = timmy_store::TaskQuery {
                status: Some(Status::Approved),
                before,
                limit: DRAINED_PAGE,
                ..timmy_store::TaskQuery::default()
            };
            let page = self.queue.list(wanted).await.map_err(fault)?;
            before = page.last().map(|task| task.seq);
            let full = page.len() == DRAINED_PAGE;
            let nobodys = |task: &Task| task.assigned_to != OWNER && !kinds.contains(&task.task_type.as_str());
            for task in page.into_iter().filter(nobodys) {
                let act = Act::Backlog(nobody(&task.task_type));
                backlogged += u64::from(settled(self.queue.act(task.id, act, Actor::System, PART).await)?);
            }
            if !full {
                break;
            }
        }
        let counts = ctx.store.read(|r| r.task_counts()).await?;
        let waiting = counts.iter().filter(|count| count.status == Status::PendingApproval.name());
        let skipped = waiting.map(|count| count.count).sum();
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let body =
            QueueDrained { recycled: number(recycled.len() - failed), backlogged, skipped, failed: number(failed) };
        ctx.tell(NewEvent::new(PART, body)).await.map(drop)
    }

    /// Takes tasks while there are free workers.
    async fn fill(&self, ctx: &Ctx, running: &mut Running) -> Result<(), Fault> {
        let kinds = self.kinds();
        let (counts, thought) = ctx.store.read(|r| Ok((r.task_counts()?, r.thought_task()?))).await?;
        let ready = counts.into_iter().filter(|count| count.status == Status::Approved.name() && count.count > 0);
        // What the owner does himself is nobody else's. Timmy's own thoughts stand in no count.
        let mut agents: Vec<String> = ready.map(|count| count.assigned_to).filter(|agent| agent != OWNER).collect();
        let thought = thought.filter(|task| task.status.known == Some(Status::Approved)).map(|task| task.assigned_to);
        agents.extend(thought.filter(|agent| !agents.contains(agent)));
        for agent in agents {
            while running.known.len() < WORKERS_MAX && running.of_agent(&agent) < WORKERS_PER_AGENT_MAX {
                let skip = running.busy_kinds(&kinds);
                let Some(taken) = self.queue.take(&agent, &skip).await.map_err(fault)? else { break };
                let Some(handler) = self.handler(&taken.task.task_type) else {
                    let why = nobody(&taken.task.task_type);
                    settled(self.queue.finish(&taken, Outcome::Permanent(why)).await)?;
                    continue;
                };
                let stop = ctx.stop.child_token();
                let job = Job::new(taken, stop, self.queue.clone());
                let worker = Worker::of(&job);
                let id = running.jobs.spawn(work(ctx.clone(), handler, job)).id();
                running.known.insert(id, worker);
            }
        }
        Ok(())
    }
}

fn nobody(kind: &str) -> String {
    format!("nobody here can do tasks of the kind {kind}")
}

/// Whether it was done; somebody who was faster with the same task is no fault.
fn settled(done: Result<Task, Problem>) -> Result<bool, Fault> {
    match done {
        Ok(_) => Ok(true),
        Err(problem) if ["task_state", "not_your_lease", "unknown_to_this_version"].contains(&problem.code) => {
            Ok(false)
        }
        Err(problem) => Err(fault(problem)),
    }
}

fn fault(problem: Problem) -> Fault {
    Fault(problem.message)
}

/// Does one task to its end, whatever that is.
async fn work(ctx: Ctx, handler: Arc<dyn Handler>, job: Job) {
    let working = AssertUnwindSafe(handler.work(&job)).catch_unwind();
    tokio::pin!(working);
    let outcome = tokio::select! {
        ended = &mut working => Some(ended.unwrap_or_else(|_| Outcome::Transient("its worker broke down".to_owned()))),
        ended = heart(&ctx, &job) => ended,
        () = job.stop.cancelled() => None,
    };
    let outcome = match outcome {
        Some(outcome) => outcome,
        None if ctx.stop.is_cancelled() => Outcome::Interrupted,
        None => {
            job.stop.cancel();
            let _ = tokio::time::timeout(Duration::from_secs(LET_GO_SECONDS), &mut working).await;
            return;
        }
    };
    job.stop.cancel();
    if let Err(problem) = job.queue.finish(&job.taken, outcome).await
        && problem.code != "not_your_lease"
        && problem.code != "task_state"
    {
        ctx.capture(PART, &problem.message, "leaves the task to whoever finds its lease over").await;
    }
}

/// Gives the signs of life. Ends with `None` when the task is no longer this worker's, and with what is to be said when
/// its time is over: counted in beats, so that a machine that sleeps for hours takes none of it away.
async fn heart(ctx: &Ctx, job: &Job) -> Option<Outcome> {
    let limit = u64::from(job.taken.task.time_limit_seconds);
    let mut left = limit;
    while left > 0 {
        let beat = left.min(HEARTBEAT_SECONDS);
        ctx.sleep(Duration::from_secs(beat)).await;
        left -= beat;
        // A store that cannot write at the moment takes nobody's task away.
        if matches!(job.queue.heartbeat(&job.taken).await, Ok(false)) {
            return None;
        }
        job.beats.fetch_add(1, Ordering::Relaxed);
    }
    Some(Outcome::Transient(format!("it took longer than {limit} seconds")))
}
