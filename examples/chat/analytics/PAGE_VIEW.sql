CREATE TABLE IF NOT EXISTS page (path TEXT PRIMARY KEY, views INTEGER) STRICT;
INSERT INTO page VALUES (:value ->> '$.payload.path', 1)
  ON CONFLICT DO UPDATE SET views = views + 1;
