//! Tasks: making them, reading them, and every act on them.

use timmy_domain::task::{Priority, Status};

use super::{any_schema, shared};
use crate::api::{artifacts, tasks};
use crate::openapi::answers::{Artifact, Queue, Task, TaskCounts, TaskDone, TaskPosition};
use crate::openapi::call::{Call, Next};
use crate::openapi::words::{any, one_of, text};

/// An act at its address, by both verbs.
macro_rules! act {
    ($verb:literal, $id:literal, $again:literal, $summary:literal) => {
        act!(tasks::Said, $verb, $id, $again, $summary)
    };
    ($body:ty, $verb:literal, $id:literal, $again:literal, $summary:literal) => {
        [
            act(Call::post(concat!("/api/tasks/{id}/", $verb), $id, $summary)).may_take::<$body>(),
            act(Call::patch(concat!("/api/tasks/{id}/", $verb), $again, "The same")).may_take::<$body>(),
        ]
    };
}

fn act(call: Call) -> Call {
    call.of("The task.").gives::<Task>(200, "The task as it stands now.").refuses(409).refuses(429)
}

pub(super) fn work() -> Vec<Call> {
    let acts = [
        act!("approve", "approveTask", "approveTaskByPatch", "Let it begin; answers the question that waits about it"),
        act!("veto", "vetoTask", "vetoTaskByPatch", "Say that it is not wanted"),
        act!("pause", "pauseTask", "pauseTaskByPatch", "Stop the work for now"),
        act!("resume", "resumeTask", "resumeTaskByPatch", "Let the work go on"),
        act!("cancel", "cancelTask", "cancelTaskByPatch", "Stop it for good"),
        act!("retry", "retryTask", "retryTaskByPatch", "Begin a failed one again"),
        act!("backlog", "backlogTask", "backlogTaskByPatch", "Lay it aside"),
        act!("unbacklog", "unbacklogTask", "unbacklogTaskByPatch", "Take it up again"),
        act!("complete", "completeTask", "completeTaskByPatch", "Say that the owner did it himself"),
        act!("modify", "modifyTask", "modifyTaskByPatch", "Change what it says"),
        act!(tasks::Where, "move", "moveTask", "moveTaskByPatch", "Put it somewhere else in the owner's order"),
    ];
    reading().into_iter().chain(acts.into_iter().flatten()).chain(things()).chain(queues()).collect()
}

fn reading() -> Vec<Call> {
    vec![
        Call::get("/api/tasks", "tasks", "The tasks, newest first")
            .asks("status", "Only those that stand so.", one_of(Status::ALL.map(Status::name)))
            .asks("priority", "Only those of this priority.", one_of(Priority::ALL.map(Priority::name)))
            .asks("assigned_to", "Only those of this agent.", any())
            .asks(
                "task_type",
                "Only those of this kind; thoughts that come due by themselves are shown for `thought` alone.",
                any(),
            )
            .limited()
            .asks("before", "The `next` of the page before.", super::position())
            .lists::<Task>("Tasks.", Next::Position),
        Call::post("/api/tasks", "createTask", "Make a task")
            .note("With an `idempotency_key` that was used before, the answer is 200 with the task it made then.")
            .takes::<tasks::Wanted>()
            .gives::<Task>(201, "The task.")
            .gives::<Task>(200, "The task that this key made before.")
            .leads(201, "task", "id", "$response.body#/id")
            .leads(201, "approveTask", "id", "$response.body#/id")
            .leads(201, "modifyTask", "id", "$response.body#/id")
            .leads(201, "moveTask", "id", "$response.body#/id")
            .leads(201, "completeTask", "id", "$response.body#/id")
            .leads(201, "queuePosition", "id", "$response.body#/id")
            .refuses(404)
            .refuses(429),
        Call::get("/api/tasks/counts", "taskCounts", "How many tasks stand where")
            .gives::<TaskCounts>(200, "How many."),
        Call::get("/api/tasks/backlog", "backlog", "What is laid aside, in the order of the queue")
            .limited()
            .asks("after", "The `next` of the page before.", text("^(-?[0-9]+_-?[0-9]+_-?[0-9]+)?$"))
            .lists::<Task>("Tasks.", Next::Id),
        Call::post("/api/tasks/bulk", "changeTasks", "Do one act with several tasks, each by itself")
            .takes::<tasks::Batch>()
            .lists::<TaskDone>("What became of each.", Next::Never),
        Call::get("/api/tasks/{id}", "task", "One task").of("Its id.").gives::<Task>(200, "The task."),
    ]
}

fn things() -> Vec<Call> {
    let thing = |call: Call| call.of("The task.").named("n", "The number of the thing.", super::position());
    vec![
        Call::post("/api/tasks/{id}/send-back", "sendTaskBack", "Send back what came of a task that is over")
            .note("It stays as it is; another task is to do it better, and is answered.")
            .of("The task.")
            .takes::<artifacts::Remark>()
            .gives::<Task>(201, "The task that is to do it better.")
            .refuses(409)
            .refuses(429),
        Call::get("/api/tasks/{id}/artifacts", "artifacts", "What a task produced, oldest first")
            .of("The task.")
            .lists::<Artifact>("Its things.", Next::Never),
        thing(Call::get("/api/tasks/{id}/artifacts/{n}", "artifact", "One thing, with its text when it is words"))
            .gives::<Artifact>(200, "The thing."),
        thing(Call::post("/api/tasks/{id}/artifacts/{n}/rate", "rateArtifact", "Say whether a thing is good"))
            .takes::<artifacts::Rating>()
            .gives::<Artifact>(200, "The thing."),
    ]
}

fn queues() -> Vec<Call> {
    vec![
        Call::get("/api/queue/status", "queue", "What an agent works on, and what comes next")
            .asks("assigned_to", "The agent; Timmy when it is not said.", any())
            .gives::<Queue>(200, "The queue."),
        Call::get("/api/queue/position/{id}", "queuePosition", "Where a task stands in the queue of its agent")
            .named("id", "The task.", shared("Id"))
            .gives::<TaskPosition>(200, "Its place."),
        Call::get("/api/queue/agent/{name}", "agentQueue", "The queue of one agent")
            .named("name", "The agent.", any_schema())
            .gives::<Queue>(200, "The queue."),
    ]
}
