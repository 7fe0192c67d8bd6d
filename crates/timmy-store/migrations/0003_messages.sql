-- The one conversation. `position` is the order of storing; `seq` is the event that reported the message.
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

CREATE INDEX messages_open ON messages (position) WHERE status = 'open';
CREATE UNIQUE INDEX messages_answers ON messages (answers) WHERE answers IS NOT NULL;
CREATE INDEX messages_about ON messages (about_thought) WHERE about_thought IS NOT NULL;
