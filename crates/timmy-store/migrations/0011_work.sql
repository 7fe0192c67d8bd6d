-- Tasks that were made because the owner sent back what another one came to.
CREATE TABLE sent_back (
    -- The task that is to do it better.
    task_id TEXT PRIMARY KEY,
    -- The task whose work was sent back, and which of its things; null is its result.
    from_task TEXT NOT NULL,
    artifact INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_back_of ON sent_back (from_task);

-- Thoughts that the house has in the queue: the one that waits or runs, and those that are over and go after a while.
-- They come by themselves all day, so no count of what is to be done holds them.
CREATE INDEX task_thought_open ON task_queue (seq)
WHERE task_type = 'thought' AND created_by = 'system' AND status NOT IN ('completed', 'vetoed', 'failed');
CREATE INDEX task_thought_over ON task_queue (completed_at)
WHERE task_type = 'thought' AND created_by = 'system' AND status IN ('completed', 'vetoed', 'failed');

DROP TRIGGER task_counts_in;
DROP TRIGGER task_counts_out;
DROP TRIGGER task_counts_move;
CREATE TRIGGER task_counts_in AFTER INSERT ON task_queue
WHEN NOT (new.task_type = 'thought' AND new.created_by = 'system') BEGIN
    INSERT INTO task_counts VALUES (new.assigned_to, new.status, 1)
    ON CONFLICT (assigned_to, status) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER task_counts_out AFTER DELETE ON task_queue
WHEN NOT (old.task_type = 'thought' AND old.created_by = 'system') BEGIN
    UPDATE task_counts SET count = count - 1 WHERE assigned_to = old.assigned_to AND status = old.status;
END;
CREATE TRIGGER task_counts_move AFTER UPDATE OF status, assigned_to ON task_queue
WHEN (new.status <> old.status OR new.assigned_to <> old.assigned_to)
    AND NOT (new.task_type = 'thought' AND new.created_by = 'system') BEGIN
    UPDATE task_counts SET count = count - 1 WHERE assigned_to = old.assigned_to AND status = old.status;
    INSERT INTO task_counts VALUES (new.assigned_to, new.status, 1)
    ON CONFLICT (assigned_to, status) DO UPDATE SET count = count + 1;
END;

-- When the owner last answered something that a rule could answer: what he said suggests the same until then.
CREATE INDEX approvals_answered ON approvals (decided_at) WHERE shape IS NOT NULL AND decided_at IS NOT NULL;

-- What the owner does himself, by the time it is wanted: it shows, and is told once, when that time comes.
CREATE INDEX task_due ON task_queue (due)
WHERE assigned_to = 'owner' AND due IS NOT NULL AND status IN ('pending_approval', 'approved', 'running', 'paused');

-- What a rule of the owner let run although it is of middling risk, as a line for the digest.
ALTER TABLE leases ADD COLUMN note TEXT;
CREATE INDEX leases_noted ON leases (used_at) WHERE note IS NOT NULL AND used_at IS NOT NULL;
