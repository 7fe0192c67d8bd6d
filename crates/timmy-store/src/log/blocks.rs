//! Blocks: where in the log to look for a type, a severity, a task, an agent, or effects.
//!
//! A query reads the blocks that can hold an answer, and the rows after the last full block. So a
//! rare type is found as fast as a frequent one, and nothing is paid per event.

use std::ops::RangeInclusive;

use rusqlite::{Connection, Params, params};
use timmy_domain::bus::Pattern;
use timmy_domain::{Seq, Severity};

use super::{BLOCK_ROWS, EventQuery, head, select};
use crate::StoreError;

/// Notes what the full `block` holds. Part of the transaction that filled it, so it is taken back
/// with it.
pub(super) fn summarise(conn: &Connection, block: Seq) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO event_blocks (kind, value, block, severity_max)
         SELECT 'type', event_type, ?1, max(severity) FROM event_log WHERE seq BETWEEN ?2 AND ?3 GROUP BY 2
         UNION ALL
         SELECT 'agent', agent_id, ?1, max(severity) FROM event_log WHERE seq BETWEEN ?2 AND ?3 AND agent_id IS NOT NULL GROUP BY 2
         UNION ALL
         SELECT 'task', task_id, ?1, max(severity) FROM event_log WHERE seq BETWEEN ?2 AND ?3 AND task_id IS NOT NULL GROUP BY 2
         UNION ALL
         SELECT 'cause', CAST((cause - 1) / ?4 AS TEXT), ?1, max(severity) FROM event_log WHERE seq BETWEEN ?2 AND ?3 AND cause IS NOT NULL GROUP BY 2",
    )?
    .execute(params![block, block * BLOCK_ROWS + 1, (block + 1) * BLOCK_ROWS, BLOCK_ROWS])?;
    Ok(())
}

/// The stretches of the log within `bounds` that can hold what `query` wants, in the order of the
/// answer.
pub(super) fn of_query(
    conn: &Connection,
    query: &EventQuery,
    bounds: &RangeInclusive<Seq>,
) -> Result<Vec<RangeInclusive<Seq>>, StoreError> {
    let severe = query.severity_min.filter(|&s| s > Severity::Info);
    let named = [("task", &query.task_id), ("agent", &query.agent_id)]
        .into_iter()
        .find_map(|(kind, value)| value.as_deref().map(|v| (kind, v.to_owned(), format!("{v}\0"))));
    let (kind, low, high) = match named {
        Some(named) => named,
        None if query.pattern == Pattern::All && severe.is_none() => return Ok(vec![bounds.clone()]),
        None => {
            let (low, high) = select::name_range(&query.pattern);
            ("type", low, high)
        }
    };
    let blocks = numbers(
        conn,
        "SELECT DISTINCT block FROM event_blocks
         WHERE kind = ?1 AND value >= ?2 AND value < ?3 AND severity_max >= ?4 AND block BETWEEN ?5 AND ?6
         ORDER BY block",
        params![
            kind,
            low,
            high,
            severe.map_or(0, |s| s as i64),
            (bounds.start() - 1) / BLOCK_ROWS,
            (bounds.end() - 1) / BLOCK_ROWS
        ],
    )?;
    Ok(stretches(&blocks, tail(conn)?, bounds, query.newest_first))
}

/// The stretches of the log that can hold effects of the event at `seq`, oldest first.
pub(super) fn of_effects(conn: &Connection, seq: Seq) -> Result<Vec<RangeInclusive<Seq>>, StoreError> {
    let blocks = numbers(
        conn,
        "SELECT block FROM event_blocks WHERE kind = 'cause' AND value = ?1 ORDER BY block",
        [((seq - 1) / BLOCK_ROWS).to_string()],
    )?;
    Ok(stretches(&blocks, tail(conn)?, &(seq.saturating_add(1)..=Seq::MAX), false))
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
