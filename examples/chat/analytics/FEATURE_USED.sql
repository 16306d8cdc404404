CREATE TABLE IF NOT EXISTS feature (feature TEXT PRIMARY KEY, uses INTEGER) STRICT;
INSERT INTO feature VALUES (:value ->> '$.payload.feature', 1)
  ON CONFLICT DO UPDATE SET uses = uses + 1;
