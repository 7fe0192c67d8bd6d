//! The backups as Settings shows them: what lies there, whether a restore would work, what is being made.

use askama::Template;
use timmy_core::backup::{Lying, Making};
use timmy_domain::Record;

use super::{Clock, State, When, icon, words};

/// Backups that are listed; the folder holds all.
const LISTED_MAX: usize = 8;

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupView {
    /// Its file name.
    pub file: String,
    /// When it was made.
    pub made: When,
    /// How large it is, what is in it, and who made it.
    pub sub: String,
}

/// What the last check of a backup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillView {
    /// Whole, or failed.
    pub state: State,
    /// When.
    pub at: When,
    /// The event that tells it.
    pub seq: i64,
}

/// The backups. As a fragment: `GET /settings/backups`.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/backups.html")]
pub struct BackupsPart {
    /// The newest ones.
    pub listed: Vec<BackupView>,
    /// How many more lie there.
    pub more: usize,
    /// Where they lie.
    pub folder: String,
    /// The last check.
    pub drill: Option<DrillView>,
    /// What is being made, in words; empty when nothing is.
    pub making: String,
    /// When one is made by itself, in words.
    pub nightly: String,
}

impl BackupsPart {
    /// The backups as they lie.
    #[must_use]
    pub fn of(
        lying: &[Lying],
        drill: Option<&Record>,
        making: Option<&Making>,
        (folder, nightly): (String, String),
        clock: &Clock,
    ) -> Self {
        let view = |one: &Lying| {
            let by = if one.nightly { "made by itself" } else { "made by you" };
            let what = if one.area == "home" { "everything" } else { one.area.as_str() };
            let sub = format!("{}, {what}, {by}", words::bytes(one.bytes));
            BackupView { file: one.file.clone(), made: clock.ago(one.created_at), sub }
        };
        let checked = |record: &Record| {
            let state = if record.name == "backup.drilled" {
                State::well("A restore would work")
            } else {
                State::failed("A restore would fail")
            };
            DrillView { state, at: clock.ago(record.at), seq: record.seq }
        };
        let step = |m: &Making| {
            format!(
                "A backup is being made: {}, {} of {}",
                m.step,
                words::bytes(m.done_bytes),
                words::bytes(m.total_bytes)
            )
        };
        Self {
            listed: lying.iter().take(LISTED_MAX).map(view).collect(),
            more: lying.len().saturating_sub(LISTED_MAX),
            folder,
            drill: drill.map(checked),
            making: making.map(step).unwrap_or_default(),
            nightly,
        }
    }
}
