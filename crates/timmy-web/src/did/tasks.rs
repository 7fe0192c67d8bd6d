//! What was done with tasks and can be taken back: one act on several, and a change of what one says.

use serde_json::json;
use timmy_domain::TaskId;

use super::{PATH_BYTES_MAX, Undo, hex, unhex};
use crate::look::tasks::Draft;

/// Tasks whose common act can be taken back; their names travel in a cookie, which holds no more.
pub const UNDONE_TASKS_MAX: usize = 50;

/// Acts with their opposites. A yes is taken back by laying the task aside, where nothing happens to it.
const OPPOSITES: [(&str, &str); 4] =
    [("pause", "resume"), ("backlog", "unbacklog"), ("unbacklog", "backlog"), ("approve", "backlog")];

/// One act that was done with several tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    verb: &'static str,
    opposite: &'static str,
    ids: Vec<TaskId>,
}

impl Bulk {
    /// `verb` on these; `None` where it has no opposite, nothing was changed, or too many were.
    #[must_use]
    pub fn of(verb: &str, ids: Vec<TaskId>) -> Option<Self> {
        let (verb, opposite) = *OPPOSITES.iter().find(|(known, _)| *known == verb)?;
        (1..=UNDONE_TASKS_MAX).contains(&ids.len()).then_some(Self { verb, opposite, ids })
    }

    /// How many were changed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    fn names(&self, between: &str) -> String {
        self.ids.iter().map(TaskId::to_string).collect::<Vec<_>>().join(between)
    }

    pub(super) fn undo(&self) -> Undo {
        let undo = Undo { target: "#tasks".to_owned(), ..Undo::new("/tasks/bulk".to_owned()) };
        undo.with("act", &self.opposite).with("ids", &self.names(",")).with("query", &"")
    }

    pub(super) fn coded(&self) -> String {
        format!("bulk.{}_{}", self.verb, self.names("_"))
    }

    pub(super) fn parse(of: &str) -> Option<Self> {
        let (verb, ids) = of.split_once('_')?;
        let ids: Option<Vec<TaskId>> = ids.split('_').take(UNDONE_TASKS_MAX + 1).map(|id| id.parse().ok()).collect();
        Self::of(verb, ids?)
    }
}

/// What a task said before it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    id: TaskId,
    before: Draft,
}

impl Said {
    /// Nothing where it is longer than a cookie holds.
    #[must_use]
    pub fn of(id: TaskId, before: Draft) -> Option<Self> {
        let said = Self { id, before };
        (said.text().len() <= PATH_BYTES_MAX).then_some(said)
    }

    fn text(&self) -> String {
        let Draft { title, description, priority, assigned_to, due, asks: _ } = &self.before;
        json!([title, description, priority, assigned_to, due]).to_string()
    }

    pub(super) fn undo(&self) -> Undo {
        let Draft { title, description, priority, assigned_to, due, asks: _ } = &self.before;
        let undo =
            Undo::new(format!("/tasks/{}/modify", self.id)).with("title", title).with("description", description);
        undo.with("priority", priority).with("assigned_to", assigned_to).with("due", due)
    }

    pub(super) fn coded(&self) -> String {
        format!("tasksaid.{}_{}", self.id, hex(&self.text()))
    }

    pub(super) fn parse(of: &str) -> Option<Self> {
        let (id, text) = of.split_once('_')?;
        let [title, description, priority, assigned_to, due] =
            serde_json::from_str::<[String; 5]>(&unhex(text)?).ok()?;
        let before = Draft { title, description, priority, assigned_to, due, asks: false };
        Self::of(id.parse().ok()?, before)
    }
}
