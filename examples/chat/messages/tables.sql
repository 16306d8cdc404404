-- The state of messages, which follows from their events alone.
CREATE TABLE IF NOT EXISTS message (
  id TEXT PRIMARY KEY, channel TEXT, user TEXT, text TEXT, edits INTEGER, reactions INTEGER, deleted_by TEXT
) STRICT;
