//! The palette: what fits what was typed, from pages, verbs, settings, and what was lately seen or said.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use timmy_domain::message::Message;
use timmy_domain::observation::WatchedFolder;
use timmy_domain::task::Task;
use timmy_domain::text::{cut, one_line};
use timmy_domain::thought::Thought;
use timmy_store::{Reader, StoreError, TaskQuery, ThoughtQuery};

use super::{gather, settings, shell};
use crate::ask::Asked;
use crate::auth::Visit;
use crate::errors::{Answer, page};
use crate::look::palette::{PalettePage, shelves};
use crate::palette::{Entry, QUERY_BYTES_MAX, Section, Step, find, fixed};
use crate::web::Web;

/// Things of each kind that are looked through for something typed.
const SEARCHED_MAX: usize = 200;
/// Things of each kind that are shown when nothing is typed.
const RECENT_SHOWN: usize = 3;
/// Characters of a thing's title.
const TITLE_CHARS_MAX: usize = 90;

/// What is typed.
#[derive(Debug, Default, Deserialize)]
pub struct Typed {
    q: Option<String>,
}

impl Typed {
    fn text(&self) -> String {
        let text = self.q.as_deref().unwrap_or_default();
        text.get(..text.floor_char_boundary(QUERY_BYTES_MAX)).unwrap_or_default().to_owned()
    }
}

/// What the owner saw or said lately.
struct Things {
    thoughts: Vec<Thought>,
    messages: Vec<Message>,
    folders: Vec<WatchedFolder>,
    tasks: Vec<Task>,
}

impl Things {
    fn read(r: &Reader<'_>, count: usize) -> Result<Self, StoreError> {
        let query = ThoughtQuery { before: None, seed: None, kept: None, limit: count };
        let tasks = r.tasks_page(&TaskQuery { limit: count, ..TaskQuery::default() })?;
        Ok(Self { thoughts: r.thoughts(&query)?, messages: r.messages(None, count)?, folders: r.folders()?, tasks })
    }

    fn entries(self) -> Vec<Entry> {
        let entry = |icon, text: &str, note: &str, href: String| Entry {
            section: Section::Recent,
            title: cut(&one_line(text), TITLE_CHARS_MAX),
            words: String::new(),
            icon,
            note: note.to_owned(),
            mono: false,
            step: Step::To(href),
        };
        let thought = |t: &Thought| entry("mind", &t.content, "thought", format!("/thinking/{}", t.id));
        let said = |m: &Message| entry("talk", &m.content, "said in Talk", format!("/talk#turn-{}", m.id));
        let folder = |f: &WatchedFolder| Entry {
            words: f.path.clone(),
            ..entry("folder", &f.name, "watched folder", "/settings#folders".to_owned())
        };
        let task = |t: &Task| entry("tasks", &t.title, "task", format!("/tasks/{}", t.id));
        let things = self.tasks.iter().map(task).chain(self.thoughts.iter().map(thought));
        things.chain(self.messages.iter().map(said)).chain(self.folders.iter().map(folder)).collect()
    }
}

/// An event or thought that was named by its number or id.
fn named(typed: &str) -> Option<Entry> {
    let word = typed.trim().trim_start_matches('#');
    let to = |title: String, icon, href| {
        let (words, note) = (String::new(), String::new());
        Some(Entry { section: Section::Recent, title, words, icon, note, mono: false, step: Step::To(href) })
    };
    if let Ok(seq) = word.parse::<u32>() {
        return to(format!("Event {seq}"), "events", format!("/swarm/events/{seq}"));
    }
    let id = word.parse::<timmy_domain::ThoughtId>().ok()?;
    to(format!("Thought {id}"), "mind", format!("/thinking/{id}"))
}

/// What fits `typed`, in the order in which it is shown.
fn fitting(typed: &str, things: Things, settings: Vec<Entry>) -> Vec<Entry> {
    let mut entries = things.entries();
    entries.extend(fixed());
    entries.extend(settings);
    let found = find(typed, entries);
    named(typed).into_iter().chain(found).collect()
}

async fn look(web: &Web, typed: &str) -> Result<(super::Around, Vec<Entry>), crate::errors::Refusal> {
    let count = if typed.trim().is_empty() { RECENT_SHOWN } else { SEARCHED_MAX };
    let (around, things) = gather(web, move |r| Things::read(r, count)).await?;
    let settings = settings::entries(web).await;
    Ok((around, fitting(typed, things, settings)))
}

/// `GET /palette`.
pub async fn palette(State(web): State<Web>, visit: Visit, Asked(typed): Asked<Typed>) -> Answer {
    let typed = typed.text();
    let (around, entries) = look(&web, &typed).await?;
    let mut shell = shell(&web, &visit, &around, "");
    "Search or run".clone_into(&mut shell.title);
    page(&PalettePage { shell, shelves: shelves(&typed, entries), typed })
}

/// `GET /palette/find`: the same for the script.
pub async fn found(State(web): State<Web>, _: Visit, Asked(typed): Asked<Typed>) -> Answer {
    let typed = typed.text();
    let (_, entries) = look(&web, &typed).await?;
    let items: Vec<serde_json::Value> = entries.iter().map(Entry::data).collect();
    Ok(Json(json!({"q": typed, "items": items})).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_an_event_and_an_id_a_thought() {
        let to = |typed: &str| named(typed).map(|entry| entry.title);
        assert_eq!(to(" #48231").as_deref(), Some("Event 48231"));
        assert_eq!(to("-1"), None);
        assert_eq!(to("pause 1"), None);
        let id = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11";
        assert_eq!(to(id), Some(format!("Thought {id}")));
    }
}
