-- The log, its head, its projection, and the cursors of those who follow it.
PRAGMA application_id = 1416195449;

CREATE TABLE store_meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- No index on event_log: what pages ask for is found through event_blocks. Measured on two busy
-- cores with `cargo bench -p timmy-store --bench append -- 300000` (4 producers with 256 calls of one
-- event outstanding, best of five, durable events a second; differences under a tenth are noise):
--   no index                          251,000    with cause and agent in every event  233,000
--   partial on cause, task, agent     279,000    with cause and agent in every event  169,000
--   plain on event_type               210,000
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

CREATE TABLE event_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    timestamp INTEGER NOT NULL
) STRICT;
INSERT INTO event_head (one, seq, hash, timestamp) VALUES (1, 0, zeroblob(32), 0);

-- Which types, agents and tasks occur in which block of 256 positions, and which blocks hold
-- effects of events in which block (kind `cause`, value = number of the causes' block).
-- Written once per full block, so that event_log needs no index of its own.
CREATE TABLE event_blocks (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    block INTEGER NOT NULL,
    severity_max INTEGER NOT NULL,
    PRIMARY KEY (kind, value, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
