//! The filter of the log as it stands above the list: the box, its tokens as chips, and the help.

use timmy_domain::filter::{EventFilter, FilterError, KEYS, Token};

/// One token, with the list without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// The token as it is typed.
    pub label: String,
    /// The list without it.
    pub href: String,
}

/// The box above the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterBox {
    /// What stands in it.
    pub text: String,
    /// Why it was refused; empty when it was not.
    pub problem: String,
    /// What would be right; empty when nothing was refused.
    pub hint: String,
    /// Its tokens.
    pub chips: Vec<Chip>,
}

impl FilterBox {
    /// The box of a filter that was read.
    #[must_use]
    pub fn of(filter: &EventFilter) -> Self {
        let chip = |(at, token): (usize, &Token)| Chip { label: token.to_string(), href: address(&filter.without(at)) };
        Self {
            text: filter.to_string(),
            chips: filter.tokens().iter().enumerate().map(chip).collect(),
            ..Self::default()
        }
    }

    /// The box of a text that was refused.
    #[must_use]
    pub fn refused(text: &str, error: &FilterError) -> Self {
        Self { text: text.to_owned(), problem: error.to_string(), hint: error.hint.clone(), chips: Vec::new() }
    }

    /// Examples for the help, and what each finds.
    pub fn help() -> impl Iterator<Item = (&'static str, &'static str)> {
        KEYS.into_iter().map(|(_, example, finds)| (example, finds))
    }
}

/// The list narrowed by `filter`.
#[must_use]
pub fn address(filter: &EventFilter) -> String {
    if filter.is_empty() { "/swarm/events".to_owned() } else { format!("/swarm/events?{}", query(filter)) }
}

/// `filter` as a query without `?`: `q=type:watch.*%20severity:error`. Empty for everything.
#[must_use]
pub fn query(filter: &EventFilter) -> String {
    if filter.is_empty() { String::new() } else { format!("q={}", encoded(&filter.to_string())) }
}

/// `text` as a value of a query; what a query may hold as it is stays readable.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:*,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use timmy_domain::Timestamp;

    #[test]
    fn each_chip_takes_its_token_away() {
        let filter = EventFilter::parse("type:watch.* \"50% & more\" severity:error", Timestamp::EPOCH);
        let shown = FilterBox::of(&filter.unwrap_or_else(|e| panic!("{e}")));
        assert_eq!(shown.text, "type:watch.* \"50% & more\" severity:error");
        let hrefs: Vec<&str> = shown.chips.iter().map(|chip| chip.href.as_str()).collect();
        assert_eq!(
            hrefs,
            [
                "/swarm/events?q=%2250%25%20%26%20more%22%20severity:error",
                "/swarm/events?q=type:watch.*%20severity:error",
                "/swarm/events?q=type:watch.*%20%2250%25%20%26%20more%22",
            ]
        );
        assert_eq!(address(&EventFilter::default()), "/swarm/events");
    }
}
