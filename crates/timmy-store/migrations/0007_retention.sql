-- Retention: rows may leave the log, and what is left is still proven.

-- The public keys this log was signed with, oldest first; the last one signs. The private key lies
-- beside the file and is never in it.
CREATE TABLE event_keys (
    number INTEGER PRIMARY KEY,
    public BLOB NOT NULL CHECK (length(public) = 32),
    since INTEGER NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

-- The signature of where the log ends; NULL until the first key is there.
ALTER TABLE event_head ADD COLUMN signature BLOB;

-- One row for each block of 256 positions from which rows were removed: the hash of the row before
-- the block, of its last row, and of the last row of each run that was removed within it, so that
-- each row that is kept can still be checked against the one before it.
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

-- Blocks learn who did what, and which part of the house said so.
INSERT INTO event_blocks (kind, value, block, severity_max)
SELECT 'actor', actor, (seq - 1) / 256, max(severity) FROM event_log
WHERE seq <= (SELECT seq / 256 * 256 FROM event_head) GROUP BY 2, 3
UNION ALL
SELECT 'source', source, (seq - 1) / 256, max(severity) FROM event_log
WHERE seq <= (SELECT seq / 256 * 256 FROM event_head) GROUP BY 2, 3;
