-- What is known of each model of each provider, so that a restart forgets neither a rest nor a speed.
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

-- What the owner decided about a provider beyond the settings.
CREATE TABLE provider_controls (
    provider TEXT PRIMARY KEY,
    disabled INTEGER NOT NULL DEFAULT 0,
    -- Its place in the order, from 0; NULL for that of the settings.
    position INTEGER,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What left this machine for a model: when, to which host, what for, how much. Never what.
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
CREATE INDEX egress_day ON egress (day, provider);
CREATE INDEX egress_task ON egress (task_id) WHERE task_id <> '';

-- The models the owner registered. An inactive one stays here, and stays inactive over a restart.
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

-- Which model an agent works with.
CREATE TABLE agent_model_assignments (
    agent_id TEXT PRIMARY KEY,
    model_name TEXT NOT NULL REFERENCES custom_models (name) ON DELETE CASCADE,
    assigned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a token may ask of the models: tokens read and written in one day (UTC); NULL for no bound of its own.
ALTER TABLE tokens ADD COLUMN model_tokens_per_day INTEGER;
