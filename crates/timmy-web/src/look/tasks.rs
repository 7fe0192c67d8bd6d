//! Tasks: the queue as it is worked, one task with all that is known of it, and the agents.

use askama::Template;
use timmy_domain::task::step::Act;
use timmy_domain::task::{Priority, Status, Task};
use timmy_store::TaskCount;

use super::{Absent, Choice, Clock, Fact, Shell, State, Tone, When, asset, icon};
use crate::nav;

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its id.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Where it stands.
    pub state: State,
    /// Its priority, when it is not the usual one; a word of a newer version as it is stored.
    pub priority: String,
    /// Who does it.
    pub agent: String,
    /// What else is worth a look: `due 18:00`, `attempt 2 of 3`.
    pub note: String,
    /// When it last changed.
    pub at: When,
    /// The act that is first thought of: its word in the address, and on the button.
    pub first: Option<(&'static str, &'static str)>,
    /// Whether its place in the order can be changed.
    pub moves: bool,
    /// The task before it in the order of the queue; empty for the first.
    pub before: String,
    /// The task behind it; empty for the last.
    pub after: String,
    /// Whether a yes to it needs the password, so that it is given on its own page.
    pub step_up: bool,
    /// Where the question is read and decided, since it shows an exact plan; empty when there is none.
    pub decide: String,
}

/// Where a task stands, as it is shown. A word of a newer version is shown as it is.
#[must_use]
pub fn state(task: &Task) -> State {
    let Some(status) = task.status.known else {
        return State::new(Tone::Warn, "degraded", format!("Unknown: {}", task.status));
    };
    match status {
        Status::PendingApproval => State::new(Tone::Ember, "waiting", "Waiting for you"),
        Status::Approved => State::new(Tone::Calm, "queued", "Queued"),
        Status::Running => State::running("Running"),
        Status::Paused => State::new(Tone::Warn, "pause", "Paused"),
        Status::Completed => State::well("Done"),
        Status::Vetoed => State::off("Vetoed"),
        Status::Failed => State::failed("Failed"),
        Status::Backlogged => State::resting("Laid aside"),
    }
}

/// A priority as it is shown; empty for the usual one.
#[must_use]
pub fn priority(task: &Task) -> String {
    match task.priority.known {
        Some(Priority::Normal) => String::new(),
        Some(known) => known.name().to_owned(),
        None => format!("unknown: {}", task.priority),
    }
}

/// The act that is first thought of for a status.
fn first(status: Option<Status>) -> Option<(&'static str, &'static str)> {
    Some(match status? {
        Status::PendingApproval => ("approve", "Approve"),
        Status::Running => ("pause", "Pause"),
        Status::Paused => ("resume", "Resume"),
        Status::Failed => ("retry", "Try again"),
        Status::Backlogged => ("unbacklog", "Take up"),
        Status::Approved | Status::Completed | Status::Vetoed => return None,
    })
}

/// What else is worth a look.
fn note(task: &Task, clock: &Clock) -> String {
    let due = || {
        task.due.map(|due| {
            let word = if due <= clock.now { "was due" } else { "due" };
            format!("{word} {}", clock.short(due).text)
        })
    };
    let later = task.not_before.filter(|at| *at > clock.now).map(|at| format!("not before {}", clock.short(at).text));
    match task.status.known {
        Some(Status::Backlogged) => task.backlog_reason.clone().unwrap_or_default(),
        Some(Status::Failed) => task.result.clone().unwrap_or_default(),
        Some(Status::Completed | Status::Vetoed) => String::new(),
        _ if task.quarantined => "set aside: its workers died of it".to_owned(),
        Some(Status::Running) => task.steps.last().map(|step| step.description.clone()).unwrap_or_default(),
        _ => later.or_else(due).unwrap_or_else(|| match task.attempts {
            0 => String::new(),
            n => format!("attempt {} of {}", n + 1, task.attempts_max.max(n + 1)),
        }),
    }
}

impl TaskRow {
    /// A task as it is stored.
    #[must_use]
    pub fn of(task: &Task, clock: &Clock) -> Self {
        Self {
            id: task.id.to_string(),
            title: task.title.clone(),
            state: state(task),
            priority: priority(task),
            agent: task.assigned_to.clone(),
            note: timmy_domain::text::cut(&timmy_domain::text::one_line(&note(task, clock)), 140),
            at: clock.short(task.updated_at),
            first: first(task.status.known),
            moves: task.status.known == Some(Status::Approved),
            before: String::new(),
            after: String::new(),
            step_up: false,
            decide: String::new(),
        }
    }

    /// Tasks in the order of the queue, each knowing its neighbours.
    #[must_use]
    pub fn in_order(tasks: &[Task], clock: &Clock) -> Vec<Self> {
        let id =
            |at: Option<usize>| at.and_then(|at| tasks.get(at)).map(|task| task.id.to_string()).unwrap_or_default();
        let row = |(at, task): (usize, &Task)| Self {
            before: id(at.checked_sub(1)),
            after: id(Some(at + 1)),
            ..Self::of(task, clock)
        };
        tasks.iter().enumerate().map(row).collect()
    }
}

/// Tasks that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A word for the address of its heading.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The tone of its count.
    pub tone: Tone,
    /// How many there are in all.
    pub count: u64,
    /// Those that are shown.
    pub rows: Vec<TaskRow>,
    /// Where the others are, when not all are shown.
    pub more: Option<String>,
}

/// The tasks, as groups or as one filtered list. As a fragment: `GET /tasks/rows`.
#[derive(Template)]
#[template(path = "parts/tasks.html")]
pub struct TasksPart {
    /// The groups, in the order they are worked; one when the list is filtered.
    pub groups: Vec<Group>,
    /// Whether they stand beside each other.
    pub board: bool,
    /// Whether a yes to one of them needs the password.
    pub step_up: bool,
    /// Why there is none; read when there is none.
    pub absent: Absent,
    /// The address of this list without its path, to draw it anew: `view=board`; may be empty.
    pub query: String,
    /// The secret of the session.
    pub csrf: String,
}

/// What was typed into the form that makes a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub description: String,
    /// How soon.
    pub priority: String,
    /// Who does it.
    pub assigned_to: String,
    /// By when, as the field writes it.
    pub due: String,
    /// Whether it waits for the owner.
    pub asks: bool,
}

/// The page of tasks. `GET /tasks`.
#[derive(Template)]
#[template(path = "tasks.html")]
pub struct TasksPage {
    /// What surrounds it.
    pub shell: Shell,
    /// List and board.
    pub views: Vec<Choice>,
    /// By status, with counts.
    pub statuses: Vec<Choice>,
    /// By priority and by agent.
    pub more: Vec<Choice>,
    /// The tasks.
    pub part: TasksPart,
    /// Where older ones are, when the list is filtered.
    pub older: Option<String>,
    /// What was typed and refused.
    pub draft: Draft,
    /// Whether the form is open, since it was refused.
    pub open: bool,
}

/// One step of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepView {
    /// How it went: shape, word, tone.
    pub state: State,
    /// What was done.
    pub text: String,
    /// What came of it.
    pub output: String,
    /// What shows that it was done, one line each.
    pub evidence: Vec<String>,
    /// When it began.
    pub at: When,
    /// Whether it runs; then its age is counted on the page.
    pub running: bool,
}

/// A question about the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// The question.
    pub title: String,
    /// Where it stands.
    pub state: State,
    /// When it was asked.
    pub at: When,
}

/// One act that the state allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Button {
    /// Its word in the address.
    pub verb: &'static str,
    /// What the button says.
    pub label: &'static str,
    /// What is asked before it is done; empty when nothing is.
    pub ask: &'static str,
    /// Whether there is no way back.
    pub grave: bool,
}

/// Every act of the owner, with its words.
const BUTTONS: [Button; 9] = [
    Button { verb: "approve", label: "Approve", ask: "", grave: false },
    Button { verb: "pause", label: "Pause", ask: "", grave: false },
    Button { verb: "resume", label: "Resume", ask: "", grave: false },
    Button { verb: "retry", label: "Try again", ask: "", grave: false },
    Button { verb: "unbacklog", label: "Take up again", ask: "", grave: false },
    Button { verb: "complete", label: "Done by me", ask: "Once done it stays done. What came of it", grave: false },
    Button { verb: "backlog", label: "Lay aside", ask: "Why it waits", grave: false },
    Button { verb: "cancel", label: "Cancel", ask: "Why it is stopped for good", grave: true },
    Button { verb: "veto", label: "Veto", ask: "Why you do not want it", grave: true },
];

/// The acts that the state of `task` allows.
#[must_use]
pub fn buttons(task: &Task) -> Vec<Button> {
    let Some(status) = task.status.known else { return Vec::new() };
    let act = |verb: &str| match verb {
        "approve" => Act::Approve,
        "pause" => Act::Pause,
        "resume" => Act::Resume,
        "retry" => Act::Retry,
        "unbacklog" => Act::Unbacklog,
        "complete" => Act::Complete(String::new()),
        "backlog" => Act::Backlog(String::new()),
        "cancel" => Act::Cancel(String::new()),
        _ => Act::Veto(String::new()),
    };
    // What waits for a word, or has failed already, is vetoed rather than cancelled.
    let apt = |verb: &str| verb != "cancel" || !matches!(status, Status::PendingApproval | Status::Failed);
    BUTTONS.into_iter().filter(|one| act(one.verb).fits(status) && apt(one.verb)).collect()
}

/// What changes on the page of a task. As a fragment: `GET /tasks/{id}/part`.
#[derive(Template)]
#[template(path = "parts/task.html")]
pub struct TaskPart {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Why it is not running, or what happens with it, in one sentence.
    pub why: String,
    /// Tasks it waits for: title and address.
    pub needs: Vec<(State, String, String)>,
    /// What can be done.
    pub buttons: Vec<Button>,
    /// Whether a yes needs the password.
    pub step_up: bool,
    /// Where the question is read and decided, since it shows an exact plan; empty when there is none.
    pub decide: String,
    /// Whether its place in the order can be changed.
    pub moves: bool,
    /// More about it, in paragraphs.
    pub description: Vec<super::prose::Block>,
    /// What came of it.
    pub result: Vec<super::prose::Block>,
    /// The work, oldest first.
    pub steps: Vec<StepView>,
    /// What it produced, oldest first.
    pub artifacts: Vec<super::artifacts::ArtifactView>,
    /// Whether it is over, so that it can be sent back.
    pub over: bool,
    /// Questions about it, newest first.
    pub asked: Vec<Asked>,
    /// What happened with it lately, newest first.
    pub events: Vec<super::events::EventRow>,
    /// Its figures.
    pub facts: Vec<Fact>,
    /// The secret of the session.
    pub csrf: String,
}

/// One task. `GET /tasks/{id}`.
#[derive(Template)]
#[template(path = "task.html")]
pub struct TaskPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What changes.
    pub part: TaskPart,
    /// Whether it can be changed.
    pub edits: bool,
    /// The form that changes it.
    pub draft: Draft,
    /// Whether that form is open, since it was refused.
    pub open: bool,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Its name.
    pub name: String,
    /// Whether it works now.
    pub state: State,
    /// What it does, in one sentence.
    pub does: &'static str,
    /// Its counts in words: `2 queued, 14 done`.
    pub counts: String,
}

/// The agents that `counts` tell of, and those of this house, which come first.
#[must_use]
pub fn agents(counts: &[TaskCount]) -> Vec<AgentRow> {
    let mut names: Vec<&str> = vec![timmy_domain::task::birth::AGENT];
    for one in counts {
        if !names.contains(&one.assigned_to.as_str()) {
            names.push(&one.assigned_to);
        }
    }
    let of = |name: &str, status: Status| {
        let fits = |one: &&TaskCount| one.assigned_to == name && one.status == status.name();
        counts.iter().filter(fits).map(|one| one.count).sum::<u64>()
    };
    let words = [
        (Status::Running, "running"),
        (Status::PendingApproval, "waiting for you"),
        (Status::Approved, "queued"),
        (Status::Paused, "paused"),
        (Status::Backlogged, "laid aside"),
        (Status::Completed, "done"),
        (Status::Failed, "failed"),
        (Status::Vetoed, "vetoed"),
    ];
    let row = |name: &str| {
        let told: Vec<String> = words
            .iter()
            .map(|(status, word)| (of(name, *status), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", super::words::count(count)))
            .collect();
        AgentRow {
            name: name.to_owned(),
            state: if of(name, Status::Running) > 0 { State::running("Working") } else { State::resting("Idle") },
            does: match name {
                timmy_domain::task::birth::AGENT => "Works his queue in its order, with the tools of this house.",
                "owner" => "You. Say “Done by me” when it is.",
                _ => "A queue of its own, worked by Timmy beside the others, with the same tools.",
            },
            counts: if told.is_empty() { "No task yet".to_owned() } else { told.join(", ") },
        }
    };
    names.into_iter().map(row).collect()
}

/// The agents. `GET /agents`.
#[derive(Template)]
#[template(path = "agents.html")]
pub struct AgentsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The agents.
    pub agents: Vec<AgentRow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(agent: &str, status: &str, count: u64) -> TaskCount {
        TaskCount { assigned_to: agent.to_owned(), status: status.to_owned(), count }
    }

    #[test]
    fn agents_are_told_with_what_they_have_and_nothing_else() {
        let rows = agents(&[count("seer", "approved", 2), count("timmy", "running", 1), count("timmy", "strange", 3)]);
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["timmy", "seer"]);
        assert_eq!((rows[0].state.word.as_str(), rows[0].counts.as_str()), ("Working", "1 running"));
        assert!(rows[1].does.starts_with("A queue of its own"));
        assert_eq!(agents(&[])[0].counts, "No task yet");
    }
}
