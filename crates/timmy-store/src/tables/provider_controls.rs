//! What the owner decided about providers beyond the settings: switched off, and in which order.

use rusqlite::params;

use crate::row::text;
use crate::{Reader, StoreError, Tx};

/// What was decided about one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderControl {
    /// Which provider.
    pub provider: String,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Its place in the order, from 0; `None` for that of the settings.
    pub position: Option<i64>,
}

impl Reader<'_> {
    /// What was decided, those with a place first and in their order; at most 1,000 rows.
    ///
    /// # Errors
    /// What the disk said.
    pub fn provider_controls(&self) -> Result<Vec<ProviderControl>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT provider, disabled, position FROM provider_controls
             ORDER BY position IS NULL, position, provider LIMIT 1000",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(ProviderControl { provider: text(row, 0)?, disabled: row.get::<_, i64>(1)? != 0, position: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Switches a provider off or on.
    ///
    /// # Errors
    /// What the disk said.
    pub fn switch_provider(&mut self, provider: &str, disabled: bool) -> Result<(), StoreError> {
        let now = self.now().micros();
        self.conn()
            .prepare_cached(
                "INSERT INTO provider_controls (provider, disabled, changed_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (provider) DO UPDATE SET disabled = excluded.disabled, changed_at = excluded.changed_at",
            )?
            .execute(params![provider, i64::from(disabled), now])?;
        Ok(())
    }

    /// Sets the order of all providers; those that are not named go by the settings.
    ///
    /// # Errors
    /// What the disk said.
    pub fn order_providers(&mut self, providers: &[String]) -> Result<(), StoreError> {
        let now = self.now().micros();
        self.conn().prepare_cached("UPDATE provider_controls SET position = NULL, changed_at = ?1")?.execute([now])?;
        for (position, provider) in providers.iter().enumerate() {
            self.conn()
                .prepare_cached(
                    "INSERT INTO provider_controls (provider, position, changed_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (provider) DO UPDATE SET position = excluded.position, changed_at = excluded.changed_at",
                )?
                .execute(params![provider, i64::try_from(position).unwrap_or(i64::MAX), now])?;
        }
        Ok(())
    }
}
