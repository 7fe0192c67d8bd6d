//! What is known of each model of each provider, over restarts.

use rusqlite::params;
use timmy_domain::Timestamp;

use crate::row::{text, time};
use crate::{Reader, StoreError, Tx};

/// Rows that are read and kept at most.
pub const METRICS_MAX: usize = 1_000;

/// One model of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetric {
    /// Of which provider.
    pub provider: String,
    /// Which model; empty while its name is unknown.
    pub model: String,
    /// How its circuit stood, in one word.
    pub circuit: String,
    /// What circuit and speeds are made of, as JSON.
    pub known: String,
    /// Answers.
    pub answers: u64,
    /// Failures.
    pub failures: u64,
    /// When it was written.
    pub updated_at: Timestamp,
}

impl Reader<'_> {
    /// All that is known, at most [`METRICS_MAX`] rows.
    ///
    /// # Errors
    /// What the disk said.
    pub fn provider_metrics(&self) -> Result<Vec<ProviderMetric>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT provider, model, circuit, known, answers, failures, updated_at FROM provider_metrics
             ORDER BY updated_at DESC LIMIT ?1",
        )?;
        let rows = statement.query_map(params![METRICS_MAX as i64], |row| {
            let count = |at| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
            Ok(ProviderMetric {
                provider: text(row, 0)?,
                model: text(row, 1)?,
                circuit: text(row, 2)?,
                known: text(row, 3)?,
                answers: count(4)?,
                failures: count(5)?,
                updated_at: time(row, 6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Stores what is known of a model, in place of what was known. Rows beyond [`METRICS_MAX`] go, the oldest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn set_provider_metric(&mut self, metric: &ProviderMetric) -> Result<(), StoreError> {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let m = metric;
        self.conn()
            .prepare_cached(
                "INSERT INTO provider_metrics (provider, model, circuit, known, answers, failures, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (provider, model) DO UPDATE SET circuit = excluded.circuit, known = excluded.known,
                     answers = excluded.answers, failures = excluded.failures, updated_at = excluded.updated_at",
            )?
            .execute(params![
                m.provider,
                m.model,
                m.circuit,
                m.known,
                count(m.answers),
                count(m.failures),
                m.updated_at.micros()
            ])?;
        self.conn()
            .prepare_cached(
                "DELETE FROM provider_metrics WHERE (provider, model) IN (
                     SELECT provider, model FROM provider_metrics ORDER BY updated_at DESC LIMIT -1 OFFSET ?1)",
            )?
            .execute(params![METRICS_MAX as i64])?;
        Ok(())
    }
}
