-- What waits for the owner's word, and what became of it. Rows are never deleted. `seq` is the event that asked.
CREATE TABLE approvals (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    proposed_action TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    score INTEGER NOT NULL,
    risk TEXT NOT NULL,
    tool TEXT NOT NULL DEFAULT '',
    plan TEXT,
    plan_hash TEXT,
    shape TEXT,
    not_before INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    decided_at INTEGER,
    decided_by TEXT,
    reason TEXT
) STRICT;

-- One question at a time about one thing.
CREATE UNIQUE INDEX approvals_waiting ON approvals (subject_kind, subject_id) WHERE status = 'pending';
CREATE INDEX approvals_status ON approvals (status, seq);
CREATE INDEX approvals_subject ON approvals (subject_kind, subject_id, seq);
-- What the sweep for overdue ones reads, and nothing else.
CREATE INDEX approvals_due ON approvals (expires_at)
WHERE status = 'pending' OR (status = 'approved' AND plan_hash IS NOT NULL);
-- What suggestions of rules are made from.
CREATE INDEX approvals_shape ON approvals (created_at) WHERE shape IS NOT NULL;

-- Rules by which the owner lets things happen without being asked.
CREATE TABLE rules (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    rule TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    max_uses INTEGER NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER,
    revoked_at INTEGER,
    revoked_by TEXT
) STRICT, WITHOUT ROWID;

-- Leases: the right to carry out one plan once, for a few minutes. Only the hash of the secret is stored.
CREATE TABLE leases (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    plan_hash TEXT NOT NULL,
    approval_id TEXT,
    rule_id TEXT,
    parent BLOB,
    scopes TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX leases_approval ON leases (approval_id) WHERE approval_id IS NOT NULL;
CREATE INDEX leases_over ON leases (expires_at);
