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
    let mut sql = format!("SELECT {} FROM event_log WHERE seq BETWEEN ?1 AND ?2", columns!());
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        let number = FIXED_PARAMETERS + values.len();
        sql.push_str(" AND ");
        sql.push_str(&condition.replace('?', &format!("?{number}")));
    };
    match &query.pattern {
        Pattern::All => {}
        Pattern::Exact(name) => and("event_type = ?", Value::Text(name.clone())),
        Pattern::Below(_) => {
            let (low, high) = name_range(&query.pattern);
            and("event_type >= ?", Value::Text(low));
            and("event_type < ?", Value::Text(high));
        }
    }
    if let Some(severity) = query.severity_min {
        and("severity >= ?", Value::Integer(severity as i64));
    }
    for (condition, value) in
        [("actor = ?", &query.actor), ("task_id = ?", &query.task_id), ("agent_id = ?", &query.agent_id)]
    {
        if let Some(value) = value {
            and(condition, Value::Text(value.clone()));
        }
    }
    if let Some(text) = query.text.as_deref().filter(|t| !t.is_empty()) {
        and(r"(event_type LIKE ? ESCAPE '\' OR data LIKE ? ESCAPE '\')", Value::Text(containing(text)));
    }
    sql.push_str(if query.newest_first { " ORDER BY seq DESC" } else { " ORDER BY seq" });
    sql.push_str(" LIMIT ?3");
    (sql, values)
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
