//! Points in time: microseconds since the Unix epoch, always UTC.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time in microseconds since 1970-01-01T00:00:00Z.
///
/// It is shown as RFC 3339 in UTC with exactly six digits of fraction, so that the text of two
/// timestamps sorts as they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch itself.
    pub const EPOCH: Self = Self(0);

    /// A timestamp from microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This point moved later by `duration`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This point moved earlier by `duration`; saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this point lies; zero when it does not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same point as a calendar date and time in UTC; out-of-range values give the epoch.
    #[must_use]
    pub fn to_utc(self) -> OffsetDateTime {
        // In two steps, since the one that takes nanoseconds divides 128-bit numbers: pages show hundreds of times.
        let micros = u32::try_from(self.0.rem_euclid(1_000_000)).unwrap_or(0);
        OffsetDateTime::from_unix_timestamp(self.unix_seconds())
            .and_then(|t| t.replace_microsecond(micros))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// A timestamp from a calendar date and time in any offset.
    #[must_use]
    pub fn from_datetime(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0))
    }

    /// Reads RFC 3339 text in any offset.
    ///
    /// # Errors
    /// [`NotATime`] when the text is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self::from_datetime).map_err(|_| NotATime)
    }
}

/// The text is not an RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-11-21T08:00:00Z")]
pub struct NotATime;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.to_utc();
        if !(0..=9_999).contains(&t.year()) {
            return write!(f, "{t}");
        }
        // Written digit by digit: the general formatter took most of the time of a list of events.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let parts = [
            (0..4, t.year().unsigned_abs()),
            (5..7, u8::from(t.month()).into()),
            (8..10, t.day().into()),
            (11..13, t.hour().into()),
            (14..16, t.minute().into()),
            (17..19, t.second().into()),
            (20..26, t.microsecond()),
        ];
        for (place, mut number) in parts {
            for digit in text[place].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_sorts_like_the_value() {
        let early = Timestamp::from_micros(1_700_000_000_000_001);
        let late = early.plus(Duration::from_micros(10));
        assert!(early.to_string() < late.to_string());
        assert_eq!(Timestamp::parse(&late.to_string()), Ok(late));
        assert_eq!(early.to_string(), "2023-11-14T22:13:20.000001Z");
    }

    #[test]
    fn text_is_what_the_general_formatter_would_write() {
        let edges =
            [0, -1, 1, 951_782_399_999_999, 4_102_444_800_000_000, -62_000_000_000_000_000, 253_402_300_799_999_999];
        for micros in edges {
            let at = Timestamp::from_micros(micros);
            let t = at.to_utc();
            let date = format!("{:04}-{:02}-{:02}", t.year(), u8::from(t.month()), t.day());
            let time = format!("{:02}:{:02}:{:02}.{:06}", t.hour(), t.minute(), t.second(), t.microsecond());
            assert_eq!(at.to_string(), format!("{date}T{time}Z"));
            assert_eq!(Timestamp::from_datetime(t), at);
        }
        assert_eq!(Timestamp::from_micros(i64::MAX).to_utc(), OffsetDateTime::UNIX_EPOCH, "out of range");
    }

    #[test]
    fn other_offsets_are_read_and_shown_in_utc() {
        let t = Timestamp::parse("2026-11-21T03:00:00+02:00");
        assert_eq!(t.map(|t| t.to_string()), Ok("2026-11-21T01:00:00.000000Z".into()));
        assert_eq!(Timestamp::parse("yesterday"), Err(NotATime));
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::EPOCH.since(end), Duration::ZERO);
    }
}
