//! What the owner wants done with the list of tasks, read from a sentence of his: a pure function over words.
//!
//! Only an order that stands at the beginning of a message of one line counts, in the owner's own words: what is
//! quoted, asked, denied, supposed or told is left alone. What is to be done may stand in quotation marks; the words
//! that order it may not. A sentence that is missed costs a second one; a task nobody
//! wanted costs trust, so whatever is in doubt is no order.

use time::UtcOffset;

use crate::message::{Message, Speaker};
use crate::task::Priority;
use crate::thought::Place;
use crate::{TaskId, Timestamp};

mod list;
mod remind;
mod when;
mod words;

use words::{Word, split};

/// Characters of a message that may be an order; what is longer is a letter.
pub const ORDER_CHARS_MAX: usize = 400;
/// Characters of a title made from a sentence.
pub const TITLE_CHARS_MAX: usize = 120;

/// Who is to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The owner, who wants to be reminded of it.
    Owner,
    /// Timmy.
    Timmy,
}

/// By when, as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The moment, with the offset of now.
    pub at: Timestamp,
    /// Whether a time of the wall clock was named: then a change of the clocks until then has to be made up for.
    pub wall: bool,
}

/// An order to put something on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is to be done.
    pub title: String,
    /// Who does it.
    pub who: Who,
    /// How soon, when it was said.
    pub priority: Priority,
    /// By when, when it was said.
    pub due: Option<Due>,
    /// Whether it is not to be begun before then.
    pub waits: bool,
}

/// Words before an order that do not change it.
const POLITE: &[&[&str]] = &[
    &["would", "you", "mind"],
    &["do", "you", "mind"],
    &["i", "would", "like", "you", "to"],
    &["i", "want", "you", "to"],
    &["i", "need", "you", "to"],
    &["i'd", "like", "you", "to"],
    &["go", "ahead", "and"],
    &["can", "you"],
    &["could", "you"],
    &["would", "you"],
    &["will", "you"],
    &["be", "so", "kind", "and"],
    &["hey"],
    &["hi"],
    &["hello"],
    &["ok"],
    &["okay"],
    &["timmy"],
    &["please"],
    &["pls"],
    &["plz"],
    &["kindly"],
    &["also"],
    &["and"],
    &["then"],
    &["now"],
    &["just"],
    &["quickly"],
];
/// Of these, what makes a question of an order.
const ASKING: [&str; 5] = ["can", "could", "would", "will", "do"];
/// Words that name nothing by themselves.
const EMPTY: [&str; 19] = [
    "task",
    "tasks",
    "todo",
    "new",
    "another",
    "it",
    "this",
    "that",
    "them",
    "these",
    "those",
    "something",
    "one",
    "a",
    "the",
    "me",
    "to",
    "of",
    "about",
];
/// The order in `text`, said at `now` where the clock is `offset` from UTC; `None` when it holds none.
#[must_use]
pub fn order(text: &str, now: Timestamp, offset: UtcOffset) -> Option<Order> {
    let text = text.trim();
    if text.chars().count() > ORDER_CHARS_MAX || text.lines().count() != 1 || words::begins_quoted(text) {
        return None;
    }
    let mut all = split(text);
    words::as_order(&mut all);
    let mut rest: &[Word<'_>] = &all;
    let mut asked_politely = false;
    while let Some(next) = POLITE.iter().find_map(|phrase| words::after(rest, phrase)) {
        asked_politely |= rest.first().is_some_and(|word| ASKING.contains(&word.low.as_str()));
        rest = next;
    }
    // A question, unless it is the polite form of an order.
    if text.ends_with('?') && !asked_politely {
        return None;
    }
    let clock = when::Clock { now, offset };
    let (early, rest) = match when::at_start(rest, clock) {
        Some((due, after)) => (Some(due), words::after(after, &["please"]).unwrap_or(after)),
        None => (None, rest),
    };
    let said = remind::read(rest, clock).or_else(|| list::read(rest, clock))?;
    let head = said.what.first().and_then(|first| text.get(..first.from))?;
    (!words::is_quoted(head)).then(|| finish(text, &said, early, clock)).flatten()
}

/// What was found: who, the words that say what, and how soon.
struct Said<'w, 'a> {
    who: Who,
    what: &'w [Word<'a>],
    priority: Option<Priority>,
    waits: bool,
    /// What stands behind it and says only when or how soon.
    tail: &'w [Word<'a>],
}

/// The order, with time and urgency taken out of what is to be done.
fn finish(text: &str, said: &Said<'_, '_>, early: Option<Due>, clock: when::Clock) -> Option<Order> {
    let late = when::at_end(said.tail, clock);
    let rest = late.as_ref().map_or(said.tail, |(_, rest)| *rest);
    let soon = words::priority_at_end(rest).map(|(found, _)| found);
    let (mut what, mut due) = (said.what, early.or(late.map(|(due, _)| due)));
    let mut priority = said.priority.or(soon);
    for _ in 0..4 {
        let before = what.len();
        if let Some((found, rest)) = when::at_start(what, clock) {
            due = due.or(Some(found));
            what = rest;
        }
        // A second time belongs to what is to be done: "tomorrow … that the guests arrive at 11".
        if let Some((found, rest)) = when::at_end(what, clock).filter(|_| due.is_none()) {
            due = Some(found);
            what = rest;
        }
        if let Some((found, rest)) = words::priority_at_end(what) {
            priority = priority.or(Some(found));
            what = rest;
        }
        while let Some(rest) = ["to", "that", "for", "about", "of", "called", "named", "titled"]
            .iter()
            .find_map(|word| words::after(what, &[word]))
        {
            what = rest;
        }
        if what.len() == before {
            break;
        }
    }
    let names = what.iter().any(|word| !EMPTY.contains(&word.low.as_str()));
    let (first, last) = (what.first()?, what.last()?);
    let raw = words::unquoted(
        text.get(first.from..last.to)?.trim_matches(|c: char| c.is_whitespace() || ".,;:!?-–—".contains(c)),
    );
    if !names || raw.chars().filter(|c| c.is_alphanumeric()).count() < 2 {
        return None;
    }
    let mut letters = raw.chars();
    let title = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())?;
    Some(Order {
        title: crate::text::cut(&title, TITLE_CHARS_MAX),
        who: said.who,
        priority: priority.unwrap_or(Priority::Normal),
        waits: said.waits && due.is_some(),
        due,
    })
}

/// The last paragraph of the answer to an order: which task it became, and how that is taken back.
#[must_use]
pub fn receipt(task: TaskId) -> String {
    format!(
        "It is task {task}, at /tasks/{task}. If you did not mean it, veto it there or with `timmy task veto {task}`."
    )
}

/// The task that an order became, when `message` is the answer that says so.
#[must_use]
pub fn made(message: &Message) -> Option<TaskId> {
    if message.speaker != Speaker::Timmy || message.place != Some(Place::Reflex) {
        return None;
    }
    let last = message.content.rsplit("\n\n").next()?;
    let id: TaskId = last.strip_prefix("It is task ")?.split(',').next()?.parse().ok()?;
    (last == receipt(id)).then_some(id)
}

/// Whether `text` asks about the list of tasks, so that whoever answers should know how it stands.
#[must_use]
pub fn asks_about_tasks(text: &str) -> bool {
    let all = split(text);
    let about = all.iter().any(|word| {
        ["task", "tasks", "queue", "todo", "todos", "to-do", "to-dos", "backlog"].contains(&word.low.as_str())
    });
    let asks = text.trim_end().ends_with('?')
        || all.first().is_some_and(|word| {
            ["what", "what's", "whats", "which", "how", "list", "show", "tell", "is", "are", "do", "anything", "any"]
                .contains(&word.low.as_str())
        });
    about && asks
}

#[cfg(test)]
mod tests;
