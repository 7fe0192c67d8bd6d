//! Patterns over dotted event names: exact, `a.b.*` (everything below), `*` (all).

use std::fmt;
use std::str::FromStr;

/// Bytes a pattern may hold.
pub const PATTERN_BYTES_MAX: usize = 128;

/// What a subscriber wants to hear.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every event.
    All,
    /// Every event whose name lies below this prefix; the prefix itself is not below itself.
    Below(String),
    /// The one event of this name.
    Exact(String),
}

impl Pattern {
    /// Whether an event of `name` is wanted.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => exact == name,
            Self::Below(prefix) => {
                name.len() > prefix.len() && name.as_bytes()[prefix.len()] == b'.' && name.starts_with(prefix.as_str())
            }
        }
    }
}

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event pattern: use a name such as task.created, a prefix such as task.*, or *")]
pub struct NotAPattern;

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text == "*" {
            return Ok(Self::All);
        }
        let (prefix, below) = text.strip_suffix(".*").map_or((text, false), |p| (p, true));
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if text.len() > PATTERN_BYTES_MAX || !prefix.split('.').all(word) {
            return Err(NotAPattern);
        }
        Ok(if below { Self::Below(prefix.to_owned()) } else { Self::Exact(prefix.to_owned()) })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}.*"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_exactly_below_and_all() {
        let rows = [
            ("*", "timmy.thought", true),
            ("timmy.thought", "timmy.thought", true),
            ("timmy.thought", "timmy.thoughts", false),
            ("timmy.*", "timmy.thought", true),
            ("timmy.*", "timmy.thought.kept", true),
            ("timmy.*", "timmy", false),
            ("timmy.*", "timmyx.thought", false),
            ("a.b.*", "a.b.c.d", true),
            ("a.b.*", "a.bc.d", false),
        ];
        for (pattern, name, wanted) in rows {
            let parsed: Pattern = pattern.parse().unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(parsed.matches(name), wanted, "{pattern} against {name}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for bad in ["", ".", "a..b", "*.a", "a.*.b", "A.b", "a b", "a.", ".*", "a.**", "a.b*"] {
            assert_eq!(bad.parse::<Pattern>(), Err(NotAPattern), "{bad:?}");
        }
        assert_eq!("a".repeat(129).parse::<Pattern>(), Err(NotAPattern));
    }
}
