//! What an act came to, and how it is taken back: told by a notice for ten seconds, with or without scripts.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::json;
use timmy_domain::task::Priority;
use timmy_domain::text::{cut, one_line, plural};
use timmy_domain::{ApprovalId, TaskId, ThoughtId};

mod coded;
mod note;
mod tasks;
mod undo;

use coded::{hex, unhex};
pub use note::Note;
pub use tasks::{Bulk, Said};
pub use undo::Undo;

use crate::auth::{Visit, set_cookie};
use crate::look::shell::Told;

/// The cookie that carries it over a redirect, when no script asks.
pub const DID_COOKIE: &str = "timmy_did";
/// How long the notice is offered, in seconds.
pub const DID_SECONDS: u64 = 10;
/// Bytes of a path that fit into the cookie.
const PATH_BYTES_MAX: usize = 1_024;

/// Something the owner did a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// A thought is kept.
    Kept(ThoughtId),
    /// A thought is no longer kept.
    Released(ThoughtId),
    /// Fewer thoughts like one were asked for.
    Fewer(ThoughtId),
    /// That was taken back.
    Unfewer(ThoughtId),
    /// A folder is watched; its number.
    Watched(i64),
    /// A folder is no longer watched; its path.
    Unwatched(String),
    /// A model was removed; its name.
    ModelRemoved(String),
    /// Thinking is paused, for so many minutes or until it is resumed.
    Paused(Option<u64>),
    /// Thinking goes on; how many minutes the pause would have lasted, when it had an end.
    Resumed(Option<u64>),
    /// A task was made.
    TaskMade(TaskId),
    /// A question that shows an exact plan was answered with yes, which can be taken back until it is used.
    PlanApproved(ApprovalId),
    /// A running task is paused.
    TaskPaused(TaskId),
    /// A task is laid aside.
    TaskAside(TaskId),
    /// A task that was laid aside is taken up.
    TaskTakenUp(TaskId),
    /// The owner said yes to a task, which can be laid aside until it begins.
    TaskApproved(TaskId),
    /// A task was changed; what it said before.
    TaskSaid(Said),
    /// One act on several tasks, which has an opposite.
    Bulk(Bulk),
    /// A task stands elsewhere in the order; where it stood.
    TaskMoved(TaskId, i64, Priority),
    /// A provider was switched off or on; its name, and whether it is off now.
    RouterSwitched(String, bool),
    /// Providers are asked in another order; the owner's order before, empty for that of the settings.
    RouterOrdered(Vec<String>),
    /// The rests of a provider are forgotten; its name.
    RouterReset(String),
    /// Everything stays here for so many minutes, 0 for no longer; how many minutes of it were left before.
    Local {
        /// For how long from now on.
        minutes: u64,
        /// For how long before.
        before: u64,
    },
    /// One act on several things: how many were changed, and how many could not be.
    Several(u64, u64),
    /// What one act on several things came to, in words, since some of them were refused.
    Told(String),
    /// Something that needs no undoing.
    Note(Note),
}

/// `1 h`, `30 min`.
fn length(minutes: u64) -> String {
    if minutes.is_multiple_of(60) { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
}

impl Did {
    /// Refusals that are told one by one; the others are counted.
    pub const NAMED_MAX: usize = 3;

    /// What an act on several things came to: how many were changed and refused, and of the first ones refused what
    /// they are and why.
    #[must_use]
    pub fn several(changed: u64, refused: u64, named: &[(String, String)]) -> Self {
        if refused == 0 {
            return Self::Several(changed, 0);
        }
        let mut words = format!("{changed} done, {refused} refused.");
        for (title, why) in named.iter().take(Self::NAMED_MAX) {
            let (title, why) = (cut(&one_line(title), 60), cut(&one_line(why), 160));
            let told = title.is_empty() || why.contains(&title);
            words.push_str(&if told { format!(" {why}") } else { format!(" “{title}”: {why}") });
        }
        let more = refused.saturating_sub(named.len() as u64);
        if more > 0 {
            words.push_str(&format!(" {more} more like these."));
        }
        while words.len() > PATH_BYTES_MAX {
            words = cut(&words, words.chars().count() / 2);
        }
        Self::Told(if words.ends_with('.') { words } else { format!("{words}.") })
    }

    /// What was done, in one sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Kept(_) => "The thought is kept.".to_owned(),
            Self::Released(_) => "The thought is no longer kept.".to_owned(),
            Self::Fewer(_) => "Thoughts of this seed come less often now.".to_owned(),
            Self::Unfewer(_) => "The wish for fewer is taken back.".to_owned(),
            Self::Watched(_) => "Timmy watches the folder.".to_owned(),
            Self::Unwatched(path) => format!("Timmy no longer watches {path}."),
            Self::ModelRemoved(name) => format!("The model {name} is removed."),
            Self::Paused(Some(minutes)) => format!("Thinking is paused for {}.", length(*minutes)),
            Self::Paused(None) => "Thinking is paused until you resume it.".to_owned(),
            Self::Resumed(_) => "Timmy thinks again.".to_owned(),
            Self::TaskMade(_) => "The task is in the queue.".to_owned(),
            Self::PlanApproved(_) => Note::SaidYes.row().1.to_owned(),
            Self::TaskPaused(_) => "The task is paused.".to_owned(),
            Self::TaskAside(_) => "The task is laid aside.".to_owned(),
            Self::TaskTakenUp(_) => "The task takes its turn again.".to_owned(),
            Self::TaskApproved(_) => "Approved. The task takes its turn.".to_owned(),
            Self::TaskSaid(_) => Note::TaskEdited.row().1.to_owned(),
            Self::Bulk(bulk) => Self::Several(bulk.count(), 0).text(),
            Self::TaskMoved(..) => "The task stands elsewhere in the order.".to_owned(),
            Self::RouterSwitched(name, true) => format!("{name} is switched off and not asked."),
            Self::RouterSwitched(name, false) => format!("{name} is switched on."),
            Self::RouterOrdered(_) => "Providers are asked in another order.".to_owned(),
            Self::RouterReset(name) => format!("The rests of {name} are forgotten. It is asked again."),
            Self::Local { minutes: 0, .. } => "Providers elsewhere may be asked again.".to_owned(),
            Self::Local { minutes, .. } => format!("Everything stays on this machine for {}.", length(*minutes)),
            Self::Several(0, 0) => "Nothing was chosen, so nothing was changed.".to_owned(),
            Self::Several(changed, 0) => format!("{} done with what you chose.", plural(*changed, "act", "acts")),
            Self::Several(changed, refused) => {
                format!("{changed} done; {refused} could not be, since their state does not allow it.")
            }
            Self::Told(words) => words.clone(),
            Self::Note(note) => note.row().1.to_owned(),
        }
    }

    /// How it is taken back; `None` when it needs none.
    #[must_use]
    pub fn undo(&self) -> Option<Undo> {
        Some(match self {
            Self::Kept(id) => Undo::thought(id, "release"),
            Self::Released(id) => Undo::thought(id, "keep"),
            Self::Fewer(id) => Undo::thought(id, "more"),
            Self::Unfewer(id) => Undo::thought(id, "fewer"),
            Self::Watched(id) => Undo::new(format!("/watch/{id}/remove")),
            Self::Unwatched(path) => Undo::new("/watch/add".to_owned()).with("path", path),
            Self::ModelRemoved(name) => Undo::new("/models/restore".to_owned()).with("name", name),
            Self::Paused(_) => Undo::new("/thinking/resume".to_owned()),
            Self::Resumed(None) => Undo::new("/thinking/pause".to_owned()),
            Self::Resumed(Some(minutes)) => Undo::new("/thinking/pause".to_owned()).with("minutes", minutes),
            // What was made by mistake is not wanted; a yes can be taken back until it is used.
            Self::TaskMade(id) => Undo::task(id, "veto"),
            Self::PlanApproved(id) => Undo::new(format!("/approvals/{id}/revoke")),
            Self::TaskPaused(id) => Undo::task(id, "resume"),
            Self::TaskAside(id) => Undo::task(id, "unbacklog"),
            Self::TaskTakenUp(id) => Undo::task(id, "backlog"),
            Self::TaskApproved(id) => Undo::task(id, "backlog"),
            Self::TaskSaid(said) => said.undo(),
            Self::Bulk(bulk) => bulk.undo(),
            Self::TaskMoved(id, position, priority) => {
                Undo::task(id, "put").with("position", position).with("priority", priority)
            }
            Self::RouterSwitched(name, off) => {
                Undo::router("/router/switch").with(if *off { "on" } else { "off" }, name)
            }
            Self::RouterOrdered(before) => Undo::router("/router/order").with("names", &before.join(",")),
            Self::RouterReset(name) => Undo::router("/router/unreset").with("name", name),
            Self::Local { before, .. } => Undo::router("/router/local").with("minutes", before),
            Self::Several(..) | Self::Told(_) | Self::Note(_) => return None,
        })
    }

    /// As the notice shows it.
    #[must_use]
    pub fn told(&self) -> Told {
        Told { text: self.text(), undo: self.undo() }
    }

    /// The answer to the act, with the notice on it: for a script in a header, else in a cookie for the next page.
    pub fn on(&self, visit: &Visit, mut response: Response) -> Response {
        if visit.script {
            let undo = self.undo();
            // `target` would be read by htmx as the element that hears the event.
            let detail = json!({
                "text": self.text(),
                "route": undo.as_ref().map(|u| u.route.as_str()),
                "fields": undo.as_ref().map(|u| u.fields.iter().map(|(k, v)| (*k, v.as_str())).collect::<std::collections::BTreeMap<_, _>>()),
                "part": undo.as_ref().map(|u| u.target.as_str()),
            });
            if let Ok(value) = HeaderValue::from_str(&ascii(&json!({"did": detail}).to_string())) {
                response.headers_mut().insert("hx-trigger", value);
            }
        } else if let Some(cookie) = set_cookie(DID_COOKIE, &self.coded(), DID_SECONDS, "Strict") {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// A page that told what was done: the browser need not bring it along again.
#[must_use]
pub fn forget(visit: Option<&Visit>, mut response: Response) -> Response {
    let told = visit.is_some_and(|visit| visit.device.did.is_some() && !visit.script);
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if let (true, Some(cookie)) = (told && is_page, set_cookie(DID_COOKIE, "", 0, "Strict")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// JSON in plain ASCII, as a header carries it.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests;
