//! The filter of the log: what is read prints as something that is read as the same.

use time::UtcOffset;
use timmy_domain::Timestamp;
use timmy_domain::filter::{EventFilter, FILTER_BYTES_MAX, TEXT_CHARS_MAX, TOKENS_MAX};
use timmy_domain::text::is_harmful;

/// The present moment of the check: 2026-11-21T08:00:00Z.
const NOW_MICROS: i64 = 1_795_248_000_000_000;

/// Reads one filter, at a place whose offset from UTC the first byte tells in quarters of an hour.
pub fn check(bytes: &[u8]) {
    let Some((place, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let minutes = i32::from(i8::from_le_bytes([*place])).clamp(-48, 56) * 15;
    let offset = UtcOffset::from_whole_seconds(minutes * 60).expect("less than a day");
    let now = Timestamp::from_micros(NOW_MICROS);
    match EventFilter::parse_in(text, now, offset) {
        Ok(filter) => {
            assert!(text.len() <= FILTER_BYTES_MAX && filter.tokens().len() <= TOKENS_MAX);
            assert!(filter.texts().all(|text| text.chars().count() <= TEXT_CHARS_MAX));
            let printed = filter.to_string();
            assert!(!printed.contains(is_harmful), "{printed:?}");
            if printed.len() <= FILTER_BYTES_MAX {
                let again = EventFilter::parse_in(&printed, now, offset);
                assert_eq!(again.as_ref(), Ok(&filter), "{printed:?}");
            }
            for (at, token) in filter.tokens().iter().enumerate() {
                assert!(filter.with(token.clone()).tokens().contains(token), "{token}");
                assert_eq!(filter.without(at).tokens().len() + 1, filter.tokens().len());
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < 1_024, "{said:?}");
            assert!(!said.contains(is_harmful) && !error.hint.contains(is_harmful), "{said:?} {:?}", error.hint);
        }
    }
}
