//! Areas: what can be carried from one home into another by itself, as rows of JSON.
//!
//! Bringing an area in adds what is not there. What is there stays as it is, whatever the file says, so
//! doing it twice changes nothing and nothing newer is lost.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;
use timmy_domain::message::{MESSAGE_CHARS_MAX, MessageStatus};
use timmy_domain::observation::{OBSERVATION_CHARS_MAX, WATCHED_FOLDERS_MAX};
use timmy_domain::thought::THOUGHT_CHARS_MAX;
use timmy_domain::{MessageId, ThoughtId};

use crate::{OBSERVATIONS_PER_FOLDER_MAX, StoreError, Tx};

mod rows;

/// Characters of a name, a model or a note in a row.
const NOTE_CHARS_MAX: usize = 4_000;

/// A part of the database that can be exported by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Timmy's thoughts.
    Thoughts,
    /// The conversation.
    Talk,
    /// Watched folders, and what was seen in them.
    Watch,
    /// The event log. It is one chain of hashes, so it can be exported and not brought in.
    Events,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Thoughts, Self::Talk, Self::Watch, Self::Events];

    /// The word on the command line and in the archive.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thoughts => "thoughts",
            Self::Talk => "talk",
            Self::Watch => "watch",
            Self::Events => "events",
        }
    }

    /// What is exported, in the order in which it can be brought in again.
    pub(crate) const fn selects(self) -> &'static [&'static str] {
        match self {
            Self::Thoughts => {
                &["SELECT id, content, seed_type, seed_note, parent_id, created_at, provider, model, place,
                 duration_ms, tokens, kept, fewer FROM thoughts ORDER BY seq"]
            }
            Self::Talk => {
                &["SELECT id, speaker, content, status, answers, about_thought, channel, created_at, provider,
                 model, place, duration_ms, tokens FROM messages ORDER BY position"]
            }
            Self::Watch => &[
                "SELECT path, name, added_at FROM watched_folders ORDER BY id",
                "SELECT w.path AS path, o.kind AS kind, o.summary AS summary, o.detail AS detail, o.seen_at AS seen_at
                 FROM observations o JOIN watched_folders w ON w.id = o.folder_id ORDER BY o.id",
            ],
            Self::Events => &["SELECT seq, id, event_type, source, actor, cause, task_id, agent_id, severity, data,
                 timestamp, hash FROM event_log ORDER BY seq"],
        }
    }
}

impl FromStr for Area {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|area| area.name() == text).ok_or(())
    }
}

/// How bringing an area in went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Things that were not here and are now.
    pub added: i64,
    /// Things that were here already, the same.
    pub same: i64,
    /// Things that were left out: they differ from what is here, have no room, or are not in order.
    pub refused: i64,
}

enum Taken {
    Added,
    Same,
    Refused,
}

impl Tx<'_> {
    /// Brings in `rows` of `area`, `count` of them at most; those beyond it are not looked at. `Err` in
    /// `rows` is a line that could not be read. Appends no event.
    ///
    /// What is brought in comes before everything that is here already: thoughts and messages are shown
    /// in the order in which they were stored.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an area that cannot be brought in; what the disk said.
    pub fn import(
        &mut self,
        area: Area,
        count: i64,
        rows: &mut dyn Iterator<Item = Result<Value, ()>>,
    ) -> Result<Imported, StoreError> {
        let mut done = Imported::default();
        let first = match area {
            Area::Thoughts => self.first_thought()?.min(1) - count,
            Area::Talk => self.first_message()?.min(1) - count,
            Area::Watch => 0,
            Area::Events => {
                return Err(timmy_domain::Problem::invalid(
                    "area_export_only",
                    "Events cannot be brought into another log: each is bound to the one before it.",
                    "Restore the whole backup to have its log.",
                )
                .into());
            }
        };
        let mut folders = BTreeMap::new();
        for (index, row) in (0..count).zip(rows) {
            let place = first + index;
            let taken = match (area, row) {
                (_, Err(())) => Taken::Refused,
                (Area::Thoughts, Ok(row)) => self.take_thought(&row, place)?,
                (Area::Talk, Ok(row)) => self.take_message(&row, place)?,
                (_, Ok(row)) if row.get("kind").is_some() => self.take_observation(&row, &folders)?,
                (_, Ok(row)) => self.take_folder(&row, &mut folders)?,
            };
            match taken {
                Taken::Added => done.added += 1,
                Taken::Same => done.same += 1,
                Taken::Refused => done.refused += 1,
            }
        }
        Ok(done)
    }

    fn take_thought(&mut self, row: &Value, place: i64) -> Result<Taken, StoreError> {
        let (Some(id), Some(content)) = (own_id::<ThoughtId>(row, "id"), text(row, "content", THOUGHT_CHARS_MAX))
        else {
            return Ok(Taken::Refused);
        };
        let notes =
            ["seed_type", "seed_note", "provider", "model", "place"].map(|name| text(row, name, NOTE_CHARS_MAX));
        if notes.iter().any(Option::is_none) || content.is_empty() {
            return Ok(Taken::Refused);
        }
        if let Some(here) = self.thought(id)? {
            return Ok(if here.content == content { Taken::Same } else { Taken::Refused });
        }
        // A parent that is neither here nor came before is left out, and the thought begins a chain.
        let parent = match own_id::<ThoughtId>(row, "parent_id") {
            Some(parent) if self.thought(parent)?.is_some() => Some(parent.to_string()),
            _ => None,
        };
        self.store_taken_thought(row, place, &id.to_string(), parent.as_deref())?;
        Ok(Taken::Added)
    }

    fn take_message(&mut self, row: &Value, place: i64) -> Result<Taken, StoreError> {
        let (Some(id), Some(content)) = (own_id::<MessageId>(row, "id"), text(row, "content", MESSAGE_CHARS_MAX))
        else {
            return Ok(Taken::Refused);
        };
        let notes = ["channel", "provider", "model"].map(|name| text(row, name, NOTE_CHARS_MAX));
        let speaker = text(row, "speaker", 16).filter(|s| ["owner", "timmy"].contains(s));
        let status = text(row, "status", 16).and_then(|s| s.parse::<MessageStatus>().ok());
        let (Some(_), Some(status)) = (speaker, status) else { return Ok(Taken::Refused) };
        if notes.iter().any(Option::is_none) {
            return Ok(Taken::Refused);
        }
        if let Some(here) = self.message(id)? {
            return Ok(if here.content == content { Taken::Same } else { Taken::Refused });
        }
        let answers = match own_id::<MessageId>(row, "answers") {
            Some(question) if self.answer_to(question)?.is_some() => return Ok(Taken::Refused),
            Some(question) if self.message(question)?.is_some() => Some(question.to_string()),
            _ => None,
        };
        let about = match own_id::<ThoughtId>(row, "about_thought") {
            Some(thought) if self.thought(thought)?.is_some() => Some(thought.to_string()),
            _ => None,
        };
        // A question that waited there must not be answered here, long afterwards and unasked.
        let status = if status == MessageStatus::Open { MessageStatus::Answered } else { status };
        self.store_taken_message(row, place, &id.to_string(), status.name(), answers.as_deref(), about.as_deref())?;
        Ok(Taken::Added)
    }

    fn take_folder(&mut self, row: &Value, folders: &mut BTreeMap<String, i64>) -> Result<Taken, StoreError> {
        let (Some(path), Some(name)) = (text(row, "path", NOTE_CHARS_MAX), text(row, "name", NOTE_CHARS_MAX)) else {
            return Ok(Taken::Refused);
        };
        if !path.starts_with('/') || name.is_empty() {
            return Ok(Taken::Refused);
        }
        if let Some(here) = self.folder(path)? {
            folders.insert(path.to_owned(), here.id);
            return Ok(Taken::Same);
        }
        if self.folders()?.len() >= WATCHED_FOLDERS_MAX {
            return Ok(Taken::Refused);
        }
        let added = self.add_folder(path, name)?;
        folders.insert(path.to_owned(), added.id);
        Ok(Taken::Added)
    }

    fn take_observation(&mut self, row: &Value, folders: &BTreeMap<String, i64>) -> Result<Taken, StoreError> {
        let fields = ["kind", "summary", "detail"].map(|name| text(row, name, OBSERVATION_CHARS_MAX));
        let folder = text(row, "path", NOTE_CHARS_MAX).and_then(|path| folders.get(path));
        let seen_at = row.get("seen_at").and_then(Value::as_i64);
        let (Some(folder), [Some(kind), Some(summary), Some(detail)], Some(seen_at)) = (folder, fields, seen_at) else {
            return Ok(Taken::Refused);
        };
        if self.has_observation(*folder, kind, summary, seen_at)? {
            return Ok(Taken::Same);
        }
        if self.observation_count(*folder)? >= OBSERVATIONS_PER_FOLDER_MAX as i64 {
            return Ok(Taken::Refused);
        }
        self.store_taken_observation(*folder, kind, summary, detail, seen_at)?;
        Ok(Taken::Added)
    }
}

/// A text of at most `chars_max` characters; `None` when it is absent, none, or longer.
fn text<'v>(row: &'v Value, name: &str, chars_max: usize) -> Option<&'v str> {
    let found = row.get(name)?.as_str()?;
    (found.len() <= chars_max || found.chars().count() <= chars_max).then_some(found)
}

fn own_id<T: FromStr>(row: &Value, name: &str) -> Option<T> {
    row.get(name)?.as_str()?.parse().ok()
}
