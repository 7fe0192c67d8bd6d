//! Dates in what servers say: in headers, and in the words of a refusal.

use timmy_domain::Timestamp;

/// The months as HTTP writes them (RFC 9110, section 5.6.7).
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Bytes of `2026-12-01`.
const DAY_BYTES: usize = 10;
/// Words of a refusal that are searched for a date.
const WORDS_MAX: usize = 200;

/// Reads `Wed, 21 Oct 2026 07:28:00 GMT`.
#[must_use]
pub fn http(text: &str) -> Option<Timestamp> {
    let mut words = text.trim().split_once(", ")?.1.split(' ');
    let (day, month, year, time, zone) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    let whole = zone == "GMT" && words.next().is_none();
    whole.then(|| Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z")).ok())?
}

/// The first day in `text`, such as `You will regain access on 2026-12-01 at 00:00 UTC.`, with its time where one
/// follows.
#[must_use]
pub fn first_in(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_whitespace().take(WORDS_MAX).collect();
    words.iter().enumerate().find_map(|(n, word)| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if let Ok(at) = Timestamp::parse(word) {
            return Some(at);
        }
        let day = word.get(..DAY_BYTES).filter(|day| word.len() == day.len())?;
        let time = match (words.get(n + 1), words.get(n + 2)) {
            (Some(&"at"), Some(time)) => time.trim_end_matches('.'),
            _ => "00:00",
        };
        let at = |time: &str| Timestamp::parse(&format!("{day}T{time}:00Z")).ok();
        at(time).or_else(|| at("00:00"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        Some(Timestamp::parse(text).expect("a time"))
    }

    #[test]
    fn dates_of_headers_are_read_or_refused() {
        assert_eq!(http("Wed, 21 Oct 2026 07:28:00 GMT"), at("2026-10-21T07:28:00Z"));
        for refused in ["", "soon", "Wed, 21 Oct 2026 07:28:00 CET", "Wed, 32 Oct 2026 07:28:00 GMT", "a, b c d e GMT"]
        {
            assert_eq!(http(refused), None, "{refused}");
        }
    }

    #[test]
    fn the_first_day_in_words_is_found() {
        let limits =
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 08:30 UTC.";
        assert_eq!(first_in(limits), at("2026-12-01T08:30:00Z"));
        assert_eq!(first_in("again on 2026-12-01."), at("2026-12-01T00:00:00Z"));
        assert_eq!(first_in("again at 2026-12-01T10:00:00Z, not before"), at("2026-12-01T10:00:00Z"));
        assert_eq!(first_in("on 2026-12-01 at noon"), at("2026-12-01T00:00:00Z"));
        for none in ["", "at 2026-13-01", "order 1234567890 é2026-12-0é", "20261201"] {
            assert_eq!(first_in(none), None, "{none}");
        }
    }
}
