//! The filter of the log as people type it: `type:watch.* -type:watch.observed severity:warning since:1h "disk full"`.
//!
//! One text says which events are wanted. It stands in the box above the list, in the address of the page, in the
//! JSON interface and on the command line, and [`EventFilter`] prints back what it has read.

use std::fmt;

use time::UtcOffset;

use crate::bus::Pattern;
use crate::{Actor, Seq, Severity, Timestamp};

mod error;
mod moment;
mod read;
mod token;

pub use error::{FilterError, nearest_name};
pub use moment::Moment;
pub use token::{KEYS, Key, Token};

/// Bytes a filter may hold.
pub const FILTER_BYTES_MAX: usize = 1_000;
/// Tokens a filter may hold.
pub const TOKENS_MAX: usize = 32;
/// Characters one text that is searched for may hold.
pub const TEXT_CHARS_MAX: usize = 200;
/// Bytes the id of a task or an agent, or the name of a source, may hold.
pub const NAME_BYTES_MAX: usize = 128;

/// Which events are wanted. Without tokens: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    tokens: Vec<Token>,
}

impl EventFilter {
    /// Reads a filter; times without a zone are UTC. Never panics, whatever the text is.
    ///
    /// # Errors
    /// [`FilterError`] names the place, what is wrong there, and the nearest thing that would be right.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, FilterError> {
        Self::parse_in(text, now, UtcOffset::UTC)
    }

    /// Reads a filter; times without a zone are those of a place that lies `offset` from UTC.
    ///
    /// # Errors
    /// As [`EventFilter::parse`].
    pub fn parse_in(text: &str, now: Timestamp, offset: UtcOffset) -> Result<Self, FilterError> {
        read::filter(text, now, offset)
    }

    /// Adds a token at the end.
    ///
    /// # Errors
    /// When the filter is full, or says already what may be said once only. The place is 1.
    pub fn push(&mut self, token: Token) -> Result<(), FilterError> {
        if self.tokens.len() >= TOKENS_MAX {
            return Err(FilterError::new(
                1,
                format!("A filter has at most {TOKENS_MAX} parts"),
                "Leave some of them out.",
            ));
        }
        let key = token.key();
        if key.once() && self.tokens.iter().any(|t| t.key() == key) {
            let what = format!("`{}` stands there twice", key.name());
            return Err(FilterError::new(1, what, "Leave one of them out; both cannot hold."));
        }
        self.tokens.push(token);
        Ok(())
    }

    /// The same with `token` at the end; what may be said once only is replaced. A full filter stays as it is.
    #[must_use]
    pub fn with(&self, token: Token) -> Self {
        let key = token.key();
        let mut tokens: Vec<Token> =
            self.tokens.iter().filter(|t| **t != token && !(key.once() && t.key() == key)).cloned().collect();
        if tokens.len() < TOKENS_MAX {
            tokens.push(token);
        }
        Self { tokens }
    }

    /// The same without the token at `index`.
    #[must_use]
    pub fn without(&self, index: usize) -> Self {
        let kept = self.tokens.iter().enumerate().filter(|(at, _)| *at != index);
        Self { tokens: kept.map(|(_, token)| token.clone()).collect() }
    }

    /// The same without any token of these keys.
    #[must_use]
    pub fn without_keys(&self, keys: &[Key]) -> Self {
        Self { tokens: self.tokens.iter().filter(|token| !keys.contains(&token.key())).cloned().collect() }
    }

    /// The tokens, in the order they were typed.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether every event is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    fn find<T>(&self, read: impl Fn(&Token) -> Option<T>) -> Option<T> {
        self.tokens.iter().find_map(read)
    }

    /// The names that are wanted; `None` for all.
    #[must_use]
    pub fn pattern(&self) -> Option<&Pattern> {
        self.tokens.iter().find_map(|t| if let Token::Type(pattern) = t { Some(pattern) } else { None })
    }

    /// The names that are left out.
    pub fn excluded(&self) -> impl Iterator<Item = &Pattern> {
        self.tokens.iter().filter_map(|t| if let Token::NotType(pattern) = t { Some(pattern) } else { None })
    }

    /// The mildest severity that is wanted.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.find(|t| if let Token::Severity(severity) = t { Some(*severity) } else { None })
    }

    /// Who did it.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.tokens.iter().find_map(|t| if let Token::Actor(actor) = t { Some(actor) } else { None })
    }

    /// Which part of the house says so.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.tokens.iter().find_map(|t| if let Token::Source(name) = t { Some(name.as_str()) } else { None })
    }

    /// The task it belongs to.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.tokens.iter().find_map(|t| if let Token::Task(id) = t { Some(id.as_str()) } else { None })
    }

    /// The agent it belongs to.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.tokens.iter().find_map(|t| if let Token::Agent(id) = t { Some(id.as_str()) } else { None })
    }

    /// The event it was led by.
    #[must_use]
    pub fn cause(&self) -> Option<Seq> {
        self.find(|t| if let Token::Cause(seq) = t { Some(*seq) } else { None })
    }

    /// The earliest time that is wanted.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.find(|t| if let Token::Since(moment) = t { Some(moment.at()) } else { None })
    }

    /// The latest time that is wanted.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.find(|t| if let Token::Until(moment) = t { Some(moment.at()) } else { None })
    }

    /// Only events after this position.
    #[must_use]
    pub fn after(&self) -> Option<Seq> {
        self.find(|t| if let Token::After(seq) = t { Some(*seq) } else { None })
    }

    /// Only events before this position.
    #[must_use]
    pub fn before(&self) -> Option<Seq> {
        self.find(|t| if let Token::Before(seq) = t { Some(*seq) } else { None })
    }

    /// The texts that have to occur, all of them.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(|t| if let Token::Text(text) = t { Some(text.as_str()) } else { None })
    }
}

/// As it is typed: reading it back gives the same filter.
impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.tokens.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{token}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
