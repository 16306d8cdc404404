CREATE TABLE IF NOT EXISTS error (code TEXT PRIMARY KEY, errors INTEGER, fatal INTEGER) STRICT;
INSERT INTO error VALUES (:value ->> '$.payload.code', 1, :value ->> '$.payload.fatal')
  ON CONFLICT DO UPDATE SET errors = errors + 1, fatal = fatal + excluded.fatal;
