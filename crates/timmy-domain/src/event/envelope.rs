//! The envelope of a record as text, written once and without taking the body apart.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Record, Severity};
use crate::{Seq, Timestamp};

/// The fields of [`Record::envelope`].
#[derive(Serialize)]
struct Envelope<'r> {
    v: u8,
    seq: Seq,
    event: &'r str,
    data: Option<&'r RawValue>,
    timestamp: Timestamp,
    id: &'r str,
    source: &'r str,
    actor: &'r str,
    cause: Option<Seq>,
    task_id: Option<&'r str>,
    agent_id: Option<&'r str>,
    severity: Severity,
}

impl Record {
    /// Writes the envelope of the live feed as one line of JSON, with its line break, to the end of `out`.
    pub fn write_envelope(&self, out: &mut Vec<u8>) {
        let before = out.len();
        // A body with a line break was not written by this house; it would break the line.
        let data = if self.data.contains(['\n', '\r']) { None } else { serde_json::from_str(&self.data).ok() };
        let envelope = Envelope {
            v: 1,
            seq: self.seq,
            event: &self.name,
            data,
            timestamp: self.at,
            id: &self.id,
            source: &self.source,
            actor: &self.actor,
            cause: self.cause,
            task_id: self.task_id.as_deref(),
            agent_id: self.agent_id.as_deref(),
            severity: self.severity,
        };
        if data.is_none() || serde_json::to_writer(&mut *out, &envelope).is_err() {
            out.truncate(before);
            out.extend_from_slice(self.envelope().to_string().as_bytes());
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_line_says_what_the_envelope_says() {
        let record = |data: &str, cause| Record {
            seq: 7,
            id: "018f".into(),
            name: "watch.added".into(),
            source: "watch".into(),
            actor: "owner".into(),
            cause,
            task_id: None,
            agent_id: Some("timmy \"\n".into()),
            severity: Severity::Info,
            data: data.into(),
            at: Timestamp::from_micros(1_700_000_000_000_001),
            hash: [0; 32],
        };
        for data in [r#"{"path":"/a","n":1.5}"#, "{}", "broken", "", "{\n\"a\":1}", "null", "[\"\u{2028}\"]"] {
            for cause in [None, Some(3)] {
                let record = record(data, cause);
                let mut out = b"before\n".to_vec();
                record.write_envelope(&mut out);
                let text = String::from_utf8(out).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                assert_eq!((lines.len(), lines[0], text.ends_with('\n')), (2, "before", true), "{data}");
                assert_eq!(serde_json::from_str::<Value>(lines[1]).ok(), Some(record.envelope()), "{data}");
            }
        }
    }
}
