-- Generated from migrations/ by `UPDATE_SCHEMA=1 cargo test -p timmy-store schema`. Do not edit.

CREATE TABLE agent_model_assignments (
    agent_id TEXT PRIMARY KEY,
    model_name TEXT NOT NULL REFERENCES custom_models (name) ON DELETE CASCADE,
    assigned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_runs (
    task_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE custom_models (
    name TEXT PRIMARY KEY,
    -- gguf, safetensors, hf or ollama
    format TEXT NOT NULL,
    -- Empty for a model of an Ollama server.
    path TEXT NOT NULL,
    -- general, reward, teacher or judge
    role TEXT NOT NULL,
    context_window INTEGER NOT NULL DEFAULT 4096,
    description TEXT NOT NULL DEFAULT '',
    registered_at INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 1,
    default_temperature REAL NOT NULL DEFAULT 0.7,
    max_tokens INTEGER NOT NULL DEFAULT 2048,
    bytes INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE egress (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- The day of it in UTC, YYYY-MM-DD.
    day TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    host TEXT NOT NULL,
    why TEXT NOT NULL,
    task_id TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL,
    -- In millionths of a dollar. What is reserved counts until it is settled.
    reserved_micros INTEGER NOT NULL DEFAULT 0,
    cost_micros INTEGER,
    -- open, answered or failed
    state TEXT NOT NULL DEFAULT 'open'
) STRICT;

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
, note TEXT) STRICT, WITHOUT ROWID;

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

CREATE TABLE provider_controls (
    provider TEXT PRIMARY KEY,
    disabled INTEGER NOT NULL DEFAULT 0,
    -- Its place in the order, from 0; NULL for that of the settings.
    position INTEGER,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE provider_metrics (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    -- closed, open or half_open
    circuit TEXT NOT NULL,
    -- What the circuit and the speeds are made of, as JSON.
    known TEXT NOT NULL,
    answers INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE sent_back (
    -- The task that is to do it better.
    task_id TEXT PRIMARY KEY,
    -- The task whose work was sent back, and which of its things; null is its result.
    from_task TEXT NOT NULL,
    artifact INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE task_counts (
    assigned_to TEXT NOT NULL,
    status TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (assigned_to, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_needs (
    needed TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (needed, seq)
) STRICT, WITHOUT ROWID;

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
, model_tokens_per_day INTEGER) STRICT, WITHOUT ROWID;

CREATE TABLE watched_folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    scanned_at INTEGER,
    mark TEXT,
    error TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX approvals_answered ON approvals (decided_at) WHERE shape IS NOT NULL AND decided_at IS NOT NULL;

CREATE INDEX approvals_due ON approvals (expires_at)
WHERE status = 'pending' OR (status = 'approved' AND plan_hash IS NOT NULL);

CREATE INDEX approvals_shape ON approvals (created_at) WHERE shape IS NOT NULL;

CREATE INDEX approvals_status ON approvals (status, seq);

CREATE INDEX approvals_subject ON approvals (subject_kind, subject_id, seq);

CREATE UNIQUE INDEX approvals_waiting ON approvals (subject_kind, subject_id) WHERE status = 'pending';

CREATE INDEX artifacts_task ON artifacts (task_id, seq);

CREATE INDEX egress_day ON egress (day, provider);

CREATE INDEX egress_task ON egress (task_id) WHERE task_id <> '';

CREATE INDEX leases_approval ON leases (approval_id) WHERE approval_id IS NOT NULL;

CREATE INDEX leases_noted ON leases (used_at) WHERE note IS NOT NULL AND used_at IS NOT NULL;

CREATE INDEX leases_over ON leases (expires_at);

CREATE INDEX messages_about ON messages (about_thought) WHERE about_thought IS NOT NULL;

CREATE UNIQUE INDEX messages_answers ON messages (answers) WHERE answers IS NOT NULL;

CREATE INDEX messages_open ON messages (position) WHERE status = 'open';

CREATE INDEX observations_folder ON observations (folder_id, id);

CREATE INDEX sent_back_of ON sent_back (from_task);

CREATE INDEX task_agent ON task_queue (assigned_to, seq);

CREATE INDEX task_due ON task_queue (due)
WHERE assigned_to = 'owner' AND due IS NOT NULL AND status IN ('pending_approval', 'approved', 'running', 'paused');

CREATE INDEX task_kind ON task_queue (assigned_to, task_type, rank, position, seq)
WHERE status = 'approved' AND unmet = 0 AND waits = 0 AND priority IN ('urgent', 'high', 'normal', 'low');

CREATE INDEX task_lease ON task_queue (lease_until) WHERE lease_until IS NOT NULL;

CREATE UNIQUE INDEX task_once ON task_queue (created_by, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX task_order ON task_queue (status, rank, position, seq);

CREATE INDEX task_own ON task_queue (created_by)
WHERE created_by <> 'owner' AND status NOT IN ('completed', 'vetoed', 'failed');

CREATE INDEX task_parent ON task_queue (parent_task_id, seq) WHERE parent_task_id IS NOT NULL;

CREATE INDEX task_priority ON task_queue (rank, seq);

CREATE INDEX task_status ON task_queue (status, seq);

CREATE INDEX task_status_agent ON task_queue (status, assigned_to, seq);

CREATE INDEX task_status_priority ON task_queue (status, rank, seq);

CREATE INDEX task_thought_open ON task_queue (seq)
WHERE task_type = 'thought' AND created_by = 'system' AND status NOT IN ('completed', 'vetoed', 'failed');

CREATE INDEX task_thought_over ON task_queue (completed_at)
WHERE task_type = 'thought' AND created_by = 'system' AND status IN ('completed', 'vetoed', 'failed');

CREATE INDEX task_turn ON task_queue (assigned_to, rank, position, seq)
WHERE status = 'approved' AND unmet = 0 AND waits = 0 AND priority IN ('urgent', 'high', 'normal', 'low');

CREATE INDEX task_wake ON task_queue (not_before) WHERE waits = 1;

CREATE INDEX thoughts_created ON thoughts (created_at);

CREATE INDEX thoughts_fewer ON thoughts (seed_type, seq) WHERE fewer = 1;

CREATE INDEX thoughts_kept ON thoughts (seq) WHERE kept = 1;

CREATE INDEX thoughts_parent ON thoughts (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX thoughts_seed ON thoughts (seed_type, seq);

CREATE TRIGGER task_counts_in AFTER INSERT ON task_queue
WHEN NOT (new.task_type = 'thought' AND new.created_by = 'system') BEGIN
    INSERT INTO task_counts VALUES (new.assigned_to, new.status, 1)
    ON CONFLICT (assigned_to, status) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER task_counts_move AFTER UPDATE OF status, assigned_to ON task_queue
WHEN (new.status <> old.status OR new.assigned_to <> old.assigned_to)
    AND NOT (new.task_type = 'thought' AND new.created_by = 'system') BEGIN
    UPDATE task_counts SET count = count - 1 WHERE assigned_to = old.assigned_to AND status = old.status;
    INSERT INTO task_counts VALUES (new.assigned_to, new.status, 1)
    ON CONFLICT (assigned_to, status) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER task_counts_out AFTER DELETE ON task_queue
WHEN NOT (old.task_type = 'thought' AND old.created_by = 'system') BEGIN
    UPDATE task_counts SET count = count - 1 WHERE assigned_to = old.assigned_to AND status = old.status;
END;
