-- Folders the owner points at, and what was seen there. Numbers are never used twice.
CREATE TABLE watched_folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    scanned_at INTEGER,
    mark TEXT,
    error TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE observations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder_id INTEGER NOT NULL REFERENCES watched_folders (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    detail TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

CREATE INDEX observations_folder ON observations (folder_id, id);
