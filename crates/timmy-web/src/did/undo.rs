//! How an act is taken back.

use timmy_domain::{TaskId, ThoughtId};

/// How an act is taken back: a form, and the element its answer replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Where the form is sent.
    pub route: String,
    /// What it carries.
    pub fields: Vec<(&'static str, String)>,
    /// The selector of what the answer replaces; empty when nothing is replaced.
    pub target: String,
}

impl Undo {
    pub(super) fn new(route: String) -> Self {
        Self { route, fields: Vec::new(), target: String::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    pub(super) fn task(id: &TaskId, verb: &str) -> Self {
        // With a list to draw anew; on the page of a task the redirect is followed without a script.
        Self { target: "#tasks".to_owned(), ..Self::new(format!("/tasks/{id}/{verb}")) }.with("query", &"")
    }

    pub(super) fn router(route: &str) -> Self {
        Self { target: "#ladder".to_owned(), ..Self::new(route.to_owned()) }
    }

    pub(super) fn thought(id: &ThoughtId, verb: &str) -> Self {
        Self { target: format!("#thought-{id}"), ..Self::new(format!("/thinking/{id}/{verb}")) }
    }
}
