-- Generated from migrations/ by `UPDATE_SCHEMA=1 cargo test -p timmy-store schema`. Do not edit.

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event_blocks (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    block INTEGER NOT NULL,
    severity_max INTEGER NOT NULL,
    PRIMARY KEY (kind, value, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_checkpoints (
    block INTEGER PRIMARY KEY,
    before BLOB NOT NULL CHECK (length(before) = 32),
    after BLOB NOT NULL CHECK (length(after) = 32),
    kept BLOB NOT NULL CHECK (length(kept) = 32),
    links BLOB NOT NULL,
    removed INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    key INTEGER NOT NULL REFERENCES event_keys (number),
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE TABLE event_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    timestamp INTEGER NOT NULL
, signature BLOB) STRICT;

CREATE TABLE event_keys (
    number INTEGER PRIMARY KEY,
    public BLOB NOT NULL CHECK (length(public) = 32),
    since INTEGER NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE event_log (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    event_type TEXT NOT NULL,
    source TEXT NOT NULL,
    actor TEXT NOT NULL,
    cause INTEGER,
    task_id TEXT,
    agent_id TEXT,
    severity INTEGER NOT NULL,
    data TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

CREATE TABLE messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    speaker TEXT NOT NULL,
    content TEXT NOT NULL,
    status TEXT NOT NULL,
    answers TEXT REFERENCES messages (id),
    about_thought TEXT REFERENCES thoughts (id),
    channel TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    place TEXT,
    duration_ms INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    seq INTEGER
) STRICT;

CREATE TABLE observations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder_id INTEGER NOT NULL REFERENCES watched_folders (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    detail TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    csrf TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    label TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spending (
    day TEXT NOT NULL,
    purpose TEXT NOT NULL,
    calls INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (day, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE store_meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE thoughts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    content TEXT NOT NULL,
    seed_type TEXT NOT NULL,
    seed_note TEXT NOT NULL,
    parent_id TEXT REFERENCES thoughts (id),
    created_at INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    place TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    kept INTEGER NOT NULL DEFAULT 0,
    fewer INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE tokens (
    name TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE watched_folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    scanned_at INTEGER,
    mark TEXT,
    error TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX messages_about ON messages (about_thought) WHERE about_thought IS NOT NULL;

CREATE UNIQUE INDEX messages_answers ON messages (answers) WHERE answers IS NOT NULL;

CREATE INDEX messages_open ON messages (position) WHERE status = 'open';

CREATE INDEX observations_folder ON observations (folder_id, id);

CREATE INDEX thoughts_created ON thoughts (created_at);

CREATE INDEX thoughts_fewer ON thoughts (seed_type, seq) WHERE fewer = 1;

CREATE INDEX thoughts_kept ON thoughts (seq) WHERE kept = 1;

CREATE INDEX thoughts_parent ON thoughts (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX thoughts_seed ON thoughts (seed_type, seq);
