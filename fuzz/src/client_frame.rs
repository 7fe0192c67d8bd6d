//! Frames of clients of the live feed: subscriptions within their bounds, or refusals that are JSON.

use timmy_domain::Event;
use timmy_domain::bus::{PATTERN_BYTES_MAX, Pattern};
use timmy_web::dry;

/// Patterns one client may subscribe to.
const PATTERNS_MAX: usize = 64;

/// Reads one frame.
pub fn check(bytes: &[u8]) {
    // Frames that are not text never come this far.
    let Ok(frame) = std::str::from_utf8(bytes) else { return };
    match dry::subscription(frame) {
        Ok(patterns) => {
            assert!(patterns.len() <= PATTERNS_MAX, "{} patterns", patterns.len());
            for pattern in &patterns {
                let printed = pattern.to_string();
                assert!(printed.len() <= PATTERN_BYTES_MAX, "{printed}");
                assert_eq!(printed.parse::<Pattern>().as_ref(), Ok(pattern), "what is printed is read as the same");
                let every = Event::catalogue().iter().all(|(name, ..)| pattern.matches(name));
                assert!(!every || *pattern == Pattern::All, "{printed} is no pattern of everything");
            }
        }
        Err(problem) => {
            let said = dry::refusal(&problem);
            let value: serde_json::Value = serde_json::from_str(&said).expect("a refusal is JSON");
            assert_eq!((value["v"].as_i64(), value["error"]["code"].as_str()), (Some(1), Some("bad_frame")));
            assert!(said.len() < 1_024, "a refusal is short, whatever was sent: {} bytes", said.len());
        }
    }
}
