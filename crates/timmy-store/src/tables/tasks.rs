//! The queue of tasks. What may be done with a task is decided in [`timmy_domain::task`]; here it meets the disk.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::Act;
use timmy_domain::task::{Lease, POSITION_GAP, Priority, RANK_UNKNOWN, Status, Step, Task, Word};
use timmy_domain::{Actor, NewEvent, Problem, TaskId, Timestamp, event};

use crate::row::{id, optional_text, optional_time, readable, text, time};
use crate::{Reader, StoreError, Tx};

pub(crate) mod lists;
mod thoughts;
pub(crate) mod turn;

pub(super) const TASK: &str = "SELECT seq, id, title, description, task_type, assigned_to, created_by, status, priority, requires_approval, auto_approve, approved_at, parent_task_id, result, steps, position, due, backlog_reason, attempts, attempts_max, lease_holder, lease_until, time_limit_seconds, idempotency_key, needs, not_before, quarantined, created_at, started_at, completed_at, updated_at, version FROM task_queue";

/// The source of the events of tasks.
const SOURCE: &str = "tasks";

/// Tasks that may stand in the queue without being over. More would be a program gone wild.
pub const TASKS_OPEN_MAX: u64 = 200_000;

/// `None` when the id itself cannot be read.
pub(super) fn task(row: &Row<'_>) -> rusqlite::Result<Option<Task>> {
    let Some(own_id) = id(row, 1)? else { return Ok(None) };
    let lease = optional_text(row, 20)?.zip(optional_time(row, 21)?);
    Ok(Some(Task {
        seq: row.get(0)?,
        id: own_id,
        title: text(row, 2)?,
        description: text(row, 3)?,
        task_type: text(row, 4)?,
        assigned_to: text(row, 5)?,
        created_by: text(row, 6)?,
        status: Word::<Status>::stored(text(row, 7)?),
        priority: Word::<Priority>::stored(text(row, 8)?),
        requires_approval: row.get(9)?,
        auto_approve: row.get(10)?,
        approved_at: optional_time(row, 11)?,
        parent_task_id: id(row, 12)?,
        result: optional_text(row, 13)?,
        steps: serde_json::from_str::<Vec<Step>>(&text(row, 14)?).unwrap_or_default(),
        position: row.get(15)?,
        due: optional_time(row, 16)?,
        backlog_reason: optional_text(row, 17)?,
        attempts: count(row, 18)?,
        attempts_max: count(row, 19)?,
        lease: lease.map(|(holder, until)| Lease { holder, until }),
        time_limit_seconds: count(row, 22)?,
        idempotency_key: optional_text(row, 23)?,
        needs: serde_json::from_str(&text(row, 24)?).unwrap_or_default(),
        not_before: optional_time(row, 25)?,
        quarantined: row.get(26)?,
        created_at: time(row, 27)?,
        started_at: optional_time(row, 28)?,
        completed_at: optional_time(row, 29)?,
        updated_at: time(row, 30)?,
        version: row.get(31)?,
    }))
}

/// A number that a damaged row may have made odd.
fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u32> {
    Ok(u32::try_from(row.get::<_, i64>(index)?.max(0)).unwrap_or(u32::MAX))
}

fn rank(priority: &Word<Priority>) -> i64 {
    priority.known.map_or(RANK_UNKNOWN, Priority::rank)
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::micros)
}

impl Reader<'_> {
    pub(super) fn tasks_where(&self, rest: &str, values: Vec<Value>) -> Result<Vec<Task>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!("{TASK} {rest}"))?;
        let rows = statement.query_map(params_from_iter(values), task)?;
        Ok(readable(rows, "task_queue")?)
    }

    /// The task `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.tasks_where("WHERE id = ?1", vec![id.to_string().into()])?.pop())
    }

    /// The task that `created_by` made with this word, if it did.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_by_key(&self, created_by: &str, key: &str) -> Result<Option<Task>, StoreError> {
        let values = vec![created_by.to_owned().into(), key.to_owned().into()];
        Ok(self.tasks_where("WHERE created_by = ?1 AND idempotency_key = ?2", values)?.pop())
    }

    /// The tasks that `task` needs and that are not completed.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_unmet(&self, task: &Task) -> Result<Vec<TaskId>, StoreError> {
        let mut unmet = Vec::new();
        for need in &task.needs {
            let status: Option<String> = self
                .conn()
                .prepare_cached("SELECT status FROM task_queue WHERE id = ?1")?
                .query_row([need.to_string()], |row| row.get(0))
                .optional()?;
            if status.as_deref() != Some(Status::Completed.name()) {
                unmet.push(*need);
            }
        }
        Ok(unmet)
    }

    /// How many of `needs` are not completed; `Err` names the first that does not exist.
    fn unmet(&self, needs: &[TaskId]) -> Result<Result<i64, TaskId>, StoreError> {
        let mut unmet = 0;
        for need in needs {
            let status: Option<String> = self
                .conn()
                .prepare_cached("SELECT status FROM task_queue WHERE id = ?1")?
                .query_row([need.to_string()], |row| row.get(0))
                .optional()?;
            match status {
                None => return Ok(Err(*need)),
                Some(status) if status == Status::Completed.name() => {}
                Some(_) => unmet += 1,
            }
        }
        Ok(Ok(unmet))
    }
}

/// A task that was made, or found.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The task.
    pub task: Task,
    /// Whether it was made just now; otherwise its idempotency key was used before.
    pub is_new: bool,
}

impl Tx<'_> {
    /// Makes a task, which has been checked, and appends `task.created`. The same idempotency key of the same maker
    /// gives the task that is there already.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it needs, or comes from, a task that does not exist; [`StoreError::Full`] when too
    /// many are open; else what the disk said.
    pub fn task_create(&mut self, new: &NewTask) -> Result<Made, StoreError> {
        let created_by = new.created_by();
        if let Some(key) = &new.idempotency_key
            && let Some(task) = self.task_by_key(&created_by, key)?
        {
            return Ok(Made { task, is_new: false });
        }
        if self.tasks_open()? >= TASKS_OPEN_MAX {
            return Err(StoreError::Full { what: "open tasks", max: TASKS_OPEN_MAX as usize });
        }
        let unmet = self.unmet(&new.needs)?.map_err(|id| no_such(&id))?;
        if let Some(parent) = &new.parent_task_id {
            self.task(*parent)?.ok_or_else(|| no_such(parent))?;
        }
        let (now, (status, rule)) = (self.now(), new.status());
        let own_id = self.new_task_id();
        let made = event::TaskCreated {
            task_id: own_id,
            title: new.title.clone(),
            task_type: new.task_type.clone(),
            priority: new.priority.name().to_owned(),
            status: status.name().to_owned(),
            assigned_to: new.assigned_to.clone(),
        };
        let made = thoughts::told(made.into(), &new.task_type, &created_by, &new.by, own_id);
        let event = NewEvent::new(SOURCE, made).by(new.by.clone()).caused_by(new.cause).agent(&new.assigned_to);
        let seq = self.append(NewEvent { task_id: Some(own_id.to_string()), ..event })?;
        let task = Task {
            id: own_id,
            title: new.title.clone(),
            description: new.description.clone(),
            task_type: new.task_type.clone(),
            assigned_to: new.assigned_to.clone(),
            created_by,
            status: status.into(),
            priority: new.priority.into(),
            requires_approval: status == Status::PendingApproval,
            auto_approve: new.auto_approve,
            approved_at: rule.map(|_| now),
            parent_task_id: new.parent_task_id,
            result: None,
            steps: Vec::new(),
            // By age, with room between neighbours for what the owner moves there.
            position: seq.saturating_mul(POSITION_GAP),
            due: new.due,
            backlog_reason: None,
            attempts: 0,
            attempts_max: new.attempts_max,
            lease: None,
            time_limit_seconds: new.time_limit_seconds,
            idempotency_key: new.idempotency_key.clone(),
            needs: new.needs.clone(),
            not_before: new.not_before,
            quarantined: false,
            created_at: now,
            started_at: None,
            completed_at: None,
            updated_at: now,
            version: 1,
            seq,
        };
        self.task_insert(&task, unmet, now)?;
        Ok(Made { task, is_new: true })
    }

    fn task_insert(&mut self, task: &Task, unmet: i64, now: Timestamp) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO task_queue (seq, id, title, description, task_type, assigned_to, created_by, status,
                 priority, rank, requires_approval, auto_approve, approved_at, parent_task_id, steps, position, due,
                 attempts, attempts_max, time_limit_seconds, idempotency_key, needs, unmet, not_before, waits,
                 quarantined, created_at, updated_at, version)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, '[]', ?15, ?16, 0, ?17, ?18, ?19,
                 ?20, ?21, ?22, ?23, 0, ?24, ?24, 1)",
            )?
            .execute(params![
                task.seq,
                task.id.to_string(),
                task.title,
                task.description,
                task.task_type,
                task.assigned_to,
                task.created_by,
                task.status.as_str(),
                task.priority.as_str(),
                rank(&task.priority),
                task.requires_approval,
                task.auto_approve,
                micros(task.approved_at),
                task.parent_task_id.map(|id| id.to_string()),
                task.position,
                micros(task.due),
                task.attempts_max,
                task.time_limit_seconds,
                task.idempotency_key,
                serde_json::to_string(&task.needs).unwrap_or_else(|_| "[]".to_owned()),
                unmet,
                micros(task.not_before),
                task.not_before.is_some_and(|at| at > now),
                now.micros(),
            ])?;
        for need in &task.needs {
            self.conn()
                .prepare_cached("INSERT OR IGNORE INTO task_needs (needed, seq) VALUES (?1, ?2)")?
                .execute(params![need.to_string(), task.seq])?;
        }
        Ok(())
    }

    /// Does `act` by `by` with the task `id`, and appends the event that says so. Only one of two acts that come at
    /// once is carried out; the other meets what the first left.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none; [`StoreError::Refused`] when state, actor or lease forbids it.
    pub fn task_step(&mut self, id: TaskId, act: Act, by: &Actor) -> Result<Task, StoreError> {
        let Some(was) = self.task(id)? else { return Err(StoreError::Unknown { what: format!("task {id}") }) };
        let now = self.now();
        let change = was.step(act, by, now)?;
        self.task_store(&was, &change.task, now)?;
        let told = thoughts::told(change.event, &was.task_type, &was.created_by, by, id);
        let event = NewEvent::new(SOURCE, told).by(by.clone()).caused_by(was.seq).agent(&was.assigned_to);
        self.append(NewEvent { task_id: Some(id.to_string()), ..event })?;
        Ok(change.task)
    }

    /// Writes what a worker noted about its work, without an event; `false` when `holder` does not hold the task.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_note(&mut self, id: TaskId, holder: &str, step: &str) -> Result<bool, StoreError> {
        let now = self.now();
        let Some(was) = self.task(id)?.filter(|task| task.is_held_by(holder, now)) else { return Ok(false) };
        let mut is = Task { version: was.version + 1, updated_at: now, ..was.clone() };
        is.note(step, now);
        self.task_store(&was, &is, now)?;
        Ok(true)
    }

    /// Adds to the step that runs what shows that it was done, or why it was not, without an event: the receipt beside
    /// it is the event; `false` when `holder` does not hold the task.
    ///
    /// # Errors
    /// What the disk said.
    pub fn task_prove(
        &mut self,
        id: TaskId,
        holder: &str,
        lines: &[String],
        failed: Option<&str>,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let Some(was) = self.task(id)?.filter(|task| task.is_held_by(holder, now)) else { return Ok(false) };
        let mut is = Task { version: was.version + 1, updated_at: now, ..was.clone() };
        is.prove(lines, failed, now);
        self.task_store(&was, &is, now)?;
        Ok(true)
    }

    fn task_store(&mut self, was: &Task, is: &Task, now: Timestamp) -> Result<(), StoreError> {
        let changed = self
            .conn()
            .prepare_cached(
                "UPDATE task_queue SET title = ?3, description = ?4, assigned_to = ?5, status = ?6, priority = ?7,
                 rank = ?8, requires_approval = ?9, approved_at = ?10, result = ?11, steps = ?12, position = ?13,
                 due = ?14, backlog_reason = ?15, attempts = ?16, lease_holder = ?17, lease_until = ?18,
                 not_before = ?19, waits = ?20, quarantined = ?21, started_at = ?22, completed_at = ?23,
                 updated_at = ?24, version = ?25 WHERE seq = ?1 AND version = ?2",
            )?
            .execute(params![
                was.seq,
                was.version,
                is.title,
                is.description,
                is.assigned_to,
                is.status.as_str(),
                is.priority.as_str(),
                rank(&is.priority),
                is.requires_approval,
                micros(is.approved_at),
                is.result,
                serde_json::to_string(&is.steps).unwrap_or_else(|_| "[]".to_owned()),
                is.position,
                micros(is.due),
                is.backlog_reason,
                is.attempts,
                is.lease.as_ref().map(|lease| lease.holder.as_str()),
                is.lease.as_ref().map(|lease| lease.until.micros()),
                micros(is.not_before),
                is.not_before.is_some_and(|at| at > now),
                is.quarantined,
                micros(is.started_at),
                micros(is.completed_at),
                is.updated_at.micros(),
                is.version,
            ])?;
        if changed == 0 {
            return Err(StoreError::Refused(Problem::conflict(
                "task_state",
                "The task was changed by somebody else at the same moment. Nothing was changed by you.",
                "Look at it again.",
            )));
        }
        if is.status.known == Some(Status::Completed) && was.status.known != Some(Status::Completed) {
            self.task_frees(is.id)?;
        }
        Ok(())
    }

    /// Lets those that waited for `id` know that it is completed. What is completed stays so.
    fn task_frees(&mut self, id: TaskId) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "UPDATE task_queue SET unmet = max(unmet - 1, 0)
                 WHERE seq IN (SELECT seq FROM task_needs WHERE needed = ?1)",
            )?
            .execute([id.to_string()])?;
        Ok(())
    }
}

fn no_such(id: &TaskId) -> StoreError {
    StoreError::Refused(Problem::invalid(
        "no_such_task",
        format!("There is no task {id} to wait for or to come from. Nothing was made."),
        "Look at the list of tasks.",
    ))
}
