-- Where the run of a task stands, as one value: a process that dies goes on from here.
CREATE TABLE agent_runs (
    task_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What tasks produced: the owner reads it, rates it, and can send the task back.
CREATE TABLE artifacts (
    seq INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    -- The owner's word about it: 1 good, -1 not good.
    rating INTEGER,
    note TEXT
) STRICT;
CREATE INDEX artifacts_task ON artifacts (task_id, seq);
