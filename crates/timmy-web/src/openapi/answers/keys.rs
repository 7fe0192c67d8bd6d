//! Keys to the house, settings and backups.

use utoipa::ToSchema;

use crate::openapi::words::{Moment, Position, Scope};

/// A one-time code for a browser.
#[derive(ToSchema)]
pub struct LoginCode {
    /// The code.
    code: String,
    /// A link that carries it in its fragment, which no server sees.
    url: String,
    /// How long it is good.
    expires_in_seconds: u64,
}

/// Whether there is a password.
#[derive(ToSchema)]
pub struct PasswordState {
    /// Whether there is.
    set: bool,
    /// Sessions that ended with the change.
    sessions_ended: Option<u64>,
}

/// A browser that is logged in.
#[derive(ToSchema)]
pub struct Session {
    /// What it is called. It opens nothing.
    #[schema(examples("5f0c1b9a72de"))]
    id: String,
    /// Which browser on which system, as far as it said so.
    #[schema(examples("Firefox on Linux"))]
    browser: String,
    /// When it began.
    created_at: Moment,
    /// When it was last used; a use is noted once an hour.
    seen_at: Moment,
    /// When it ends by itself.
    expires_at: Moment,
    /// Whether it is that of whoever asks.
    own: bool,
}

/// Sessions that ended.
#[derive(ToSchema)]
pub struct SessionsEnded {
    /// How many.
    sessions_ended: u64,
}

/// A token, without its secret.
#[derive(ToSchema)]
pub struct Token {
    /// Its name.
    name: String,
    /// What it may do.
    scope: Scope,
    /// When it was made.
    created_at: Moment,
    /// When it was last shown.
    #[schema(required)]
    used_at: Option<Moment>,
    /// How many tokens of models may be spent by it in a day; `null` for no bound of its own.
    #[schema(required)]
    model_tokens_per_day: Option<u64>,
}

/// A token that was made.
#[derive(ToSchema)]
pub struct NewToken {
    /// Its name.
    name: String,
    /// What it may do.
    scope: Scope,
    /// The secret, which is in this answer and nowhere else.
    token: String,
}

/// A token that is no longer good.
#[derive(ToSchema)]
pub struct Revoked {
    /// Its name.
    name: String,
    /// `true`.
    revoked: bool,
}

/// One setting. A value stands as it would in the file; of a secret only whether it is set.
#[derive(ToSchema)]
pub struct Setting {
    /// Section and key.
    #[schema(examples("thinking.interval_seconds"))]
    key: String,
    /// The value of this run.
    value: String,
    /// The value at the next start.
    next: String,
    /// The default.
    default: String,
    /// Who decides about it.
    source: String,
    /// Whether it can be changed here.
    editable: bool,
    /// What it does.
    doc: String,
}

/// The backups that lie in the home, newest first.
#[derive(ToSchema)]
pub struct Backups {
    /// The backups.
    items: Vec<Backup>,
    /// Always `null`: the list is whole.
    #[schema(required)]
    next: Option<Position>,
    /// Where they lie.
    folder: String,
    /// The one in the making.
    #[schema(required)]
    making: Option<Making>,
    /// How the last drill went.
    #[schema(required)]
    last_drill: Option<Drill>,
}

/// A backup that lies in the home.
#[derive(ToSchema)]
pub struct Backup {
    /// Its file name.
    file: String,
    /// Where it lies.
    path: String,
    /// Its bytes.
    bytes: u64,
    /// When it was made, to the minute.
    created_at: Moment,
    /// What is in it: `home`, or an area.
    area: String,
    /// Whether Timmy made it by himself.
    nightly: bool,
}

/// A backup in the making.
#[derive(ToSchema)]
pub struct Making {
    /// What is done.
    #[schema(examples("copying"))]
    step: String,
    /// Bytes that are done in this step.
    done_bytes: u64,
    /// Bytes of this step.
    total_bytes: u64,
    /// Since when it is made.
    since: Moment,
}

/// How a drill went.
#[derive(ToSchema)]
pub struct Drill {
    /// Whether the backup was whole.
    whole: bool,
    /// When.
    at: Moment,
    /// The event that tells of it.
    seq: Position,
    /// The file that was tried.
    #[schema(required)]
    file: Option<String>,
    /// What was wrong with it.
    #[schema(required)]
    finding: Option<String>,
}

/// A backup that was made.
#[derive(ToSchema)]
pub struct MadeBackup {
    /// Its file name.
    file: String,
    /// Where it lies.
    path: String,
    /// Its bytes.
    bytes: u64,
    /// What is in it.
    areas: Vec<String>,
    /// The last event in it.
    last_seq: i64,
    /// What could not be taken along.
    left_out: Vec<String>,
    /// Whether it was checked as a restore would, and is whole.
    drilled: bool,
}
