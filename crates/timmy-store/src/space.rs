//! Space: pages that nothing uses, and giving them back to the disk in small steps.
//!
//! Rows that leave the log leave free pages behind. New rows use them first, so a file with a few is
//! well; only what is far more than that is worth the writing that giving it back costs.

use rusqlite::Connection;

use crate::{Reader, StoreError, Tx};

/// Pages one step gives back: some milliseconds of the writer's time, its commit included.
const STEP_PAGES: i64 = 32;

/// Bytes of the largest file that is written anew to learn how to shrink. Larger ones use their free
/// pages again, which is all that most homes ever need.
const COMPACT_BYTES_MAX: i64 = 4 * 1024 * 1024 * 1024;

/// What `PRAGMA auto_vacuum` answers for a file that can shrink in steps.
const INCREMENTAL: i64 = 2;

/// How much room the file takes, and how much of it is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes of one page.
    pub page_bytes: i64,
    /// Pages of the file.
    pub pages: i64,
    /// Pages that nothing uses.
    pub free_pages: i64,
    /// Whether pages can be given back in steps.
    pub shrinks: bool,
}

fn number(conn: &Connection, name: &str) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, name, |row| row.get(0))?)
}

fn look(conn: &Connection) -> Result<Space, StoreError> {
    Ok(Space {
        page_bytes: number(conn, "page_size")?,
        pages: number(conn, "page_count")?,
        free_pages: number(conn, "freelist_count")?,
        shrinks: number(conn, "auto_vacuum")? == INCREMENTAL,
    })
}

/// Lets a file of an older version shrink in steps, which takes writing it anew once. A file that is
/// too large, or a disk that is too small, is no fault: then the file stays as it is.
pub(crate) fn learn_to_shrink(conn: &Connection) -> Result<(), StoreError> {
    let space = look(conn)?;
    if space.shrinks || space.pages.saturating_mul(space.page_bytes) > COMPACT_BYTES_MAX {
        return Ok(());
    }
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    if let Err(error) = conn.execute_batch("VACUUM") {
        tracing::warn!(%error, "the database was not written anew; its free pages are used again instead");
    }
    Ok(())
}

impl Reader<'_> {
    /// How much room the file takes, and how much of it is free.
    ///
    /// # Errors
    /// What the disk said.
    pub fn space(&self) -> Result<Space, StoreError> {
        look(self.conn())
    }
}

impl Tx<'_> {
    /// Gives a few free pages back, at most `pages`, and answers how the file is then.
    ///
    /// # Errors
    /// What the disk said.
    pub fn give_back(&mut self, pages: i64) -> Result<Space, StoreError> {
        let pages = pages.min(STEP_PAGES);
        if pages > 0 {
            let mut statement = self.conn().prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let mut rows = statement.query([])?;
            // Each step of the statement moves one page.
            while rows.next()?.is_some() {}
        }
        look(self.conn())
    }
}
