//! The palette: what fits what was typed, from pages, verbs, settings, and what was lately seen or said.

use std::time::Duration;

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
/// Where the hour is begun and ended in which everything stays here.
const LOCAL: &str = "/router/local";
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

/// How the way out is: nothing leaves, for good or for a while, or it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Timmy works offline, by the settings.
    Closed,
    /// Everything stays here for so long.
    Local(Duration),
    /// Others may be asked.
    Open,
}

/// The entries that are always there, as they fit how the way out is.
fn acts(way: Way) -> Vec<Entry> {
    let minutes = |left: Duration| left.as_secs().div_ceil(60);
    let fits = |mut entry: Entry| {
        match (&entry.step, way) {
            (Step::Send { route: LOCAL, fields: [(_, "0")], .. }, Way::Local(left)) => {
                entry.title = format!("End local only ({} min left)", minutes(left));
            }
            (Step::Send { route: LOCAL, .. }, Way::Closed)
            | (Step::Send { route: LOCAL, fields: [(_, "0")], .. }, _) => {
                return None;
            }
            (Step::Send { route: LOCAL, .. }, Way::Local(_)) => entry.title.push_str(" from now"),
            _ => {}
        }
        Some(entry)
    };
    fixed().into_iter().filter_map(fits).collect()
}

/// What fits `typed`, in the order in which it is shown.
fn fitting(typed: &str, things: Things, settings: Vec<Entry>, way: Way) -> Vec<Entry> {
    let mut entries = things.entries();
    entries.extend(acts(way));
    entries.extend(settings);
    let found = find(typed, entries);
    named(typed).into_iter().chain(found).collect()
}

async fn look(web: &Web, typed: &str) -> Result<(super::Around, Vec<Entry>), crate::errors::Refusal> {
    let count = if typed.trim().is_empty() { RECENT_SHOWN } else { SEARCHED_MAX };
    let (around, things) = gather(web, move |r| Things::read(r, count)).await?;
    let settings = settings::entries(web).await;
    let cascade = &web.app.ctx.cascade;
    let way = match (cascade.offline(), cascade.local_for()) {
        (true, _) => Way::Closed,
        (false, Some(left)) => Way::Local(left),
        (false, None) => Way::Open,
    };
    Ok((around, fitting(typed, things, settings, way)))
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
    fn the_local_hour_is_offered_as_it_stands() {
        let told = |way| {
            let local = |entry: &Entry| matches!(entry.step, Step::Send { route: LOCAL, .. });
            acts(way).into_iter().filter(local).map(|entry| entry.title).collect::<Vec<_>>()
        };
        assert_eq!(told(Way::Open), ["Local only for 1 h"]);
        let again = "End local only (41 min left)";
        assert_eq!(told(Way::Local(Duration::from_secs(40 * 60 + 1))), ["Local only for 1 h from now", again]);
        assert!(told(Way::Closed).is_empty());
        assert_eq!(acts(Way::Open).len() + 1, fixed().len(), "all else is as it was");
    }

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
