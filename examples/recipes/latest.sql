-- The latest value of each key, as log compaction would keep it; a null value removes its key.
CREATE TABLE IF NOT EXISTS latest (key TEXT PRIMARY KEY, value TEXT, timestamp INTEGER) STRICT;

INSERT INTO latest VALUES (:key, :value, :timestamp)
  ON CONFLICT DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp;
DELETE FROM latest WHERE key = :key AND value IS NULL;
