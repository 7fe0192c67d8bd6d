//! Orders to remind the owner: "remind me to …", "I need a reminder for …", "ping me at 9 to …".

use super::words::{Word, after, slots};
use super::{Said, Who, when};

/// What makes a question of "remind me …".
const QUESTION: [&str; 9] = ["what", "how", "why", "who", "when", "where", "which", "whether", "if"];

/// How a reminder is asked for; each place in a row is filled by one of its words, and one that may be empty by none.
type Head = &'static [&'static [&'static str]];

/// Those that say it in a verb.
const VERBS: &[Head] = &[
    &[&["remind"], &["me"]],
    &[&["don't"], &["let"], &["me"], &["forget", "miss"]],
    &[&["do"], &["not"], &["let"], &["me"], &["forget", "miss"]],
    &[&["don't"], &["forget"], &["to"], &["remind"], &["me"]],
    &[&["make", "be"], &["sure"], &["that", ""], &["i"], &["don't", "won't", "never"], &["forget", "miss"]],
    &[&["make", "be"], &["sure"], &["to", "you"], &["remind"], &["me"]],
];

/// Those that want "a reminder"; what follows has to say for what or for when.
const NOUNS: &[Head] = &[
    &[
        &["give", "send", "set", "add", "create", "make", "get", "leave"],
        &["me", ""],
        &["a", "an", "another"],
        &["new", ""],
        &["reminder"],
    ],
    &[&["i"], &["want", "need"], &["a"], &["reminder"]],
    &[&["i'd"], &["like"], &["a"], &["reminder"]],
    &[&["i"], &["would"], &["like"], &["a"], &["reminder"]],
];

/// Those that are orders only with a time directly behind them.
const CALLS: &[Head] = &[&[&["ping", "nudge", "alert", "notify", "tell"], &["me"]], &[&["let"], &["me"], &["know"]]];

/// What an owner says of his own duties before ", remind me".
const DUTIES: &[Head] = &[
    &[&["i"], &["have", "need"], &["to"], &["remember", ""], &["to", ""]],
    &[&["i"], &["must", "should"], &["remember", ""], &["to", ""]],
    &[&["i"], &["mustn't", "shouldn't", "can't"], &["forget", "miss"], &["to", ""]],
    &[&["i"], &["must", "should"], &["not"], &["forget", "miss"], &["to", ""]],
];

/// The words that lead from "a reminder" to what it is for.
const JOINTS: [&str; 5] = ["to", "that", "for", "about", "of"];

fn said<'w, 'a>(what: &'w [Word<'a>]) -> Option<Said<'w, 'a>> {
    let first = what.first()?;
    let about = first.low == "about" || first.low == "of";
    let next = if about { what.get(1)? } else { first };
    let asks = QUESTION.contains(&next.low.as_str());
    (!asks).then_some(Said { who: Who::Owner, what, priority: None, waits: false, tail: &[] })
}

fn any<'w, 'a>(rest: &'w [Word<'a>], heads: &[Head]) -> Option<&'w [Word<'a>]> {
    heads.iter().find_map(|head| slots(rest, head))
}

/// The order to remind that `rest` is.
pub(super) fn read<'w, 'a>(rest: &'w [Word<'a>], clock: when::Clock) -> Option<Said<'w, 'a>> {
    let polite = |what: &'w [Word<'a>]| after(what, &["please"]).or_else(|| after(what, &["pls"])).unwrap_or(what);
    if let Some(what) = any(rest, VERBS) {
        return said(polite(what));
    }
    if let Some(what) = any(rest, NOUNS) {
        let marked = rest.get(rest.len() - what.len() - 1).is_some_and(|word| word.ends == Some(':'));
        let joined = |what: &[Word<'_>]| what.first().is_some_and(|first| JOINTS.contains(&first.low.as_str()));
        let what = polite(what);
        return said(what).filter(|_| marked || joined(what) || when::at_start(what, clock).is_some());
    }
    if let Some(what) = any(rest, CALLS) {
        let (_, behind) = when::at_start(polite(what), clock)?;
        let joint = behind.first().filter(|first| ["to", "that", "about"].contains(&first.low.as_str()))?;
        let asks = behind.get(1).is_some_and(|next| QUESTION.contains(&next.low.as_str()));
        return said(polite(what)).filter(|_| !asks && joint.ends.is_none());
    }
    duty(rest, clock)
}

/// "I have to call Ana on Monday, remind me": a duty with its time, and the order behind it.
fn duty<'w, 'a>(rest: &'w [Word<'a>], clock: when::Clock) -> Option<Said<'w, 'a>> {
    let ends: [&[&str]; 3] = [&["please", "remind", "me"], &["remind", "me", "please"], &["remind", "me"]];
    let before = ends.iter().find_map(|end| {
        let from = rest.len().checked_sub(end.len())?;
        after(rest.get(from..)?, end).and_then(|_| rest.get(..from))
    })?;
    let apart = before.last().is_some_and(|word| matches!(word.ends, Some(',' | ';' | '.' | '!')));
    let what = any(before, DUTIES)?;
    let timed = when::at_end(what, clock).is_some() || when::at_start(what, clock).is_some();
    said(what).filter(|_| apart && timed)
}
