//! What the owner wants done with the list of tasks, read from a sentence of his: a pure function over words.
//!
//! Only an order that stands at the beginning of a message of one line counts, in the owner's own words: what is
//! quoted, asked, denied, supposed or told is left alone. A sentence that is missed costs a second one; a task nobody
//! wanted costs trust, so whatever is in doubt is no order.

use time::UtcOffset;

use crate::Timestamp;
use crate::task::Priority;

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
    &["kindly"],
    &["also"],
    &["and"],
    &["then"],
    &["now"],
    &["just"],
    &["quickly"],
];
/// Of these, what makes a question of an order.
const ASKING: [&str; 4] = ["can", "could", "would", "will"];
/// What a task is called.
const THING: &[&[&str]] = &[
    &["action", "item"],
    &["to", "do", "item"],
    &["to-do", "item"],
    &["todo", "item"],
    &["to-do"],
    &["todo"],
    &["task"],
];
/// Where tasks stand.
const PLACE: &[&[&str]] = &[
    &["task", "queue"],
    &["work", "queue"],
    &["queue"],
    &["task", "list"],
    &["tasklist"],
    &["to", "do", "list"],
    &["to-do", "list"],
    &["todo", "list"],
    &["to-dos"],
    &["todos"],
    &["tasks"],
    &["backlog"],
];
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
/// What makes a question of "remind me …".
const QUESTION: [&str; 9] = ["what", "how", "why", "who", "when", "where", "which", "whether", "if"];

/// The order in `text`, said at `now` where the clock is `offset` from UTC; `None` when it holds none.
#[must_use]
pub fn order(text: &str, now: Timestamp, offset: UtcOffset) -> Option<Order> {
    let text = text.trim();
    if text.chars().count() > ORDER_CHARS_MAX || text.lines().count() != 1 || words::is_quoted(text) {
        return None;
    }
    let all = split(text);
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
        Some((due, after)) => (Some(due), after),
        None => (None, rest),
    };
    let said = remind(rest).or_else(|| add(rest)).or_else(|| put(rest)).or_else(|| schedule(rest, clock))?;
    finish(text, &said, early, clock)
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

/// "remind me to …", "set a reminder for …", "don't let me forget to …".
fn remind<'w, 'a>(rest: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    let heads: &[&[&str]] = &[
        &["remind", "me"],
        &["set", "a", "reminder"],
        &["set", "me", "a", "reminder"],
        &["add", "a", "reminder"],
        &["create", "a", "reminder"],
        &["make", "a", "reminder"],
        &["don't", "let", "me", "forget"],
        &["do", "not", "let", "me", "forget"],
        &["don't", "forget", "to", "remind", "me"],
        &["make", "sure", "i", "don't", "forget"],
        &["make", "sure", "to", "remind", "me"],
    ];
    let what = heads.iter().find_map(|head| words::after(rest, head))?;
    let first = what.first()?;
    let about = first.low == "about" || first.low == "of";
    let next = if about { what.get(1)? } else { first };
    (!QUESTION.contains(&next.low.as_str())).then_some(Said {
        who: Who::Owner,
        what,
        priority: None,
        waits: false,
        tail: &[],
    })
}

/// "add a task to …", "new urgent task: …", "todo: …".
fn add<'w, 'a>(rest: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    let verbs = ["add", "create", "make", "open", "file", "submit", "enter", "queue"];
    let verb = verbs.iter().find_map(|verb| words::after(rest, &[verb]));
    let mut at = verb.unwrap_or(rest);
    for article in [&["a"][..], &["an"], &["another"], &["one", "more"], &["me", "a"], &["up", "a"]] {
        if let Some(next) = words::after(at, article).filter(|_| verb.is_some()) {
            at = next;
            break;
        }
    }
    at = words::after(at, &["new"]).unwrap_or(at);
    let mut priority = None;
    if let Some((found, next)) = words::priority_at(at) {
        (priority, at) = (Some(found), next);
    }
    let thing = THING.iter().find_map(|thing| words::after(at, thing))?;
    // Without a verb it has to read as a heading: "task: …", "new task: …".
    let before = rest.len() - thing.len();
    let heading = before.checked_sub(1).and_then(|at| rest.get(at)).is_some_and(|word| word.ends == Some(':'));
    if verb.is_none() && !heading {
        return None;
    }
    let (mine, thing) = match [&["for", "me"][..], &["to", "my", "list"], &["on", "my", "list"]]
        .iter()
        .find_map(|phrase| words::after(thing, phrase))
    {
        Some(next) => (true, next),
        None => (false, thing),
    };
    let thing =
        [&["to", "the", "queue"][..], &["to", "your", "queue"], &["to", "the", "list"], &["to", "your", "list"]]
            .iter()
            .find_map(|phrase| words::after(thing, phrase))
            .unwrap_or(thing);
    // "add a task queue page" is about something else.
    let first = thing.first()?;
    let joined =
        ["to", "for", "that", "called", "named", "titled", "about", "by", "at", "on", "in", "tomorrow", "today"];
    let marked = before > 0 && rest.get(rest.len() - thing.len() - 1).is_some_and(|word| word.ends.is_some());
    if !(heading || marked || joined.contains(&first.low.as_str())) {
        return None;
    }
    let who = if mine { Who::Owner } else { Who::Timmy };
    Some(Said { who, what: thing, priority, waits: false, tail: &[] })
}

/// "put … on the task list", "add … to your queue", "queue up …".
fn put<'w, 'a>(rest: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    if let Some(what) = words::after(rest, &["queue", "up"]) {
        return Some(Said { who: Who::Timmy, what, priority: None, waits: false, tail: &[] });
    }
    let body = ["add", "put", "enter", "note", "write"].iter().find_map(|verb| words::after(rest, &[verb]))?;
    for from in 1..body.len() {
        let tail = body.get(from..)?;
        let Some(at) = ["to", "on", "in", "into", "onto"].iter().find_map(|word| words::after(tail, &[word])) else {
            continue;
        };
        let Some((mine, at)) = [("the", false), ("your", false), ("our", false), ("my", true)]
            .iter()
            .find_map(|(word, mine)| words::after(at, &[word]).map(|next| (*mine, next)))
        else {
            continue;
        };
        let place = PLACE.iter().find_map(|place| words::after(at, place));
        let place =
            place.or_else(|| words::after(at, &["list"]).filter(|_| mine || at.len() == 1 && tail[1].low == "your"));
        let Some(behind) = place else { continue };
        // What comes behind it may only say when, or how soon.
        if !behind.is_empty() && !when::is_only_that(behind) && words::priority_at_end(behind).is_none() {
            continue;
        }
        let who = if mine { Who::Owner } else { Who::Timmy };
        return Some(Said { who, what: body.get(..from)?, priority: None, waits: false, tail: behind });
    }
    None
}

/// "schedule a … for Friday".
fn schedule<'w, 'a>(rest: &'w [Word<'a>], clock: when::Clock) -> Option<Said<'w, 'a>> {
    let what = words::after(rest, &["schedule"])?;
    let first = what.first()?;
    let article = ["a", "an", "the", "my", "our", "another"].contains(&first.low.as_str());
    // Without an article only a time makes an order of it: "schedule looks wrong" is none.
    (article || when::at_end(what, clock).is_some()).then_some(Said {
        who: Who::Timmy,
        what,
        priority: None,
        waits: true,
        tail: &[],
    })
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
        if let Some((found, rest)) = when::at_end(what, clock) {
            due = due.or(Some(found));
            what = rest;
        }
        if let Some((found, rest)) = words::priority_at_end(what) {
            priority = priority.or(Some(found));
            what = rest;
        }
        if let Some((found, rest)) = when::at_start(what, clock) {
            due = due.or(Some(found));
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
    let raw = text.get(first.from..last.to)?.trim_matches(|c: char| c.is_whitespace() || ".,;:!?-–—\"'".contains(c));
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
