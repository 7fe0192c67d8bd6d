//! What was done as a word for a cookie, and back.

use timmy_domain::ThoughtId;

use super::{Bulk, Did, Note, PATH_BYTES_MAX, Said};

impl Did {
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
}

/// Text in digits that a cookie carries.
pub(super) fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

/// And back; `None` when it makes no sense.
pub(super) fn unhex(text: &str) -> Option<String> {
    if text.len() > 2 * PATH_BYTES_MAX || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok().filter(|path| !path.chars().any(char::is_control))
}
