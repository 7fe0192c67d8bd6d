-- A thought is keyed by the position of the event that reported it, so it sorts as the log does.
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

CREATE INDEX thoughts_parent ON thoughts (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX thoughts_seed ON thoughts (seed_type, seq);
CREATE INDEX thoughts_kept ON thoughts (seq) WHERE kept = 1;
CREATE INDEX thoughts_fewer ON thoughts (seed_type, seq) WHERE fewer = 1;
CREATE INDEX thoughts_created ON thoughts (created_at);
