//! The processor: takes tasks from the queue and has them done, a few at a time.
//!
//! A task that somebody stops, shelves or vetoes while it runs is really stopped: its worker is cancelled, and with it
//! whatever model call or child process it waits for. What a worker says after it lost its lease is not heard.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
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
/// Seconds a cancelled worker has to let go by itself before it is dropped.
const LET_GO_SECONDS: u64 = 5;
/// Who tasks are assigned to that the owner does himself.
pub const OWNER: &str = "owner";
/// Tasks of unknown kinds that are laid aside at one start; the others when their turn comes.
const DRAINED_MAX: usize = 1_000;

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
}

impl Job {
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

/// The tasks that run now.
#[derive(Default)]
struct Running {
    jobs: JoinSet<()>,
    known: HashMap<Id, (Task, CancellationToken)>,
}

impl Running {
    fn of_agent(&self, agent: &str) -> usize {
        self.known.values().filter(|(task, _)| task.assigned_to == agent).count()
    }

    /// The kinds that have enough workers.
    fn busy_kinds(&self, kinds: &[&'static str]) -> Vec<&'static str> {
        let busy = |kind: &&str| {
            self.known.values().filter(|(task, _)| task.task_type == **kind).count() >= WORKERS_PER_KIND_MAX
        };
        kinds.iter().copied().filter(|kind| busy(kind)).collect()
    }

    fn stop(&self, id: TaskId) {
        self.known.values().filter(|(task, _)| task.id == id).for_each(|(_, stop)| stop.cancel());
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
        let heard: Vec<Pattern> = ["task.*"].iter().filter_map(|pattern| pattern.parse().ok()).collect();
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
                () = ctx.clock.sleep_until(due) => {
                    self.queue.recycle(false).await.map_err(fault)?;
                }
                () = ctx.stop.cancelled() => break,
            }
        }
        // Each worker gives its task back, so that a stop of the house is no failed attempt.
        running.known.values().for_each(|(_, stop)| stop.cancel());
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
        let recycled = self.queue.recycle(true).await.map_err(fault)?;
        let failed = recycled.iter().filter(|task| task.quarantined).count();
        let kinds = self.kinds();
        let wanted = timmy_store::TaskQuery {
            status: Some(Status::Approved),
            limit: DRAINED_MAX,
            ..timmy_store::TaskQuery::default()
        };
        let mut backlogged = 0;
        for task in self.queue.list(wanted).await.map_err(fault)? {
            if task.assigned_to != OWNER && !kinds.contains(&task.task_type.as_str()) {
                let act = Act::Backlog(nobody(&task.task_type));
                backlogged += u64::from(settled(self.queue.act(task.id, act, Actor::System, PART).await)?);
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
        let counts = ctx.store.read(|r| r.task_counts()).await?;
        let ready = counts.into_iter().filter(|count| count.status == Status::Approved.name() && count.count > 0);
        // What the owner does himself is nobody else's.
        for agent in ready.map(|count| count.assigned_to).filter(|agent| agent != OWNER) {
            while running.known.len() < WORKERS_MAX && running.of_agent(&agent) < WORKERS_PER_AGENT_MAX {
                let skip = running.busy_kinds(&kinds);
                let Some(taken) = self.queue.take(&agent, &skip).await.map_err(fault)? else { break };
                let Some(handler) = self.handler(&taken.task.task_type) else {
                    let why = nobody(&taken.task.task_type);
                    settled(self.queue.finish(&taken, Outcome::Permanent(why)).await)?;
                    continue;
                };
                let stop = ctx.stop.child_token();
                let task = taken.task.clone();
                let job = Job { taken, stop: stop.clone(), queue: self.queue.clone() };
                let id = running.jobs.spawn(work(ctx.clone(), handler, job)).id();
                running.known.insert(id, (task, stop));
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
    let limit = Duration::from_secs(job.taken.task.time_limit_seconds.into());
    let over = ctx.now().plus(limit);
    let working = AssertUnwindSafe(handler.work(&job)).catch_unwind();
    tokio::pin!(working);
    let outcome = tokio::select! {
        ended = &mut working => Some(ended.unwrap_or_else(|_| Outcome::Transient("its worker broke down".to_owned()))),
        () = lost(&ctx, &job) => None,
        () = job.stop.cancelled() => None,
        () = ctx.clock.sleep_until(over) => {
            let took = format!("it took longer than {} seconds", limit.as_secs());
            Some(Outcome::Transient(took))
        }
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

/// Ends when the task is no longer this worker's.
async fn lost(ctx: &Ctx, job: &Job) {
    loop {
        ctx.sleep(Duration::from_secs(HEARTBEAT_SECONDS)).await;
        // A store that cannot write at the moment takes nobody's task away.
        if matches!(job.queue.heartbeat(&job.taken).await, Ok(false)) {
            return;
        }
    }
}
