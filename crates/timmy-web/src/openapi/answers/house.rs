//! What Timmy is, how his parts are, and how a call is refused.

use utoipa::ToSchema;

use super::mind::{Provider, Providers};
use crate::openapi::words::{Moment, Position, Seed, State};

/// A refusal: what happened and what to do about it.
#[derive(ToSchema)]
pub struct Refused {
    /// The refusal.
    error: Why,
}

/// What happened and what to do about it.
#[derive(ToSchema)]
pub struct Why {
    /// A stable word for programs.
    #[schema(pattern = "^[a-z_]+$", examples("unknown"))]
    code: String,
    /// What happened, in one sentence.
    message: String,
    /// What can be done about it, in one sentence.
    hint: String,
    /// The kind of refusal in OpenAI's words; only below `/v1`.
    #[schema(examples("invalid_request_error"))]
    r#type: Option<String>,
    /// Which field is at fault in OpenAI's words; only below `/v1`, and `null` where that is not known.
    param: Option<String>,
}

/// A word for watchdogs.
#[derive(ToSchema)]
pub struct Alive {
    /// `ok`.
    #[schema(pattern = "^ok$")]
    status: String,
}

/// A word for watchdogs.
#[derive(ToSchema)]
pub struct Ready {
    /// `ready`.
    #[schema(pattern = "^ready$")]
    status: String,
}

/// What everybody may know.
#[derive(ToSchema)]
pub struct Greeting {
    /// `ok`, or `degraded` when writing has stopped.
    #[schema(pattern = "^(ok|degraded)$")]
    status: String,
    /// The version of the binary.
    version: String,
    /// Seconds since the start.
    uptime_seconds: u64,
}

/// What Timmy is and does now.
#[derive(ToSchema)]
pub struct Status {
    /// The state in one word.
    state: State,
    /// The state as people read it.
    word: String,
    /// What he does, in one sentence.
    act: String,
    /// What only the owner can settle.
    waiting: Vec<Waiting>,
    /// What the thinking loop does.
    thinking: Doing,
    /// Answers in the making.
    answering: u64,
    /// The providers of models.
    providers: Providers,
    /// The newest event.
    last_seq: Position,
    /// The version of the binary.
    version: String,
    /// Seconds since the start.
    uptime_seconds: u64,
}

/// Something only the owner can settle.
#[derive(ToSchema)]
pub struct Waiting {
    /// What, in one line.
    title: String,
    /// Why, and what the owner can do.
    detail: String,
    /// The page where it is settled.
    href: String,
    /// The verb on the button.
    act: String,
}

/// What the thinking loop does: `resting` tells `until` and `why`, `thinking` tells `seed_type`, `note` and `since`.
#[derive(ToSchema)]
pub struct Doing {
    /// `resting` or `thinking`.
    #[schema(pattern = "^(resting|thinking)$")]
    doing: String,
    /// Until when he rests; `null` when only the owner ends it.
    until: Option<Moment>,
    /// Why he rests.
    why: Option<String>,
    /// What the thought in the making grows from.
    seed_type: Option<Seed>,
    /// What exactly the seed is.
    note: Option<String>,
    /// Since when he makes it.
    since: Option<Moment>,
}

/// How every part of the house is.
#[derive(ToSchema)]
pub struct Health {
    /// The parts.
    parts: Vec<Part>,
    /// The providers of models.
    providers: Vec<Provider>,
    /// The watched folders.
    folders: Vec<Folder>,
    /// Why writing has stopped; `null` when it has not.
    #[schema(required)]
    writes_stopped: Option<String>,
    /// The database.
    store: Store,
    /// The machine.
    machine: Machine,
    /// What Timmy lives on: use, saturation, faults.
    resources: Vec<Resource>,
    /// What is done regularly, and what became of it last.
    routines: Vec<Routine>,
    /// The fence around child processes.
    sandbox: Sandbox,
    /// What is wrong with the folders granted to tools; empty when nothing is.
    tool_folders: Vec<ToolFolder>,
    /// The servers of tools.
    tool_servers: Vec<ToolServer>,
    /// The collector that gets traces; `null` when none does.
    #[schema(required)]
    telemetry: Option<String>,
    /// The home folder.
    home: String,
    /// The version of the binary.
    version: String,
    /// Seconds since the start.
    uptime_seconds: u64,
}

/// A folder granted to tools that is not as it should be.
#[derive(ToSchema)]
pub struct ToolFolder {
    /// What is wrong, as a word that stays.
    code: String,
    /// The same in words.
    message: String,
    /// What helps.
    hint: String,
}

/// A server of tools.
#[derive(ToSchema)]
pub struct ToolServer {
    /// Its name.
    name: String,
    /// Its program or host.
    place: String,
    /// How it stands.
    #[schema(pattern = "^(connecting|connected|failing)$")]
    state: String,
    /// How many tools it offers.
    tools: u64,
    /// The same in words, with the reason where it fails.
    words: String,
}

/// One part of the house as it reports itself.
#[derive(ToSchema)]
pub struct Part {
    /// Its name.
    #[schema(examples("mind.thinking"))]
    name: String,
    /// What kind it is.
    #[schema(pattern = "^(component|reconciler|reactor)$")]
    kind: String,
    /// How it is.
    #[schema(pattern = "^(running|restarting|stopped)$")]
    state: String,
    /// When it starts again, of a part that failed.
    at: Option<Moment>,
    /// Why it failed, of a part that did.
    why: Option<String>,
    /// Since when it is so.
    since: Moment,
    /// When it last did something.
    #[schema(required)]
    ran_at: Option<Moment>,
    /// What it last said.
    note: String,
    /// Whether that is a complaint.
    troubled: bool,
    /// How often it was started again.
    restarts: u64,
    /// How often it ran; 0 for what runs all the time.
    runs: u64,
    /// How long the last run took, in microseconds.
    #[schema(required)]
    took_micros: Option<u64>,
    /// When it runs again by itself.
    #[schema(required)]
    next_at: Option<Moment>,
    /// When it last failed or complained.
    #[schema(required)]
    failed_at: Option<Moment>,
}

/// The fence around child processes, as it was measured on this machine.
#[derive(ToSchema)]
pub struct Sandbox {
    /// How strong it is: T3 has namespaces, Landlock and seccomp, T2 the latter two, T1 limits on resources only.
    #[schema(pattern = "^T[123]$")]
    tier: String,
    /// What it does not hold, one sentence each.
    missing: Vec<String>,
    /// What helps; empty where nothing is missing.
    hint: String,
}

/// The database.
#[derive(ToSchema)]
pub struct Store {
    /// Where it lies.
    path: String,
    /// Its bytes.
    file_bytes: u64,
    /// Bytes of its journal.
    wal_bytes: u64,
    /// The number of its last migration.
    schema_version: u64,
    /// Writes that wait.
    writer_queue: u64,
    /// Groups of writes that were committed.
    batches: u64,
    /// Events that were written.
    rows: u64,
    /// How long the last commit took, in microseconds.
    last_commit_micros: u64,
    /// The newest event.
    last_seq: Position,
    /// Connections that read.
    readers: u64,
}

/// The machine. What it does not tell is `null`.
#[derive(ToSchema)]
pub struct Machine {
    /// Processes waiting or running, as means over 1, 5 and 15 minutes.
    #[schema(required)]
    load: Option<Vec<f64>>,
    /// Processors this process may use.
    #[schema(required)]
    cores: Option<u64>,
    /// Memory of this process.
    #[schema(required)]
    process_bytes: Option<u64>,
    /// Memory of the machine.
    #[schema(required)]
    memory_total_bytes: Option<u64>,
    /// Memory that can be had without swapping.
    #[schema(required)]
    memory_available_bytes: Option<u64>,
    /// Size of the disk that holds the home.
    #[schema(required)]
    disk_total_bytes: Option<u64>,
    /// What may still be written to it.
    #[schema(required)]
    disk_free_bytes: Option<u64>,
}

/// Something Timmy lives on.
#[derive(ToSchema)]
pub struct Resource {
    /// Its name.
    #[schema(examples("Disk"))]
    name: String,
    /// How it is.
    #[schema(pattern = "^(well|tight|failing|silent)$")]
    grade: String,
    /// How much of it is in use, in words; empty when the system does not tell.
    used: String,
    /// How much is in use and how much there is, in the same unit.
    #[schema(required, min_items = 2, max_items = 2)]
    share: Option<Vec<u64>>,
    /// What waits for it, in words; empty when that has no meaning.
    waits: String,
    /// What went wrong with it since the start, in words; empty when that has no meaning.
    faults: String,
}

/// Something that is done regularly.
#[derive(ToSchema)]
pub struct Routine {
    /// What.
    name: String,
    /// Whether it is switched on.
    enabled: bool,
    /// Whether it went well the last time; `null` when it never happened.
    #[schema(required)]
    ok: Option<bool>,
    /// When that was.
    #[schema(required)]
    at: Option<Moment>,
    /// The event that tells it.
    #[schema(required)]
    seq: Option<Position>,
    /// What came of it, in words.
    result: String,
}

/// A folder Timmy looks at.
#[derive(ToSchema)]
pub struct Folder {
    /// Its number.
    id: i64,
    /// Its whole path.
    path: String,
    /// The last part of the path.
    name: String,
    /// When it was added.
    added_at: Moment,
    /// When it was last looked at.
    #[schema(required)]
    scanned_at: Option<Moment>,
    /// Where the last look ended; for Timmy alone.
    #[schema(required)]
    mark: Option<String>,
    /// Why the last look failed; empty when it did not.
    error: String,
}

/// Whether the log is whole.
#[derive(ToSchema)]
pub struct Verified {
    /// Whether it is.
    ok: bool,
    /// Events that were looked at.
    rows: u64,
    /// Events that retention removed.
    removed: u64,
    /// Signed checkpoints that speak for them.
    checkpoints: u64,
    /// The keys that signed, oldest first.
    keys: Vec<SigningKey>,
    /// The newest event that was looked at.
    last_seq: Position,
    /// The first that does not fit into the chain.
    #[schema(required)]
    first_bad: Option<Misfit>,
}

/// A key that signed checkpoints of the log.
#[derive(ToSchema)]
pub struct SigningKey {
    /// The first 16 digits of its hash.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    id: String,
    /// The first position it signed.
    since: Position,
}

/// An event that does not fit into the chain.
#[derive(ToSchema)]
pub struct Misfit {
    /// Its position.
    seq: Position,
    /// What is wrong with it.
    why: String,
}
