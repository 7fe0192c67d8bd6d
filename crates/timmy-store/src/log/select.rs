//! Turns an [`EventQuery`] into one statement with bound values.

use rusqlite::types::Value;
use timmy_domain::bus::Pattern;

use super::{EventQuery, columns};

/// Parameters every statement has: first position, last position, limit.
const FIXED_PARAMETERS: usize = 3;

/// Bytes a text condition may hold; longer ones are cut, which only ever finds more.
const TEXT_BYTES_MAX: usize = 1_000;

/// The names a pattern can match, as a half-open range of text.
pub(super) fn name_range(pattern: &Pattern) -> (String, String) {
    match pattern {
        Pattern::All => (String::new(), "\u{10FFFF}".to_owned()),
        Pattern::Exact(name) => (name.clone(), format!("{name}\0")),
        // `/` is the byte after `.`, so the range holds exactly the names that begin with `prefix.`.
        Pattern::Below(prefix) => (format!("{prefix}."), format!("{prefix}/")),
    }
}

/// The statement for `query`, and the values of its parameters after the fixed ones.
pub(super) fn statement(query: &EventQuery) -> (String, Vec<Value>) {
    let (conditions, values) = conditions(query, FIXED_PARAMETERS);
    let order = if query.newest_first { "ORDER BY seq DESC" } else { "ORDER BY seq" };
    let sql = format!("SELECT {} FROM event_log WHERE seq BETWEEN ?1 AND ?2{conditions} {order} LIMIT ?3", columns!());
    (sql, values)
}

/// The statement that answers the positions of the events that `query` wants between two positions, and
/// the values of its parameters after those.
pub(super) fn positions(query: &EventQuery) -> (String, Vec<Value>) {
    let (conditions, values) = conditions(query, FIXED_PARAMETERS - 1);
    (format!("SELECT seq FROM event_log WHERE seq BETWEEN ?1 AND ?2{conditions}"), values)
}

/// Conditions with numbered parameters.
struct Conditions {
    sql: String,
    values: Vec<Value>,
    /// Parameters before the first of these.
    fixed: usize,
}

impl Conditions {
    /// Adds a condition in which each `?` stands for the next of `values`, and `$` for the last of them.
    fn and<const N: usize>(&mut self, condition: &str, values: [Value; N]) {
        self.sql.push_str(" AND ");
        let mut next = self.fixed + self.values.len();
        for c in condition.chars() {
            match c {
                '?' => {
                    next += 1;
                    self.sql.push_str(&format!("?{next}"));
                }
                '$' => self.sql.push_str(&format!("?{next}")),
                c => self.sql.push(c),
            }
        }
        self.values.extend(values);
    }
}

/// What a row must fulfil, as text that begins with AND, and the values of its parameters, numbered
/// after the first `fixed`.
fn conditions(query: &EventQuery, fixed: usize) -> (String, Vec<Value>) {
    let mut all = Conditions { sql: String::new(), values: Vec::new(), fixed };
    let range = |pattern: &Pattern| {
        let (low, high) = name_range(pattern);
        [Value::Text(low), Value::Text(high)]
    };
    match &query.pattern {
        Pattern::All => {}
        Pattern::Exact(name) => all.and("event_type = ?", [Value::Text(name.clone())]),
        Pattern::Below(_) => all.and("event_type >= ? AND event_type < ?", range(&query.pattern)),
    }
    for pattern in &query.exclude {
        all.and("NOT (event_type >= ? AND event_type < ?)", range(pattern));
    }
    if let Some(severity) = query.severity_min {
        all.and("severity >= ?", [Value::Integer(severity as i64)]);
    }
    for (condition, value) in [
        ("actor = ?", &query.actor),
        ("source = ?", &query.source),
        ("task_id = ?", &query.task_id),
        ("agent_id = ?", &query.agent_id),
    ] {
        if let Some(value) = value {
            all.and(condition, [Value::Text(value.clone())]);
        }
    }
    if let Some(cause) = query.cause {
        all.and("cause = ?", [Value::Integer(cause)]);
    }
    for text in query.texts.iter().filter(|t| !t.is_empty()) {
        all.and(r"(event_type LIKE ? ESCAPE '\' OR data LIKE $ ESCAPE '\')", [Value::Text(containing(text))]);
    }
    (all.sql, all.values)
}

/// Whether `query` asks anything of a row beside its position and time.
pub(super) fn is_picky(query: &EventQuery) -> bool {
    !conditions(query, 0).0.is_empty()
}

/// A LIKE pattern for bodies that contain `text` as JSON writes it.
fn containing(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let json = serde_json::Value::from(&text[..end]).to_string();
    let mut pattern = String::from("%");
    for c in json[1..json.len() - 1].chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_searched_as_json_writes_it_and_wildcards_are_plain() {
        assert_eq!(containing("50%_\n"), r"%50\%\_\\n%");
        assert_eq!(containing("\""), r#"%\\"%"#);
        let long = "ä".repeat(TEXT_BYTES_MAX);
        assert!(containing(&long).len() <= TEXT_BYTES_MAX + 2);
    }
}
