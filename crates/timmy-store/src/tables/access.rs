//! Who may come in: sessions of browsers, tokens of programs. Secrets are stored as SHA-256 only.

use rusqlite::{OptionalExtension, Row, params};
use timmy_domain::Timestamp;

use crate::row::{optional_time, text, time};
use crate::{Reader, StoreError, Tx};

/// A browser that logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the cookie's secret.
    pub hash: [u8; 32],
    /// The token that its forms carry.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// What it is, for people, such as the name of the browser.
    pub label: String,
}

/// A token of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its name; no two tokens share one.
    pub name: String,
    /// What it may do: `models`, `read`, `operate` or `admin`.
    pub scope: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// Tokens of models it may have read and written in one day (UTC); `None` for no bound of its own.
    pub model_tokens_per_day: Option<u64>,
}

fn session(row: &Row<'_>, hash: [u8; 32]) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        hash,
        csrf: text(row, 0)?,
        created_at: time(row, 1)?,
        expires_at: time(row, 2)?,
        seen_at: time(row, 3)?,
        label: text(row, 4)?,
    })
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        name: text(row, 0)?,
        scope: text(row, 1)?,
        created_at: time(row, 2)?,
        used_at: optional_time(row, 3)?,
        model_tokens_per_day: row.get::<_, Option<i64>>(4)?.and_then(|n| u64::try_from(n).ok()),
    })
}

impl Reader<'_> {
    /// The session whose secret has this `hash`, also when it has expired: the caller looks at the time.
    ///
    /// # Errors
    /// What the disk said.
    pub fn session(&self, hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
        Ok(self
            .conn()
            .prepare_cached("SELECT csrf, created_at, expires_at, seen_at, label FROM sessions WHERE hash = ?1")?
            .query_row([hash.as_slice()], |row| session(row, *hash))
            .optional()?)
    }

    /// The sessions that are good at `now`, used last first; `limit` at most.
    ///
    /// # Errors
    /// What the disk said.
    pub fn sessions(&self, now: Timestamp, limit: usize) -> Result<Vec<SessionRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(self
            .conn()
            .prepare_cached(
                "SELECT csrf, created_at, expires_at, seen_at, label, hash FROM sessions WHERE expires_at > ?1
                 ORDER BY seen_at DESC, created_at DESC LIMIT ?2",
            )?
            .query_map(params![now.micros(), limit], |row| session(row, row.get(5)?))?
            .collect::<rusqlite::Result<_>>()?)
    }

    /// The token whose secret has this `hash`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        Ok(self
            .conn()
            .prepare_cached(
                "SELECT name, scope, created_at, used_at, model_tokens_per_day FROM tokens WHERE hash = ?1",
            )?
            .query_row([hash.as_slice()], token)
            .optional()?)
    }

    /// All tokens, by name.
    ///
    /// # Errors
    /// What the disk said.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        Ok(self
            .conn()
            .prepare_cached("SELECT name, scope, created_at, used_at, model_tokens_per_day FROM tokens ORDER BY name")?
            .query_map([], token)?
            .collect::<rusqlite::Result<_>>()?)
    }
}

impl Tx<'_> {
    /// Stores a session. `hash` is the SHA-256 of its secret.
    ///
    /// # Errors
    /// What the disk said.
    pub fn insert_session(
        &mut self,
        hash: &[u8; 32],
        csrf: &str,
        created: Timestamp,
        expires: Timestamp,
        label: &str,
    ) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached(
                "INSERT INTO sessions (hash, csrf, created_at, expires_at, seen_at, label)
                 VALUES (?1, ?2, ?3, ?4, ?3, ?5)",
            )?
            .execute(params![hash.as_slice(), csrf, created.micros(), expires.micros(), label])?;
        Ok(())
    }

    /// Ends the session with this `hash`; answers whether there was one.
    ///
    /// # Errors
    /// What the disk said.
    pub fn delete_session(&mut self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        let mut statement = self.conn().prepare_cached("DELETE FROM sessions WHERE hash = ?1")?;
        Ok(statement.execute([hash.as_slice()])? > 0)
    }

    /// Ends every session but the one with the hash `spared`; answers how many that were.
    ///
    /// # Errors
    /// What the disk said.
    pub fn end_other_sessions(&mut self, spared: Option<&[u8; 32]>) -> Result<usize, StoreError> {
        // No session has the empty hash, so without anybody to spare all of them go.
        let spared: &[u8] = spared.map_or(&[], |hash| hash.as_slice());
        let mut statement = self.conn().prepare_cached("DELETE FROM sessions WHERE hash <> ?1")?;
        Ok(statement.execute([spared])?)
    }

    /// Notes that the session with this `hash` was used at `at`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn touch_session(&mut self, hash: &[u8; 32], at: Timestamp) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached("UPDATE sessions SET seen_at = ?2 WHERE hash = ?1")?
            .execute(params![hash.as_slice(), at.micros()])?;
        Ok(())
    }

    /// Removes the sessions that have ended by `now`; answers how many.
    ///
    /// # Errors
    /// What the disk said.
    pub fn prune_sessions(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let mut statement = self.conn().prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1")?;
        Ok(statement.execute([now.micros()])?)
    }

    /// Stores a token. `hash` is the SHA-256 of its secret.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken.
    pub fn insert_token(
        &mut self,
        name: &str,
        scope: &str,
        hash: &[u8; 32],
        model_tokens_per_day: Option<u64>,
    ) -> Result<TokenRow, StoreError> {
        let bound = model_tokens_per_day.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let created_at = self.now();
        let stored = self
            .conn()
            .prepare_cached(
                "INSERT INTO tokens (name, scope, hash, created_at, model_tokens_per_day) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO NOTHING",
            )?
            .execute(params![name, scope, hash.as_slice(), created_at.micros(), bound])?;
        if stored == 0 {
            return Err(StoreError::Exists { what: format!("a token named {name}") });
        }
        Ok(TokenRow { name: name.to_owned(), scope: scope.to_owned(), created_at, used_at: None, model_tokens_per_day })
    }

    /// Withdraws the token `name`, whose name is then free again; answers whether there was one.
    ///
    /// # Errors
    /// What the disk said.
    pub fn revoke_token(&mut self, name: &str) -> Result<bool, StoreError> {
        Ok(self.conn().prepare_cached("DELETE FROM tokens WHERE name = ?1")?.execute([name])? > 0)
    }

    /// Notes that the token `name` was used at `at`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn touch_token(&mut self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        self.conn()
            .prepare_cached("UPDATE tokens SET used_at = ?2 WHERE name = ?1")?
            .execute(params![name, at.micros()])?;
        Ok(())
    }
}
