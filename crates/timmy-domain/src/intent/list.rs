//! Orders to put something on the list: "add a task to …", "put … on the list", "todo: …", "schedule … for Friday".

use super::words::{self, Word, after, slots};
use super::{Said, Who, when};

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
/// Words that put something on a list.
const VERBS: [&str; 13] =
    ["add", "create", "make", "open", "file", "submit", "enter", "queue", "note", "log", "put", "set", "start"];
/// What may stand between a task and the colon behind which it is told.
const BEFORE_COLON: &[&[&str]] = &[
    &["for", "you"],
    &["for", "timmy"],
    &["for", "me"],
    &["out", "of", "this"],
    &["out", "of", "it"],
    &["of", "this"],
    &["from", "this"],
];
/// Words that join a task to what it is.
const JOINED: [&str; 14] =
    ["to", "for", "that", "called", "named", "titled", "about", "by", "at", "on", "in", "tomorrow", "today", "of"];

/// The order that `rest` is.
pub(super) fn read<'w, 'a>(rest: &'w [Word<'a>], clock: when::Clock) -> Option<Said<'w, 'a>> {
    add(rest).or_else(|| list_first(rest)).or_else(|| put(rest)).or_else(|| schedule(rest, clock))
}

fn said<'w, 'a>(who: Who, what: &'w [Word<'a>]) -> Said<'w, 'a> {
    Said { who, what, priority: None, waits: false, tail: &[] }
}

fn first_of<'w, 'a>(words: &'w [Word<'a>], phrases: &[&[&str]]) -> Option<&'w [Word<'a>]> {
    phrases.iter().find_map(|phrase| after(words, phrase))
}

/// Whether the word before `behind`, which is the end of `rest`, carries a mark that `fits`.
fn marked(rest: &[Word<'_>], behind: &[Word<'_>], fits: impl Fn(char) -> bool) -> bool {
    let at = (rest.len() - behind.len()).checked_sub(1);
    at.and_then(|at| rest.get(at)).and_then(|word| word.ends).is_some_and(fits)
}

/// What stands behind "a", "another", "a new" and the like.
fn article<'w, 'a>(words: &'w [Word<'a>]) -> &'w [Word<'a>] {
    let articles: &[&[&str]] =
        &[&["a"], &["an"], &["another"], &["one", "more"], &["me", "a"], &["up", "a"], &["down", "a"]];
    first_of(words, articles).unwrap_or(words)
}

/// "add a task to …", "new urgent task: …", "todo: …".
fn add<'w, 'a>(rest: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    let verb = VERBS.iter().find_map(|verb| after(rest, &[verb]));
    let mut at = verb.map_or(rest, article);
    at = after(at, &["new"]).unwrap_or(at);
    let mut priority = None;
    if let Some((found, next)) = words::priority_at(at) {
        (priority, at) = (Some(found), next);
    }
    let thing = first_of(at, THING)?;
    // What is told behind a colon needs no verb: "task: …", "task for you: …", "make a task out of this: …".
    let told = first_of(thing, BEFORE_COLON).filter(|behind| marked(rest, behind, |mark| mark == ':'));
    if let Some(what) = told {
        let mine = after(thing, &["for", "me"]).is_some();
        let who = if mine { Who::Owner } else { Who::Timmy };
        return what.first().map(|_| Said { priority, ..said(who, what) });
    }
    let heading = marked(rest, thing, |mark| mark == ':');
    if verb.is_none() && !heading {
        return None;
    }
    let mine = first_of(thing, &[&["for", "me"], &["to", "my", "list"], &["on", "my", "list"]]);
    let who = if mine.is_some() { Who::Owner } else { Who::Timmy };
    let thing = mine.unwrap_or(thing);
    let thing = first_of(
        thing,
        &[&["to", "the", "queue"], &["to", "your", "queue"], &["to", "the", "list"], &["to", "your", "list"]],
    )
    .unwrap_or(thing);
    // "add a task queue page" is about something else.
    let joined = JOINED.contains(&thing.first()?.low.as_str());
    (heading || joined || marked(rest, thing, |_| true)).then(|| Said { priority, ..said(who, thing) })
}

/// The list that `words` name behind "to", "on" or "in": whether it is the owner's, and what stands behind it.
fn place<'w, 'a>(words: &'w [Word<'a>]) -> Option<(bool, &'w [Word<'a>])> {
    let at = first_of(words, &[&["to"], &["on"], &["in"], &["into"], &["onto"]])?;
    let whose = [("the", false), ("your", false), ("our", false), ("my", true)];
    let (word, mine, at) = whose.iter().find_map(|(word, mine)| after(at, &[word]).map(|next| (*word, *mine, next)))?;
    let bare = || after(at, &["list"]).filter(|behind| mine || word == "your" && behind.is_empty());
    first_of(at, PLACE).or_else(bare).map(|behind| (mine, behind))
}

/// "add to my list: …", "put this on the queue: …".
fn list_first<'w, 'a>(rest: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    let verb = VERBS.iter().find_map(|verb| after(rest, &[verb]))?;
    let this: &[&str] = &["this", "these", "it", "the", ""];
    let at = slots(verb, &[this, &["following", ""], &["item", "items", ""]])?;
    let (mine, behind) = place(at)?;
    let who = if mine { Who::Owner } else { Who::Timmy };
    marked(rest, behind, |mark| mark == ':').then(|| said(who, behind)).filter(|said| !said.what.is_empty())
}

/// "put … on the task list", "add … to your queue", "queue up …".
fn put<'w, 'a>(rest: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    if let Some(what) = after(rest, &["queue", "up"]) {
        return Some(said(Who::Timmy, what));
    }
    let body = ["add", "put", "enter", "note", "write"].iter().find_map(|verb| after(rest, &[verb]))?;
    for from in 1..body.len() {
        let Some((mine, behind)) = body.get(from..).and_then(place) else { continue };
        // What comes behind it may only say when, or how soon.
        if !behind.is_empty() && !when::is_only_that(behind) && words::priority_at_end(behind).is_none() {
            continue;
        }
        let who = if mine { Who::Owner } else { Who::Timmy };
        return Some(Said { tail: behind, ..said(who, body.get(..from)?) });
    }
    None
}

/// "schedule a … for Friday".
fn schedule<'w, 'a>(rest: &'w [Word<'a>], clock: when::Clock) -> Option<Said<'w, 'a>> {
    let what = after(rest, &["schedule"])?;
    let first = what.first()?;
    let known = ["a", "an", "the", "my", "our", "another"].contains(&first.low.as_str());
    // Without an article only a time makes an order of it: "schedule looks wrong" is none.
    let ordered = known || when::at_end(what, clock).is_some();
    // "a task to …" is what it is, and no part of what is to be done.
    let named = first_of(article(what), THING).filter(|behind| after(behind, &["to"]).is_some());
    ordered.then(|| Said { waits: true, ..said(Who::Timmy, named.unwrap_or(what)) })
}
