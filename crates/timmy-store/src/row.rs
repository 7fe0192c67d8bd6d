//! Reading columns without trusting them: a row of a newer or damaged file must not break a list.

use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use timmy_domain::Timestamp;

/// The text of column `index`; broken UTF-8 is replaced, anything that is no text is empty.
pub(crate) fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<String> {
    Ok(optional_text(row, index)?.unwrap_or_default())
}

/// The text of column `index`, `None` for NULL.
pub(crate) fn optional_text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(index)? {
        // Nearly all text is whole, and looking for that alone is several times faster than mending it.
        ValueRef::Text(bytes) => Some(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        }),
        _ => None,
    })
}

/// The time in column `index`.
pub(crate) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_micros(row.get(index)?))
}

/// The time in column `index`, `None` for NULL.
pub(crate) fn optional_time(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_micros))
}

/// The value whose stored word is in column `index`, or `otherwise` when this binary does not know the word.
pub(crate) fn word<T: FromStr>(row: &Row<'_>, index: usize, otherwise: T) -> rusqlite::Result<T> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().and_then(|t| t.parse().ok()).unwrap_or(otherwise),
        _ => otherwise,
    })
}

/// The id in column `index`; `None` when it is NULL or not an id.
pub(crate) fn id<T: FromStr>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>> {
    Ok(optional_text(row, index)?.and_then(|t| t.parse().ok()))
}

/// Collects rows; a row that cannot be read is left out and told to the log.
pub(crate) fn readable<T>(
    rows: impl Iterator<Item = rusqlite::Result<Option<T>>>,
    table: &'static str,
) -> rusqlite::Result<Vec<T>> {
    let mut out = Vec::new();
    for row in rows {
        match row? {
            Some(value) => out.push(value),
            None => tracing::warn!(table, "a row cannot be read and is left out"),
        }
    }
    Ok(out)
}
