//! The queue: making tasks, doing something with them, and taking them to be worked on.
//!
//! Whatever changes a task goes through [`step`], which asks [`Task::step`] and writes task, event and the question to
//! the owner in one transaction. There is one writer, so nothing can change a task in between.

use std::time::Duration;

use timmy_domain::approval::{self, Decision, NewApproval, Subject};
use timmy_domain::problem::Kind;
use timmy_domain::risk::Assessment;
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Outcome};
use timmy_domain::task::{LEASE_SECONDS, Lease, Priority, Status, Task};
use timmy_domain::{Actor, Problem, Seq, TaskId, Timestamp};
use timmy_store::{Made, StoreError, TASKS_OPEN_MAX, TURN_BATCH_MAX, TaskQuery, Tx};

use crate::chance::hex;
use crate::ctx::Ctx;

/// Tasks that may wait or run at once; more would bury the owner, and the machine.
pub const OPEN_TASKS_MAX: u64 = TASKS_OPEN_MAX;
/// Open tasks that Timmy, or the house, may have made.
pub const OWN_TASKS_MAX: u64 = 1_000;
/// Tasks that one verb may be used on at once.
pub const BULK_MAX: usize = 500;
/// The risk of a task that waits only because somebody asked for it: each thing it does is judged by itself.
const TASK_RISK: u8 = 10;

/// Where in the owner's order a task goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before all others of its priority.
    Top,
    /// Behind all others of its priority.
    Bottom,
    /// Directly before this one, with its priority.
    Before(TaskId),
    /// Directly behind this one, with its priority.
    After(TaskId),
}

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    ctx: Ctx,
}

/// There is no such task.
#[must_use]
pub fn unknown(id: TaskId) -> Problem {
    Problem::unknown("unknown_task", format!("There is no task {id}."), "Look at the list of tasks.")
}

fn no_room(max: u64) -> StoreError {
    StoreError::Refused(Problem::new(
        Kind::TooMany,
        "queue_full",
        format!("{max} tasks are open already, so this one was not made."),
        "Finish, veto or cancel some on the page Tasks.",
    ))
}

/// Makes a task within a transaction, and asks the owner when it has to wait.
///
/// # Errors
/// [`StoreError::Refused`] when a field does not fit or the queue is full; else what the disk said.
pub fn make(tx: &mut Tx<'_>, new: NewTask) -> Result<Made, StoreError> {
    let new = new.checked(tx.now()).map_err(StoreError::Refused)?;
    if tx.tasks_open()? >= OPEN_TASKS_MAX {
        return Err(no_room(OPEN_TASKS_MAX));
    }
    if new.by != Actor::Owner && tx.tasks_open_of(&new.created_by(), OWN_TASKS_MAX)? >= OWN_TASKS_MAX {
        return Err(no_room(OWN_TASKS_MAX));
    }
    let made = tx.task_create(&new)?;
    if made.is_new && made.task.status.known == Some(Status::PendingApproval) {
        ask(tx, &made.task, new.by)?;
    }
    Ok(made)
}

/// Puts the question whether a task may be begun to the owner.
fn ask(tx: &mut Tx<'_>, task: &Task, by: Actor) -> Result<(), StoreError> {
    tx.approval_open(&NewApproval {
        subject: Subject::task(task.id.to_string()),
        title: task.title.clone(),
        description: task.description.clone(),
        proposed_action: format!("Begin the {} task “{}”, done by {}.", task.task_type, task.title, task.assigned_to),
        plan: None,
        risk: Assessment::plain(TASK_RISK, "task", "what it then does is asked for by itself where it is risky"),
        expires_at: None,
        by,
        cause: Some(task.seq),
    })?;
    Ok(())
}

/// Does `act` with the task `id` within a transaction. A question to the owner about it is answered by the act.
///
/// # Errors
/// [`StoreError::Refused`] when there is none, or state, actor or lease forbids it; else what the disk said.
pub fn step(tx: &mut Tx<'_>, id: TaskId, act: &Act, by: &Actor, through: &str) -> Result<Task, StoreError> {
    let over = tx.task(id)?.filter(|task| *act == Act::Retry && task.is_own_thought());
    if let Some(task) = over {
        return Err(StoreError::Refused(Problem::conflict(
            "thought_over",
            format!(
                "The task “{}” is a thought that came due by itself, and is over. Nothing was changed.",
                task.title
            ),
            "Ask for a new one with `timmy think now` or on the page Thinking.",
        )));
    }
    let subject = Subject::task(id.to_string());
    if let Some(waiting) = tx.approval_pending(&subject)?.filter(|_| *act == Act::Approve) {
        waiting.answered_by_its_task().map_err(|refusal| StoreError::Refused(refusal.problem()))?;
    }
    let task = step_alone(tx, id, act.clone(), by)?;
    if *act == Act::Retry {
        tx.clear_run(id)?;
    }
    if let Some(waiting) = tx.approval_pending(&subject)?.filter(|_| task.status.known != Some(Status::PendingApproval))
    {
        let answer = match (act, by) {
            (Act::Approve, Actor::Owner) => approval::Act::Approve,
            (Act::Veto(_), Actor::Owner) => approval::Act::Reject,
            _ => approval::Act::Withdraw,
        };
        let why = match act {
            Act::Veto(why) | Act::Cancel(why) | Act::Backlog(why) if !why.is_empty() => Some(why.clone()),
            _ => None,
        };
        let decision = Decision { act: answer, actor: by.clone(), through: through.to_owned(), reason: why };
        tx.approval_decide(waiting.id, &decision, tx.now())?;
    }
    // Taken up again, what was never approved waits for the owner as it did at first.
    let again = matches!(act, Act::Unbacklog | Act::Retry) && task.status.known == Some(Status::PendingApproval);
    if again && tx.approval_pending(&subject)?.is_none() {
        ask(tx, &task, by.clone())?;
    }
    Ok(task)
}

/// The same without answering a question: for whoever answers it.
///
/// # Errors
/// As [`step`].
pub fn step_alone(tx: &mut Tx<'_>, id: TaskId, act: Act, by: &Actor) -> Result<Task, StoreError> {
    if tx.task(id)?.is_none() {
        return Err(StoreError::Refused(unknown(id)));
    }
    if let Act::Finish { holder, .. } = &act {
        // The machine may have slept past the end of the lease; the work is the worker's as long as nobody took it.
        tx.task_renew(id, holder, lease_end(tx))?;
    }
    tx.task_step(id, act, by)
}

/// Puts a task somewhere else in the owner's order.
fn place(tx: &mut Tx<'_>, id: TaskId, place: Place, by: &Actor) -> Result<Task, StoreError> {
    let task = tx.task(id)?.ok_or_else(|| StoreError::Refused(unknown(id)))?;
    let own = task.priority.known.unwrap_or(Priority::Normal);
    let found = |tx: &Tx<'_>, other: TaskId| tx.task(other)?.ok_or_else(|| StoreError::Refused(unknown(other)));
    let (next, priority) = match place {
        Place::Before(other) | Place::After(other) if other == id => return Ok(task),
        Place::Bottom => (None, own),
        Place::Top => (tx.task_behind(own, None)?, own),
        Place::Before(other) => {
            let other = found(tx, other)?;
            let priority = other.priority.known.unwrap_or(Priority::Normal);
            (Some(other), priority)
        }
        Place::After(other) => {
            let other = found(tx, other)?;
            let priority = other.priority.known.unwrap_or(Priority::Normal);
            (tx.task_behind(priority, Some(&other))?, priority)
        }
    };
    if next.as_ref().is_some_and(|next| next.id == id) {
        return Ok(task);
    }
    let position = tx.task_room(priority, next.as_ref())?;
    step_alone(tx, id, Act::Move(position, priority), by)
}

/// Takes a task back from its worker; `None` when it is left alone, as a row of a newer version is.
fn take_back(tx: &mut Tx<'_>, id: TaskId) -> Result<Option<Task>, StoreError> {
    match step_alone(tx, id, Act::Recycle, &Actor::System) {
        Ok(task) => Ok(Some(task)),
        Err(StoreError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// When a lease that is given or renewed now ends.
fn lease_end(tx: &Tx<'_>) -> Timestamp {
    tx.now().plus(Duration::from_secs(LEASE_SECONDS))
}

/// What a worker holds: the task, and the word that proves it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The task, running.
    pub task: Task,
    /// The word of its lease.
    pub holder: String,
}

/// What became of leases that were over.
#[derive(Debug, Default)]
pub struct Ended {
    /// The tasks whose workers live and keep them.
    pub renewed: Vec<TaskId>,
    /// The tasks that were taken back, as they are now.
    pub recycled: Vec<Task>,
}

impl Queue {
    /// The queue over `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self { ctx }
    }

    /// Makes a task.
    ///
    /// # Errors
    /// When a field does not fit, the queue is full, or the store fails.
    pub async fn create(&self, new: NewTask) -> Result<Made, Problem> {
        self.ctx.store.write(move |tx| make(tx, new)).await.map_err(|e| e.problem())
    }

    /// The task `id`.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn get(&self, id: TaskId) -> Result<Task, Problem> {
        let found = self.ctx.store.read(move |r| r.task(id)).await.map_err(|e| e.problem())?;
        found.ok_or_else(|| unknown(id))
    }

    /// The tasks that `query` wants.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, query: TaskQuery) -> Result<Vec<Task>, Problem> {
        self.ctx.store.read(move |r| r.tasks_page(&query)).await.map_err(|e| e.problem())
    }

    /// Does `act` with the task `id` for `by`, who came in through `through`.
    ///
    /// # Errors
    /// When there is none, when state or actor forbids it, or when the store fails.
    pub async fn act(&self, id: TaskId, act: Act, by: Actor, through: &str) -> Result<Task, Problem> {
        let through = through.to_owned();
        self.ctx.store.write(move |tx| step(tx, id, &act, &by, &through)).await.map_err(|e| e.problem())
    }

    /// Puts the task `id` somewhere else in the order.
    ///
    /// # Errors
    /// When one of the tasks is not there or over, or the store fails.
    pub async fn place(&self, id: TaskId, to: Place, by: Actor) -> Result<Task, Problem> {
        self.ctx.store.write(move |tx| place(tx, id, to, &by)).await.map_err(|e| e.problem())
    }

    /// Takes the next task of `agent` for a worker; kinds in `skip` are left out. `None` when nothing is ready.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take(&self, agent: &str, skip: &[&'static str]) -> Result<Option<Taken>, Problem> {
        let (agent, skip, holder) = (agent.to_owned(), skip.to_vec(), hex(&self.ctx.chance.bytes::<32>()));
        let taken = self.ctx.store.write(move |tx| {
            tx.tasks_wake()?;
            let Some(next) = tx.task_pick(&agent, &skip)? else { return Ok(None) };
            let lease = Lease { holder: holder.clone(), until: lease_end(tx) };
            let task = step_alone(tx, next.id, Act::Start(lease), &Actor::System)?;
            Ok(Some(Taken { task, holder }))
        });
        taken.await.map_err(|e| e.problem())
    }

    /// Says that the worker still works; `false` tells it to stop, since the task is no longer its own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn heartbeat(&self, taken: &Taken) -> Result<bool, Problem> {
        let (id, holder) = (taken.task.id, taken.holder.clone());
        let kept = self.ctx.store.write(move |tx| {
            let until = lease_end(tx);
            Ok(tx.task_heartbeat(id, &holder, until)? || tx.task_renew(id, &holder, until)?)
        });
        kept.await.map_err(|e| e.problem())
    }

    /// Notes a step of the work; `false` when the task is no longer the worker's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note(&self, taken: &Taken, step: &str) -> Result<bool, Problem> {
        let (id, holder, step) = (taken.task.id, taken.holder.clone(), step.to_owned());
        let noted = self.ctx.store.write(move |tx| {
            tx.task_renew(id, &holder, lease_end(tx))?;
            tx.task_note(id, &holder, &step)
        });
        noted.await.map_err(|e| e.problem())
    }

    /// Ends the work on a task.
    ///
    /// # Errors
    /// When the lease is over, or the store fails.
    pub async fn finish(&self, taken: &Taken, outcome: Outcome) -> Result<Task, Problem> {
        let (id, holder) = (taken.task.id, taken.holder.clone());
        let done = self.ctx.store.write(move |tx| {
            let act = Act::Finish { holder, outcome };
            step_alone(tx, id, act, &Actor::System)
        });
        done.await.map_err(|e| e.problem())
    }

    /// Takes tasks back from every worker, as after a crash. The tasks as they are now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recycle_all(&self) -> Result<Vec<Task>, Problem> {
        Ok(self.ended(true, Vec::new()).await?.recycled)
    }

    /// Looks after the leases that are over. Those of workers that are `alive` in this process are renewed, as when the
    /// machine slept; the other tasks are taken back. Both at one moment: were it looked at the clock twice, a machine
    /// that sleeps in between would cost a worker that lives its task.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look_after(&self, alive: Vec<(TaskId, String)>) -> Result<Ended, Problem> {
        let now = self.ctx.now();
        // Nothing is written when nothing ended, which is nearly always.
        let ended = self.ctx.store.read(move |r| Ok(!r.tasks_abandoned(now, false, 0)?.is_empty()));
        if ended.await.map_err(|e| e.problem())? { self.ended(false, alive).await } else { Ok(Ended::default()) }
    }

    async fn ended(&self, all: bool, alive: Vec<(TaskId, String)>) -> Result<Ended, Problem> {
        let (mut ended, mut left) = (Ended::default(), 0);
        loop {
            let alive = alive.clone();
            let batch = self.ctx.store.write(move |tx| {
                let (mut renewed, until) = (Vec::new(), lease_end(tx));
                for (id, holder) in alive {
                    if tx.task_renew(id, &holder, until)? {
                        renewed.push(id);
                    }
                }
                let found = tx.tasks_abandoned(tx.now(), all, left)?;
                let back = found.into_iter().map(|task| take_back(tx, task.id)).collect::<Result<Vec<_>, _>>()?;
                Ok((renewed, back))
            });
            let (renewed, back) = batch.await.map_err(|e| e.problem())?;
            let found = back.len();
            left += back.iter().filter(|one| one.is_none()).count();
            ended.renewed.extend(renewed);
            ended.recycled.extend(back.into_iter().flatten());
            if found < TURN_BATCH_MAX {
                return Ok(ended);
            }
        }
    }

    /// The event after which nothing of the queue has changed yet, to wait for the next change.
    #[must_use]
    pub fn position(&self) -> Seq {
        self.ctx.store.last_seq()
    }
}
