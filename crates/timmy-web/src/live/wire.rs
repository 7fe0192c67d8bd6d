//! What goes over the socket: envelopes, batches, refusals and gaps out; subscriptions in.

use std::sync::Arc;

use serde::Deserialize;
use timmy_domain::bus::Pattern;
use timmy_domain::{Problem, Seq};

use super::ring::Line;

/// Events one frame may hold.
pub const BATCH_ROWS_MAX: usize = 500;
/// Patterns one client may subscribe to.
pub const PATTERNS_MAX: usize = 64;

/// One frame of these events: the envelope of a single one, else a batch. `None` when there is none.
#[must_use]
pub fn frame(lines: &[Arc<Line>]) -> Option<String> {
    match lines {
        [] => None,
        [one] => Some(one.json.clone()),
        many => {
            let bytes = many.iter().map(|line| line.json.len() + 1).sum::<usize>() + 24;
            let mut out = String::with_capacity(bytes);
            out.push_str(r#"{"v":1,"batch":["#);
            for (at, line) in many.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&line.json);
            }
            out.push_str("]}");
            Some(out)
        }
    }
}

/// Says that events are gone, and from which position on they can be read again.
#[must_use]
pub fn gap(from: Seq) -> String {
    serde_json::json!({"v": 1, "event": "feed.gap", "data": {"from": from}}).to_string()
}

/// Says what is wrong with a frame of the client.
#[must_use]
pub fn refusal(problem: &Problem) -> String {
    serde_json::json!({"v": 1, "error": problem}).to_string()
}

#[derive(Deserialize)]
struct Said {
    action: String,
    #[serde(default)]
    events: Vec<String>,
}

/// The patterns a client wants from now on.
///
/// # Errors
/// When the frame is no subscription.
pub fn subscription(text: &str) -> Result<Vec<Pattern>, Problem> {
    let refused =
        |message: String| Problem::invalid("bad_frame", message, r#"Send {"action":"subscribe","events":["task.*"]}."#);
    let said: Said = serde_json::from_str(text).map_err(|_| refused("The frame is not understood.".to_owned()))?;
    if said.action != "subscribe" {
        return Err(refused("The only action is `subscribe`.".to_owned()));
    }
    if said.events.len() > PATTERNS_MAX {
        return Err(refused(format!("At most {PATTERNS_MAX} patterns are listened to.")));
    }
    said.events.iter().map(|p| p.parse().map_err(|e| refused(format!("One pattern is {e}.")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn lines(seqs: std::ops::Range<Seq>) -> Vec<Arc<Line>> {
        seqs.map(|seq| Arc::new(Line { seq, name: "a.b".into(), json: format!(r#"{{"v":1,"seq":{seq}}}"#) })).collect()
    }

    #[test]
    fn one_event_travels_alone_and_several_together() {
        assert_eq!(frame(&[]), None);
        assert_eq!(frame(&lines(1..2)).as_deref(), Some(r#"{"v":1,"seq":1}"#));
        let batch: Value = serde_json::from_str(&frame(&lines(1..4)).unwrap_or_default()).expect("JSON");
        assert_eq!(batch["v"], 1);
        let seqs: Vec<i64> =
            batch["batch"].as_array().expect("a list").iter().filter_map(|e| e["seq"].as_i64()).collect();
        assert_eq!(seqs, [1, 2, 3]);
    }

    #[test]
    fn a_subscription_is_understood_or_refused_with_words() {
        let wanted = subscription(r#"{"action":"subscribe","events":["task.*","timmy.thought"]}"#).expect("understood");
        assert_eq!(wanted.len(), 2);
        let many = format!(r#"{{"action":"subscribe","events":[{}]}}"#, vec![r#""a""#; 65].join(","));
        let bad = [
            "",
            "{",
            "[]",
            "null",
            "7",
            r#"{"action":"shout"}"#,
            r#"{"events":["*"]}"#,
            r#"{"action":"subscribe","events":["A"]}"#,
            r#"{"action":"subscribe","events":"*"}"#,
            r#"{"action":"subscribe","events":[1]}"#,
            &many,
        ];
        for text in bad {
            let said: Value = serde_json::from_str(&refusal(&subscription(text).expect_err(text))).expect("JSON");
            assert_eq!((said["v"].as_i64(), said["error"]["code"].as_str()), (Some(1), Some("bad_frame")), "{text}");
        }
    }
}
