//! Reads a filter, word by word.

use time::UtcOffset;

use super::error::{nearest, shown};
use super::{EventFilter, FILTER_BYTES_MAX, FilterError, KEYS, Key, Moment, NAME_BYTES_MAX, TEXT_CHARS_MAX, Token};
use super::{TOKENS_MAX, nearest_name};
use crate::bus::Pattern;
use crate::text::is_harmful;
use crate::{Actor, Seq, Severity, Timestamp};

/// Words that people try for a key, and the key.
const MEANT: [(&str, &str); 14] = [
    ("name", "type"),
    ("event", "type"),
    ("area", "type"),
    ("level", "severity"),
    ("by", "actor"),
    ("who", "actor"),
    ("from", "since"),
    ("start", "since"),
    ("to", "until"),
    ("end", "until"),
    ("caused", "cause"),
    ("words", "text"),
    ("search", "text"),
    ("part", "source"),
];

/// What is left to read, and where it stands.
struct Rest<'t> {
    text: &'t str,
    /// Which character comes next, counted from 1.
    column: usize,
}

impl<'t> Rest<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (head, tail) = self.text.split_at(bytes);
        self.column += head.chars().count();
        self.text = tail;
        head
    }

    fn skip_space(&mut self) {
        let word = self.text.find(|c: char| !c.is_whitespace()).unwrap_or(self.text.len());
        self.take(word);
    }

    /// Up to the next space.
    fn bare(&mut self) -> &'t str {
        let end = self.text.find(char::is_whitespace).unwrap_or(self.text.len());
        self.take(end)
    }

    /// Between quotes; a backslash takes the next quote or backslash as it is.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let opened = self.column;
        let mut out = String::new();
        let mut chars = self.text.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.take(at + 1);
                    if self.text.chars().next().is_some_and(|c| !c.is_whitespace()) {
                        let hint =
                            "Put a space behind the quote, or a backslash before it when it belongs to the text.";
                        return Err(FilterError::new(self.column, "A space is missing behind the quote", hint));
                    }
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, next @ ('"' | '\\'))) => out.push(next),
                    Some((_, next)) => out.extend(['\\', next]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(FilterError::new(opened, "A quote is opened and never closed", "Put a second \" behind the words."))
    }
}

/// Reads `text`.
pub(super) fn filter(text: &str, now: Timestamp, offset: UtcOffset) -> Result<EventFilter, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        let what = format!("The filter is over {FILTER_BYTES_MAX} bytes long");
        return Err(FilterError::new(1, what, "Say it in fewer words."));
    }
    // What cannot be seen reads as a space: a filter is shown again, also as a command for a terminal.
    let text: String = text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect();
    let mut rest = Rest { text: &text, column: 1 };
    let mut filter = EventFilter::default();
    loop {
        rest.skip_space();
        if rest.text.is_empty() {
            return Ok(filter);
        }
        let column = rest.column;
        if filter.tokens().len() >= TOKENS_MAX {
            let what = format!("A filter has at most {TOKENS_MAX} parts");
            return Err(FilterError::new(column, what, "Leave some of them out."));
        }
        let token = token(&mut rest, now, offset)?;
        filter.push(token).map_err(|error| error.at(column))?;
    }
}

fn token(rest: &mut Rest<'_>, now: Timestamp, offset: UtcOffset) -> Result<Token, FilterError> {
    let column = rest.column;
    if rest.text.starts_with('"') {
        let text = rest.quoted()?;
        return text_token(text, column);
    }
    let word = &rest.text[..rest.text.find(char::is_whitespace).unwrap_or(rest.text.len())];
    let Some(colon) = word.find(':') else {
        if word.starts_with('-') {
            let hint =
                "Only names can be left out: -type:watch.observed. To search for words with a minus, quote them.";
            return Err(FilterError::new(column, format!("`{}` is no part of a filter", shown(word)), hint));
        }
        let word = rest.bare().to_owned();
        return text_token(word, column);
    };
    let said = rest.take(colon).to_ascii_lowercase();
    let Some((key, ..)) = KEYS.into_iter().find(|(key, ..)| key.name() == said) else {
        return Err(unknown_key(&said, word, column));
    };
    rest.take(1);
    let value_column = rest.column;
    let value = if rest.text.starts_with('"') { rest.quoted()? } else { rest.bare().to_owned() };
    if value.is_empty() {
        let example = KEYS.iter().find(|(k, ..)| *k == key).map_or("", |(_, example, _)| example);
        let what = format!("`{}:` stands there without a value", key.name());
        return Err(FilterError::new(value_column, what, format!("It is like {example}.")));
    }
    valued(key, value, now, offset).map_err(|error| error.at(value_column))
}

fn unknown_key(said: &str, word: &str, column: usize) -> FilterError {
    let hint = if let Some(key) = said.strip_prefix('-').filter(|key| KEYS.iter().any(|(k, ..)| k.name() == *key)) {
        format!("Only names can be left out, with -type:; `{key}:` stands without a minus.")
    } else {
        let meant = MEANT.into_iter().find(|(word, _)| *word == said).map(|(_, key)| key);
        match meant.or_else(|| nearest(said, KEYS.iter().map(|(key, ..)| key.name()))) {
            Some(key) => format!("Did you mean `{key}:`? To search for these words, quote them: \"{}\".", shown(word)),
            None => format!("To search for these words, quote them: \"{}\".", shown(word)),
        }
    };
    FilterError::new(column, format!("A filter knows no `{}:`", shown(said)), hint)
}

fn text_token(text: String, column: usize) -> Result<Token, FilterError> {
    if text.is_empty() {
        return Err(FilterError::new(column, "There is nothing between the quotes", "Put the words between them."));
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        let what = format!("The words are over {TEXT_CHARS_MAX} characters long");
        return Err(FilterError::new(column, what, "Search for fewer of them."));
    }
    Ok(Token::Text(text))
}

/// The token of `key` with `value`. The place of an error is the caller's.
fn valued(key: Key, value: String, now: Timestamp, offset: UtcOffset) -> Result<Token, FilterError> {
    let time = |late| {
        Moment::read(&value, now, offset, late).ok_or_else(|| {
            let hint = "It is like 30s, 15m, 1h, 7d or 2w ago, 14:00 today, 2026-11-21, or 2026-11-21T10:00.";
            FilterError::new(1, format!("`{}` is no time", shown(&value)), hint)
        })
    };
    Ok(match key {
        Key::Type => Token::Type(pattern(&value)?),
        Key::NotType => Token::NotType(pattern(&value)?),
        Key::Severity => {
            let fits = |severity: &Severity| severity.name().eq_ignore_ascii_case(&value);
            let found = Severity::ALL.into_iter().find(fits);
            Token::Severity(found.ok_or_else(|| refused("severity", &value, &Severity::ALL.map(Severity::name)))?)
        }
        Key::Actor => {
            let found = Actor::ALL.into_iter().find(|actor| actor.name().eq_ignore_ascii_case(&value));
            Token::Actor(found.ok_or_else(|| refused("actor", &value, &Actor::ALL.map(|actor| actor.name())))?)
        }
        Key::Source => Token::Source(named(value)?),
        Key::Task => Token::Task(named(value)?),
        Key::Agent => Token::Agent(named(value)?),
        Key::Cause => Token::Cause(position(&value)?),
        Key::Since => Token::Since(time(false)?),
        Key::Until => Token::Until(time(true)?),
        Key::After => Token::After(position(&value)?),
        Key::Before => Token::Before(position(&value)?),
        Key::Text => text_token(value, 1)?,
    })
}

fn pattern(value: &str) -> Result<Pattern, FilterError> {
    value.parse().map_err(|_| {
        let hint = match nearest_name(value) {
            Some(name) => format!("Did you mean {name}?"),
            None => "Names are like watch.added; watch.* finds all below watch.".to_owned(),
        };
        FilterError::new(1, format!("`{}` is no name of an event", shown(value)), hint)
    })
}

fn refused(key: &str, value: &str, names: &[&'static str]) -> FilterError {
    let all = names.join(", ");
    let hint = match nearest(value, names.iter().copied()) {
        Some(name) => format!("Did you mean {name}? It is one of {all}."),
        None => format!("It is one of {all}."),
    };
    FilterError::new(1, format!("`{}` is no {key}", shown(value)), hint)
}

fn named(value: String) -> Result<String, FilterError> {
    if value.len() > NAME_BYTES_MAX {
        let what = format!("The name is over {NAME_BYTES_MAX} bytes long");
        return Err(FilterError::new(1, what, "Copy the id from the event it stands in."));
    }
    Ok(value)
}

fn position(value: &str) -> Result<Seq, FilterError> {
    let seq = value.strip_prefix('#').unwrap_or(value);
    let plain = !seq.is_empty() && seq.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| seq.parse().ok()).flatten().ok_or_else(|| {
        let hint = "Positions are the numbers of events, such as 123.";
        FilterError::new(1, format!("`{}` is no position", shown(value)), hint)
    })
}
