//! Faults of the house: captured once, counted, written to the log without drowning it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest, Sha256};
use timmy_domain::event::ErrorCaptured;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{NewEvent, Timestamp};

use crate::chance::hex;

/// Characters of a fault's message that are kept.
pub const FAULT_MESSAGE_CHARS_MAX: usize = 500;

/// Different faults that are remembered; beyond it the one seen longest ago is forgotten.
const FAULTS_REMEMBERED_MAX: usize = 256;

/// A failure of a component, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl From<timmy_store::StoreError> for Fault {
    fn from(error: timmy_store::StoreError) -> Self {
        Self(error.to_string())
    }
}

struct Seen {
    count: u64,
    reported_at: Timestamp,
    seen_at: Timestamp,
}

/// Remembers which faults were seen, so that a fault that repeats is counted instead of told again.
#[derive(Default)]
pub struct Faults(Mutex<HashMap<String, Seen>>);

/// Same component and same message without its numbers: same fault. 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(component: &str, message: &str) -> String {
    let shape: String = message.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    let digest = Sha256::new().chain_update(component).chain_update([0]).chain_update(shape).finalize();
    hex(&digest[..8])
}

impl Faults {
    /// The event that reports this fault, or nothing when the same one was reported within `window`.
    pub fn capture(
        &self,
        component: &str,
        message: &str,
        action: &str,
        now: Timestamp,
        window: Duration,
    ) -> Option<NewEvent> {
        let message = cut(&one_line(message), FAULT_MESSAGE_CHARS_MAX);
        let fingerprint = fingerprint(component, &message);
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.len() >= FAULTS_REMEMBERED_MAX && !seen.contains_key(&fingerprint) {
            let oldest = seen.iter().min_by_key(|(_, s)| s.seen_at).map(|(k, _)| k.clone());
            oldest.map(|key| seen.remove(&key));
        }
        let known = seen.get(&fingerprint).map(|s| (s.count, s.reported_at));
        let fresh = known.is_none_or(|(_, at)| now.since(at) >= window);
        let count = known.map_or(1, |(count, _)| count + 1);
        let reported_at = if fresh { now } else { known.map_or(now, |(_, at)| at) };
        seen.insert(fingerprint.clone(), Seen { count, reported_at, seen_at: now });
        drop(seen);
        fresh.then(|| {
            NewEvent::new(
                "repair",
                ErrorCaptured {
                    component: component.to_owned(),
                    message,
                    fingerprint,
                    count,
                    action: action.to_owned(),
                },
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_repeats_is_told_once_in_a_window_and_counted() {
        let faults = Faults::default();
        let window = Duration::from_secs(300);
        let at = |s: u64| Timestamp::EPOCH.plus(Duration::from_secs(s));
        assert!(faults.capture("thinking", "row 7 is bad", "restarts", at(0), window).is_some());
        assert!(faults.capture("thinking", "row 8 is bad", "restarts", at(10), window).is_none());
        assert!(faults.capture("talk", "row 8 is bad", "restarts", at(10), window).is_some());
        let later = faults.capture("thinking", "row 9 is bad", "restarts", at(301), window);
        let body = later.map(|e| e.event.data_json()).unwrap_or_default();
        assert!(body.contains("\"count\":3"), "{body}");
    }

    #[test]
    fn the_memory_of_faults_is_bounded() {
        let faults = Faults::default();
        for n in 0..1_000u32 {
            let name = format!("part-{}", char::from_u32(0x4E00 + n).unwrap_or('x'));
            faults.capture(&name, "x", "", Timestamp::from_micros(i64::from(n)), Duration::ZERO);
        }
        assert_eq!(faults.0.lock().map(|s| s.len()).unwrap_or(0), FAULTS_REMEMBERED_MAX);
    }
}
