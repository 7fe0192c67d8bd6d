-- The queue of tasks. `seq` is the event of a task's making. `rank` is the place of its priority, `unmet` how many of
-- the tasks it needs are not completed, `waits` whether `not_before` still lies ahead.
CREATE TABLE task_queue (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    task_type TEXT NOT NULL,
    assigned_to TEXT NOT NULL,
    created_by TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    rank INTEGER NOT NULL,
    requires_approval INTEGER NOT NULL,
    auto_approve INTEGER NOT NULL,
    approved_at INTEGER,
    parent_task_id TEXT,
    result TEXT,
    steps TEXT NOT NULL,
    position INTEGER NOT NULL,
    due INTEGER,
    backlog_reason TEXT,
    attempts INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    lease_holder TEXT,
    lease_until INTEGER,
    time_limit_seconds INTEGER NOT NULL,
    idempotency_key TEXT,
    needs TEXT NOT NULL,
    unmet INTEGER NOT NULL,
    not_before INTEGER,
    waits INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX task_once ON task_queue (created_by, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- Whose turn it is, of all kinds and of each kind: only what this version can begin stands in them.
CREATE INDEX task_turn ON task_queue (assigned_to, rank, position, seq)
WHERE status = 'approved' AND unmet = 0 AND waits = 0 AND priority IN ('urgent', 'high', 'normal', 'low');
CREATE INDEX task_kind ON task_queue (assigned_to, task_type, rank, position, seq)
WHERE status = 'approved' AND unmet = 0 AND waits = 0 AND priority IN ('urgent', 'high', 'normal', 'low');
CREATE INDEX task_wake ON task_queue (not_before) WHERE waits = 1;
CREATE INDEX task_status ON task_queue (status, seq);
CREATE INDEX task_order ON task_queue (status, rank, position, seq);
CREATE INDEX task_agent ON task_queue (assigned_to, seq);
CREATE INDEX task_priority ON task_queue (rank, seq);
CREATE INDEX task_status_priority ON task_queue (status, rank, seq);
CREATE INDEX task_status_agent ON task_queue (status, assigned_to, seq);
-- What others than the owner made and is not over.
CREATE INDEX task_own ON task_queue (created_by)
WHERE created_by <> 'owner' AND status NOT IN ('completed', 'vetoed', 'failed');
CREATE INDEX task_lease ON task_queue (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX task_parent ON task_queue (parent_task_id, seq) WHERE parent_task_id IS NOT NULL;

-- Which tasks wait for which.
CREATE TABLE task_needs (
    needed TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (needed, seq)
) STRICT, WITHOUT ROWID;

-- How many tasks stand where; kept by the triggers, since counting a large queue takes longer than a page may.
CREATE TABLE task_counts (
    assigned_to TEXT NOT NULL,
    status TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (assigned_to, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER task_counts_in AFTER INSERT ON task_queue BEGIN
    INSERT INTO task_counts VALUES (new.assigned_to, new.status, 1)
    ON CONFLICT (assigned_to, status) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER task_counts_out AFTER DELETE ON task_queue BEGIN
    UPDATE task_counts SET count = count - 1 WHERE assigned_to = old.assigned_to AND status = old.status;
END;
CREATE TRIGGER task_counts_move AFTER UPDATE OF status, assigned_to ON task_queue
WHEN new.status <> old.status OR new.assigned_to <> old.assigned_to BEGIN
    UPDATE task_counts SET count = count - 1 WHERE assigned_to = old.assigned_to AND status = old.status;
    INSERT INTO task_counts VALUES (new.assigned_to, new.status, 1)
    ON CONFLICT (assigned_to, status) DO UPDATE SET count = count + 1;
END;
