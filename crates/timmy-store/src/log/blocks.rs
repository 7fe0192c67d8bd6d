//! Blocks: where in the log to look for a type, a severity, a task, an agent, or effects.
//!
//! A query reads the blocks that can hold an answer, and the rows after the last full block. So a
//! rare type is found as fast as a frequent one, and nothing is paid per event.

use std::ops::RangeInclusive;

use rusqlite::types::Value;
use rusqlite::{Connection, Params, params, params_from_iter};
use timmy_domain::bus::Pattern;
use timmy_domain::{Seq, Severity};

use super::{BLOCK_ROWS, EventQuery, head, select};
use crate::StoreError;
use crate::checkpoint::block_of;

/// What a block holds: each kind and value with the worst severity beside it.
macro_rules! marks {
    () => {
        "SELECT 'type' AS kind, event_type AS value, ?1 AS block, max(severity) FROM event_log
         WHERE seq BETWEEN ?2 AND ?3 GROUP BY 2
         UNION ALL SELECT 'source', source, ?1, max(severity) FROM event_log
         WHERE seq BETWEEN ?2 AND ?3 GROUP BY 2
         UNION ALL SELECT 'actor', actor, ?1, max(severity) FROM event_log
         WHERE seq BETWEEN ?2 AND ?3 GROUP BY 2
         UNION ALL SELECT 'agent', agent_id, ?1, max(severity) FROM event_log
         WHERE seq BETWEEN ?2 AND ?3 AND agent_id IS NOT NULL GROUP BY 2
         UNION ALL SELECT 'task', task_id, ?1, max(severity) FROM event_log
         WHERE seq BETWEEN ?2 AND ?3 AND task_id IS NOT NULL GROUP BY 2
         UNION ALL SELECT 'cause', CAST((cause - 1) / ?4 AS TEXT), ?1, max(severity) FROM event_log
         WHERE seq BETWEEN ?2 AND ?3 AND cause IS NOT NULL GROUP BY 2"
    };
}

/// Notes what the full `block` holds. Part of the transaction that filled it, so it is taken back
/// with it.
pub(super) fn summarise(conn: &Connection, block: Seq) -> Result<(), StoreError> {
    conn.prepare_cached(concat!("INSERT INTO event_blocks (kind, value, block, severity_max) ", marks!()))?
        .execute(params![block, block * BLOCK_ROWS + 1, (block + 1) * BLOCK_ROWS, BLOCK_ROWS])?;
    Ok(())
}

/// Takes back what [`summarise`] noted about `block`, while its rows are still there.
pub(super) fn forget(conn: &Connection, block: Seq) -> Result<(), StoreError> {
    conn.prepare_cached(concat!(
        "DELETE FROM event_blocks WHERE (kind, value, block) IN (SELECT kind, value, block FROM (",
        marks!(),
        "))"
    ))?
    .execute(params![block, block * BLOCK_ROWS + 1, (block + 1) * BLOCK_ROWS, BLOCK_ROWS])?;
    Ok(())
}

/// The stretches of the log within `bounds` that can hold what `query` wants, in the order of the
/// answer: the blocks that have something for each of its conditions, and what follows the last full
/// block.
pub(super) fn of_query(
    conn: &Connection,
    query: &EventQuery,
    bounds: &RangeInclusive<Seq>,
) -> Result<Vec<RangeInclusive<Seq>>, StoreError> {
    let span = (block_of(*bounds.start()), block_of(*bounds.end()));
    let severe = query.severity_min.filter(|&s| s > Severity::Debug).map_or(0, |s| s as i64);
    let cause = query.cause.map(|cause| (cause.saturating_sub(1) / BLOCK_ROWS).to_string());
    let values = [
        ("cause", cause.as_ref()),
        ("task", query.task_id.as_ref()),
        ("agent", query.agent_id.as_ref()),
        ("actor", query.actor.as_ref()),
        ("source", query.source.as_ref()),
    ];
    let mut found: Option<Vec<Seq>> = None;
    for (kind, value) in values {
        if let Some(value) = value {
            let blocks = numbers(
                conn,
                "SELECT block FROM event_blocks WHERE kind = ?1 AND value = ?2 AND severity_max >= ?3
                 AND block BETWEEN ?4 AND ?5 ORDER BY block",
                params![kind, value, severe, span.0, span.1],
            )?;
            found = Some(common(found, blocks));
        }
    }
    if query.pattern != Pattern::All || !query.exclude.is_empty() || severe > Severity::Info as i64 {
        found = Some(common(found, of_types(conn, query, severe, span)?));
    }
    match found {
        None => Ok(vec![bounds.clone()]),
        Some(blocks) => Ok(stretches(&blocks, tail(conn)?, bounds, query.newest_first)),
    }
}

/// The blocks within `span` that hold a type the query wants.
fn of_types(conn: &Connection, query: &EventQuery, severe: i64, span: (Seq, Seq)) -> Result<Vec<Seq>, StoreError> {
    let (low, high) = select::name_range(&query.pattern);
    let mut sql = "SELECT DISTINCT block FROM event_blocks
         WHERE kind = 'type' AND value >= ?1 AND value < ?2 AND severity_max >= ?3 AND block BETWEEN ?4 AND ?5"
        .to_owned();
    let mut values = vec![
        Value::Text(low),
        Value::Text(high),
        Value::Integer(severe),
        Value::Integer(span.0),
        Value::Integer(span.1),
    ];
    for pattern in &query.exclude {
        let (low, high) = select::name_range(pattern);
        let number = values.len() + 1;
        sql.push_str(&format!(" AND NOT (value >= ?{number} AND value < ?{})", number + 1));
        values.extend([Value::Text(low), Value::Text(high)]);
    }
    let mut blocks = numbers(conn, &sql, params_from_iter(values))?;
    blocks.sort_unstable();
    Ok(blocks)
}

/// What is in both lists, which ascend; the second when there is no first.
fn common(first: Option<Vec<Seq>>, second: Vec<Seq>) -> Vec<Seq> {
    match first {
        None => second,
        Some(first) => first.into_iter().filter(|block| second.binary_search(block).is_ok()).collect(),
    }
}

/// The stretches of the log within `bounds` that can hold effects of the event at `seq`, in the order of the answer.
pub(super) fn of_effects(
    conn: &Connection,
    seq: Seq,
    bounds: &RangeInclusive<Seq>,
    newest_first: bool,
) -> Result<Vec<RangeInclusive<Seq>>, StoreError> {
    let blocks = numbers(
        conn,
        "SELECT block FROM event_blocks WHERE kind = 'cause' AND value = ?1 ORDER BY block",
        [(seq.saturating_sub(1) / BLOCK_ROWS).to_string()],
    )?;
    let bounds = seq.saturating_add(1).max(*bounds.start())..=*bounds.end();
    Ok(stretches(&blocks, tail(conn)?, &bounds, newest_first))
}

/// The first position after the last full block.
fn tail(conn: &Connection) -> Result<Seq, StoreError> {
    Ok(head(conn)?.seq / BLOCK_ROWS * BLOCK_ROWS + 1)
}

fn numbers(conn: &Connection, sql: &str, values: impl Params) -> Result<Vec<Seq>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The stretches of the log that `blocks` (ascending) and the rows from `tail` on cover within
/// `bounds`. Neighbouring blocks become one stretch.
fn stretches(blocks: &[Seq], tail: Seq, bounds: &RangeInclusive<Seq>, newest_first: bool) -> Vec<RangeInclusive<Seq>> {
    let mut out: Vec<RangeInclusive<Seq>> = Vec::new();
    let full = blocks.iter().map(|block| block * BLOCK_ROWS + 1..=(block + 1) * BLOCK_ROWS);
    for range in full.chain([tail..=Seq::MAX]) {
        let start = *range.start().max(bounds.start());
        let end = *range.end().min(bounds.end());
        if start > end {
            continue;
        }
        match out.last_mut() {
            Some(last) if *last.end() + 1 == start => *last = *last.start()..=end,
            _ => out.push(start..=end),
        }
    }
    if newest_first {
        out.reverse();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_blocks_are_one_stretch_within_the_bounds() {
        let found = stretches(&[0, 1, 3], 5 * BLOCK_ROWS + 1, &(10..=6_000), false);
        assert_eq!(found, [10..=512, 769..=1_024, 1_281..=6_000]);
        let newest = stretches(&[0, 4], 5 * BLOCK_ROWS + 1, &(1..=Seq::MAX), true);
        assert_eq!(newest, [1_025..=Seq::MAX, 1..=256]);
        assert!(stretches(&[0], BLOCK_ROWS + 1, &RangeInclusive::new(9, 8), false).is_empty());
    }
}
