//! What Timmy does at this moment, in the words of the pages: answering, thinking, resting, paused.

use timmy_core::mind::rest::{PAUSED, USUAL};
use timmy_core::mind::thinking::Doing as Thinking;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{MessageId, Timestamp};

use crate::look::home::Doing;
use crate::look::thinking::ThinkingStatus;
use crate::look::{Clock, State, Tone, words};
use crate::web::Web;

/// Characters of a question in a line.
const QUESTION_CHARS_MAX: usize = 160;

/// The question being answered, when one is.
#[must_use]
pub fn question(web: &Web) -> Option<MessageId> {
    web.app.talk.turns.current().map(|turn| turn.question)
}

/// How long the present act runs; empty while Timmy rests.
#[must_use]
pub fn aside(web: &Web, clock: &Clock) -> String {
    let since = web.app.talk.turns.current().map(|turn| turn.since).or_else(|| match web.app.thinking.doing() {
        Thinking::Thinking { since, .. } => Some(since),
        Thinking::Resting { .. } => None,
    });
    let millis = since.map(|at| i64::try_from(clock.now.since(at).as_secs() * 1_000).unwrap_or(i64::MAX));
    millis.map(words::duration_ms).unwrap_or_default()
}

/// Whether the owner paused thinking.
#[must_use]
pub fn is_paused(doing: &Thinking) -> bool {
    matches!(doing, Thinking::Resting { why, .. } if why == PAUSED)
}

/// `Resting until 14:17`, as far as there is an end.
fn until_words(until: Option<Timestamp>, clock: &Clock) -> String {
    until.map(|at| format!(" until {}", clock.short(at).text)).unwrap_or_default()
}

/// What a rest is, in one sentence without its full stop.
#[must_use]
pub fn resting(until: Option<Timestamp>, why: &str, clock: &Clock) -> String {
    match until {
        _ if why == PAUSED => format!("Thinking is paused{}", until_words(until, clock)),
        Some(at) if why == USUAL => format!("Resting until the next thought at {}", clock.short(at).text),
        _ => format!("Resting{}: {why}", until_words(until, clock)),
    }
}

/// The line of Home. `asked` is the text of the question being answered.
#[must_use]
pub fn line(web: &Web, clock: &Clock, asked: Option<&str>) -> Doing {
    if let Some(turn) = web.app.talk.turns.current() {
        let about = asked.map(|text| cut(&one_line(text), QUESTION_CHARS_MAX));
        return Doing {
            state: State::running("Answering"),
            title: about.map_or_else(|| "Answering you".to_owned(), |text| format!("Answering: {text}")),
            sub: String::new(),
            since: Some(clock.ago(turn.since)),
            stop: Some(format!("/talk/{}/stop", turn.question)),
        };
    }
    match web.app.thinking.doing() {
        Thinking::Thinking { seed_type, note, since } => Doing {
            state: State::new(Tone::Voice, "thinking", "Thinking"),
            title: format!("A thought from {seed_type}: {note}"),
            sub: String::new(),
            since: Some(clock.ago(since)),
            stop: Some("/thinking/stop".to_owned()),
        },
        Thinking::Resting { until, why } if why == PAUSED => Doing {
            state: State::new(Tone::Calm, "pause", "Paused"),
            title: format!("Thinking is paused{}", until_words(until, clock)),
            sub: "You paused it.".to_owned(),
            since: None,
            stop: None,
        },
        Thinking::Resting { until, why } => Doing {
            state: State::resting("Resting"),
            title: format!("Resting{}", until_words(until, clock)),
            sub: if why == USUAL { "The next thought is due then.".to_owned() } else { capital(&why) },
            since: None,
            stop: None,
        },
    }
}

/// The panel above the thoughts.
#[must_use]
pub fn thinking_status(web: &Web, clock: &Clock, csrf: String) -> ThinkingStatus {
    let settings = &web.app.ctx.settings.thinking;
    let doing = web.app.thinking.doing();
    let (state, because) = match &doing {
        _ if !settings.enabled => (State::off("Off"), "[thinking] enabled = false in timmy.toml.".to_owned()),
        Thinking::Thinking { seed_type, note, .. } => {
            (State::new(Tone::Voice, "thinking", "Thinking"), format!("From {seed_type}: {note}"))
        }
        Thinking::Resting { until, why } if why == PAUSED => {
            (State::new(Tone::Calm, "pause", "Paused"), format!("You paused it{}.", until_words(*until, clock)))
        }
        Thinking::Resting { until, why } => (State::resting("Resting"), format!("{}.", resting(*until, why, clock))),
    };
    let sentence = if settings.enabled {
        format!("Thinks {} when nobody asks.", rhythm(web))
    } else {
        "Thinking is switched off.".to_owned()
    };
    ThinkingStatus {
        state,
        sentence,
        because,
        paused: is_paused(&doing),
        thinking: matches!(doing, Thinking::Thinking { .. }),
        off: !settings.enabled,
        csrf,
    }
}

/// `about every 5 min`.
#[must_use]
pub fn rhythm(web: &Web) -> String {
    let seconds = i64::try_from(web.app.ctx.settings.thinking.interval_seconds).unwrap_or(i64::MAX / 1_000);
    format!("about every {}", words::duration_ms(seconds.saturating_mul(1_000)))
}

/// The quiet hours, as `22:00 to 07:00`; empty when there are none.
#[must_use]
pub fn quiet_hours(web: &Web) -> String {
    let settings = &web.app.ctx.settings.thinking;
    if settings.quiet_from.is_empty() || settings.quiet_until.is_empty() {
        return String::new();
    }
    format!("{} to {}", settings.quiet_from, settings.quiet_until)
}

/// When the next thought may come, and why then.
#[must_use]
pub fn next(web: &Web, clock: &Clock) -> (String, String) {
    let quiet = quiet_hours(web);
    let mut rhythm = capital(&rhythm(web));
    if !quiet.is_empty() {
        rhythm.push_str(&format!(" Quiet from {quiet}."));
    }
    if !web.app.ctx.settings.thinking.enabled {
        return ("when thinking is switched on".to_owned(), "[thinking] enabled = false in timmy.toml.".to_owned());
    }
    match web.app.thinking.doing() {
        Thinking::Thinking { .. } => ("now".to_owned(), rhythm),
        Thinking::Resting { why, until: None } if why == PAUSED => {
            ("when you resume it".to_owned(), "You paused thinking.".to_owned())
        }
        Thinking::Resting { why, until: None } => ("when something changes".to_owned(), capital(&why)),
        Thinking::Resting { why, until: Some(at) } => {
            let why = match why.as_str() {
                PAUSED => "You paused thinking.".to_owned(),
                USUAL => rhythm,
                why => capital(why),
            };
            (clock.short(at).text, why)
        }
    }
}

/// The text as a sentence: a capital first letter and a full stop.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).chain(['.']).collect())
}
