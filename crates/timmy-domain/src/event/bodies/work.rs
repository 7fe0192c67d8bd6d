//! What events carry that tell of tasks, what they produce, and their queue.

use crate::{Seq, TaskId, Timestamp};

bodies! {
    /// Something is to be done.
    TaskCreated {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// What kind of work it is.
        task_type: String,
        /// How soon it is wanted.
        priority: String,
        /// Where it stands.
        status: String,
        /// Which agent is to do it.
        assigned_to: String,
    }
    /// A task may be begun.
    TaskApproved {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The owner does not want it.
    TaskVetoed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The work was stopped for now.
    TaskPaused {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The work goes on.
    TaskResumed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It was stopped for good.
    TaskCancelled {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It is begun again.
    TaskRetried {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It was laid aside.
    TaskBacklogged {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// It was taken up again.
    TaskUnbacklogged {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// The work waits for the owner's word.
    TaskWaiting {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
    }
    /// What it says was changed.
    TaskModified {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// The fields that changed.
        changed: Vec<String>,
    }
    /// It has another place.
    TaskReordered {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// The priority among whose tasks it stands.
        priority: String,
    }
    /// A worker begins.
    TaskStarted {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Which attempt this is, from 1.
        attempt: u32,
    }
    /// What it came to was sent back.
    TaskSentBack {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// What of it: the name of a thing; `None` is its result.
        artifact: Option<String>,
        /// What the owner said about it, shortened.
        reason: String,
        /// The task that is to do it better.
        again: TaskId,
    }
    /// The owner's word about something a task produced.
    ArtifactRated {
        /// Which task.
        task_id: TaskId,
        /// Which of its things.
        artifact: Seq,
        /// Its name.
        name: String,
        /// Whether it is good.
        good: bool,
    }
    /// What the owner does himself is due.
    TaskDue {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// When it is wanted.
        due: Timestamp,
    }
    /// What it needs is not there.
    TaskPostponed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// What is missing.
        reason: String,
    }
    /// It is done.
    TaskCompleted {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// How often it was begun.
        attempts: u32,
    }
    /// The work did not go well.
    TaskFailed {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// Why, in words; empty when nothing was said.
        reason: String,
        /// When it is tried again; `None` when it is not.
        retry_at: Option<Timestamp>,
    }
    /// Its worker went away.
    TaskRecycled {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// How often it was begun.
        attempts: u32,
    }
    /// Its workers went away each time.
    TaskQuarantined {
        /// Which task.
        task_id: TaskId,
        /// Its title.
        title: String,
        /// How often it was begun.
        attempts: u32,
    }
    /// What was left of the last run was looked through at the start.
    QueueDrained {
        /// Tasks that were begun again, since their worker went away.
        recycled: u64,
        /// Tasks that were laid aside, since nobody here can do them.
        backlogged: u64,
        /// Tasks that wait for the owner.
        skipped: u64,
        /// Tasks that were set aside, since their worker went away too often.
        failed: u64,
    }
}
