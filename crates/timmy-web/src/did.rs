//! What an act came to, and how it is taken back: told by a notice for ten seconds, with or without scripts.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::json;
use timmy_domain::task::Priority;
use timmy_domain::text::{cut, one_line, plural};
use timmy_domain::{ApprovalId, TaskId, ThoughtId};

mod tasks;

pub use tasks::{Bulk, Said};

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

/// What needs no undoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A thought was put in.
    PutIn,
    /// A thought was put in, and no model is there to go on from it.
    PutInAlone,
    /// No thought came: nothing is new, and no model answers.
    NothingNew,
    /// A thought is being made already.
    Making,
    /// The thought gave way to the conversation.
    GaveWay,
    /// Settings were written.
    SettingSaved,
    /// A form of settings said what the file says.
    NothingToSave,
    /// A setting is as usual again.
    SettingUnset,
    /// The keys of this device were changed.
    KeysSaved,
    /// A token was withdrawn.
    TokenRevoked,
    /// A session was ended.
    SessionEnded,
    /// All other sessions were ended.
    SessionsEnded,
    /// A backup was made.
    BackedUp,
    /// A backup is being made.
    BackingUp,
    /// The password was set.
    PasswordSet,
    /// The password was taken away.
    PasswordRemoved,
    /// A task was changed.
    TaskEdited,
    /// A task was vetoed.
    TaskVetoed,
    /// A task takes its turn again.
    TaskResumed,
    /// A task was cancelled.
    TaskCancelled,
    /// A failed task is tried again.
    TaskRetried,
    /// The owner did a task himself.
    TaskDone,
    /// A task stands where it stood before.
    TaskPutBack,
    /// Something a task produced was rated.
    Rated,
    /// What a task came to was sent back; this is the one that is to do it better.
    SentBack,
    /// A question was answered with yes.
    SaidYes,
    /// A question was answered with no.
    SaidNo,
    /// A yes was taken back.
    TookBack,
    /// A rule was made.
    RuleMade,
    /// A rule was revoked.
    RuleRevoked,
    /// A model is being fetched.
    ModelComes,
    /// A model comes from an address, without a checksum.
    ModelUnverified,
    /// Fetching a model was stopped.
    ModelStopped,
    /// The house works with another model.
    ModelUsed,
    /// A model was switched on or off.
    ModelSwitched,
    /// A removed model is back.
    ModelBack,
    /// Rests that were forgotten hold again.
    RestsBack,
    /// A provider is being tried out.
    TrialBegun,
    /// The trial of a provider was given up.
    TrialStopped,
}

impl Note {
    /// All of them, with the word of the cookie and the sentence.
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::PutIn, "put", "The thought joined the thread. Timmy goes on from it soon."),
        (
            Self::PutInAlone,
            "alone",
            "The thought joined the thread. No model answers, so nobody goes on from it yet; Timmy will when one does.",
        ),
        (
            Self::NothingNew,
            "nothing",
            "No new thought: nothing changed since the last one, and without a model Timmy only says what changed.",
        ),
        (Self::Making, "making", "A thought is being made already. It appears here within a moment."),
        (Self::GaveWay, "gaveway", "The thought gave way: you are talking with Timmy."),
        (Self::SettingSaved, "saved", "Written to timmy.toml. It takes effect at the next start."),
        (Self::NothingToSave, "same", "Nothing differs from the file, so nothing was written."),
        (Self::SettingUnset, "unset", "Taken out of timmy.toml. The default takes effect at the next start."),
        (Self::KeysSaved, "keys", "The keys of this device are saved."),
        (Self::TokenRevoked, "revoked", "The token is revoked and refused from now on."),
        (Self::SessionEnded, "sessionended", "The session is ended, and what it had open is closed."),
        (Self::SessionsEnded, "sessionsended", "Every other browser is logged out."),
        (Self::BackedUp, "backup", "A backup was made and checked."),
        (Self::BackingUp, "backingup", "A backup is being made. It stands in Settings when it is whole."),
        (Self::PasswordSet, "password", "The password is set. Every other browser is logged out."),
        (Self::PasswordRemoved, "nopassword", "The password is gone. Every other browser is logged out."),
        (Self::TaskEdited, "taskedited", "The task is changed."),
        (Self::TaskVetoed, "taskvetoed", "Vetoed. The task is not done, and what ran is stopped."),
        (Self::TaskResumed, "taskresumed", "The task takes its turn again."),
        (Self::TaskCancelled, "taskcancelled", "Cancelled. The task is over."),
        (Self::TaskRetried, "taskretried", "The task is tried again from the start."),
        (Self::TaskDone, "taskdone", "Done. The task is off the list."),
        (Self::TaskPutBack, "taskputback", "The task stands where it stood."),
        (Self::Rated, "rated", "Noted. You can say otherwise at any time."),
        (Self::SentBack, "sentback", "Sent back. This task is to do it better, with your remark and what there was."),
        (Self::SaidYes, "yes", "Approved. It is done once, exactly as shown."),
        (Self::SaidNo, "no", "Rejected. It is not done."),
        (Self::TookBack, "tookback", "The yes is taken back. It is not done."),
        (Self::RuleMade, "rulemade", "The rule is in force. It stands among your rules, where you can revoke it."),
        (Self::RuleRevoked, "rulerevoked", "The rule is revoked. Timmy asks again."),
        (Self::ModelComes, "modelcomes", "The model comes. It is checked before it is used."),
        (Self::ModelUnverified, "modelunverified", "The model comes. Without a checksum nothing of it is verified."),
        (Self::ModelStopped, "modelstopped", "Stopped. What came stays, and the next time goes on from there."),
        (Self::ModelUsed, "modelused", "Timmy works with this model, wherever a provider has it."),
        (Self::ModelSwitched, "modelswitched", "The model is switched."),
        (Self::ModelBack, "modelback", "The model is back."),
        (Self::RestsBack, "restsback", "It rests as it did before."),
        (Self::TrialBegun, "trial", "It is asked one small question. Its rung shows how it goes."),
        (Self::TrialStopped, "trialstop", "The trial is given up."),
    ];

    fn row(self) -> (&'static str, &'static str) {
        Self::ALL.iter().find(|(note, _, _)| *note == self).map_or(("", ""), |(_, word, text)| (word, text))
    }
}

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
    fn new(route: String) -> Self {
        Self { route, fields: Vec::new(), target: String::new() }
    }

    fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    fn task(id: &TaskId, verb: &str) -> Self {
        // With a list to draw anew; on the page of a task the redirect is followed without a script.
        Self { target: "#tasks".to_owned(), ..Self::new(format!("/tasks/{id}/{verb}")) }.with("query", &"")
    }

    fn router(route: &str) -> Self {
        Self { target: "#ladder".to_owned(), ..Self::new(route.to_owned()) }
    }

    fn thought(id: &ThoughtId, verb: &str) -> Self {
        Self { target: format!("#thought-{id}"), ..Self::new(format!("/thinking/{id}/{verb}")) }
    }
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

    /// As a word for the cookie; empty when it does not fit.
    #[must_use]
    pub fn coded(&self) -> String {
        let minutes = |m: &Option<u64>| m.map_or_else(String::new, |m| m.to_string());
        match self {
            Self::Kept(id) => format!("kept.{id}"),
            Self::Released(id) => format!("released.{id}"),
            Self::Fewer(id) => format!("fewer.{id}"),
            Self::Unfewer(id) => format!("unfewer.{id}"),
            Self::Watched(id) => format!("watched.{id}"),
            Self::Unwatched(path) if path.len() <= PATH_BYTES_MAX => {
                let hex: String = path.bytes().map(|b| format!("{b:02x}")).collect();
                format!("unwatched.{hex}")
            }
            Self::Unwatched(_) => String::new(),
            Self::Told(words) => format!("told.{}", hex(words)),
            Self::ModelRemoved(name) => {
                format!("modelremoved.{}", hex(name))
            }
            Self::Paused(m) => format!("paused.{}", minutes(m)),
            Self::Resumed(m) => format!("resumed.{}", minutes(m)),
            Self::TaskMade(id) => format!("taskmade.{id}"),
            Self::PlanApproved(id) => format!("planyes.{id}"),
            Self::TaskPaused(id) => format!("taskpaused.{id}"),
            Self::TaskAside(id) => format!("taskaside.{id}"),
            Self::TaskTakenUp(id) => format!("taskup.{id}"),
            Self::TaskApproved(id) => format!("taskyes.{id}"),
            Self::TaskSaid(said) => said.coded(),
            Self::Bulk(bulk) => bulk.coded(),
            Self::TaskMoved(id, position, priority) => format!("taskmoved.{id}_{position}_{priority}"),
            Self::RouterSwitched(name, off) => format!("{}.{}", if *off { "routeoff" } else { "routeon" }, hex(name)),
            Self::RouterOrdered(before) => format!("routeorder.{}", hex(&before.join(","))),
            Self::RouterReset(name) => format!("routereset.{}", hex(name)),
            Self::Local { minutes, before } => format!("local.{minutes}_{before}"),
            Self::Several(changed, refused) => format!("several.{changed}_{refused}"),
            Self::Note(note) => format!("note.{}", note.row().0),
        }
    }

    /// What the word of a cookie says; `None` when it makes no sense.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (what, of) = text.split_once('.')?;
        let id = || of.parse::<ThoughtId>().ok();
        let minutes = || if of.is_empty() { Some(None) } else { of.parse::<u64>().ok().map(Some) };
        Some(match what {
            "kept" => Self::Kept(id()?),
            "released" => Self::Released(id()?),
            "fewer" => Self::Fewer(id()?),
            "unfewer" => Self::Unfewer(id()?),
            "watched" => Self::Watched(of.parse().ok()?),
            "unwatched" => Self::Unwatched(unhex(of)?),
            "told" => Self::Told(unhex(of)?),
            "modelremoved" => Self::ModelRemoved(unhex(of)?),
            "paused" => Self::Paused(minutes()?),
            "resumed" => Self::Resumed(minutes()?),
            "taskmade" => Self::TaskMade(of.parse().ok()?),
            "planyes" => Self::PlanApproved(of.parse().ok()?),
            "taskpaused" => Self::TaskPaused(of.parse().ok()?),
            "taskaside" => Self::TaskAside(of.parse().ok()?),
            "taskup" => Self::TaskTakenUp(of.parse().ok()?),
            "taskyes" => Self::TaskApproved(of.parse().ok()?),
            "tasksaid" => Self::TaskSaid(Said::parse(of)?),
            "bulk" => Self::Bulk(Bulk::parse(of)?),
            "taskmoved" => {
                let mut parts = of.split('_');
                let mut next = || parts.next();
                Self::TaskMoved(next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?)
            }
            "routeoff" => Self::RouterSwitched(unhex(of)?, true),
            "routeon" => Self::RouterSwitched(unhex(of)?, false),
            "routeorder" => {
                let names = unhex(of)?;
                Self::RouterOrdered(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
            }
            "routereset" => Self::RouterReset(unhex(of)?),
            "local" => {
                let (minutes, before) = of.split_once('_')?;
                Self::Local { minutes: minutes.parse().ok()?, before: before.parse().ok()? }
            }
            "several" => {
                let (changed, refused) = of.split_once('_')?;
                Self::Several(changed.parse().ok()?, refused.parse().ok()?)
            }
            "note" => Self::Note(Note::ALL.iter().find(|(_, word, _)| *word == of)?.0),
            _ => return None,
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

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    if text.len() > 2 * PATH_BYTES_MAX || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok().filter(|path| !path.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tasks::Draft;

    fn all() -> Vec<Did> {
        let id: ThoughtId = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11".parse().expect("an id");
        let task: TaskId = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a12".parse().expect("an id");
        let mut all = vec![
            Did::Kept(id),
            Did::Released(id),
            Did::Fewer(id),
            Did::Unfewer(id),
            Did::Watched(7),
            Did::Unwatched("/home/ada/größe; x=1".to_owned()),
            Did::Paused(None),
            Did::Paused(Some(90)),
            Did::Resumed(Some(12)),
            Did::Resumed(None),
            Did::TaskMade(task),
            Did::PlanApproved("0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a13".parse().expect("an id")),
            Did::TaskPaused(task),
            Did::TaskAside(task),
            Did::TaskTakenUp(task),
            Did::TaskMoved(task, -5, Priority::High),
            Did::TaskApproved(task),
            Did::TaskSaid(Said::of(task, Draft { title: "Größe; x=1".to_owned(), ..Draft::default() }).expect("short")),
            Did::Bulk(Bulk::of("pause", vec![task, task]).expect("an opposite")),
            Did::Several(2, 1),
            Did::several(2, 1, &[("Größe".to_owned(), "It is vetoed, so “approve” does not fit.".to_owned())]),
            Did::RouterSwitched("ollama".to_owned(), true),
            Did::RouterSwitched("my-server".to_owned(), false),
            Did::RouterOrdered(Vec::new()),
            Did::RouterOrdered(vec!["engine".to_owned(), "ollama".to_owned()]),
            Did::RouterReset("ollama".to_owned()),
            Did::Local { minutes: 60, before: 0 },
            Did::Local { minutes: 0, before: 41 },
        ];
        all.extend(Note::ALL.iter().map(|(note, _, _)| Did::Note(*note)));
        all
    }

    #[test]
    fn a_cookie_carries_every_act_over_a_redirect() {
        for did in all() {
            assert_eq!(Did::parse(&did.coded()), Some(did.clone()), "{}", did.coded());
            let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            assert!(did.coded().chars().all(fits), "{}", did.coded());
            assert!(did.text().ends_with('.'), "{}", did.text());
        }
        for nonsense in ["", "kept", "kept.", "kept.x", "unwatched.zz", "unwatched.0a", "paused.-1", "note.x", "x.y"] {
            assert_eq!(Did::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn every_act_but_a_note_is_taken_back_by_a_route_that_exists() {
        for did in all() {
            let Some(undo) = did.undo() else {
                assert!(matches!(did, Did::Note(_) | Did::Told(_) | Did::Several(..)), "{did:?}");
                continue;
            };
            let part = |part: &str| {
                if part.contains('-') || part.parse::<i64>().is_ok() { "{id}".to_owned() } else { part.to_owned() }
            };
            let path = undo.route.split('/').map(part).collect::<Vec<_>>().join("/");
            let route = crate::routes::TABLE.iter().find(|route| route.path == path);
            assert!(route.is_some_and(|route| route.verbs.contains("POST")), "{path}");
        }
        assert_eq!(length(60), "1 h");
        assert_eq!(length(90), "90 min");
    }

    #[test]
    fn a_header_carries_any_text() {
        assert_eq!(ascii("{\"t\":\"größe \u{1F525}\n\"}"), "{\"t\":\"gr\\u00f6\\u00dfe \\ud83d\\udd25\\u000a\"}");
    }
}
