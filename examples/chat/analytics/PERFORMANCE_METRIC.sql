CREATE TABLE IF NOT EXISTS metric (metric TEXT PRIMARY KEY, unit TEXT, count INTEGER, total REAL, highest REAL) STRICT;
INSERT INTO metric
  SELECT :value ->> '$.payload.metric', :value ->> '$.payload.unit', 1, :value ->> '$.payload.value', :value ->> '$.payload.value'
  WHERE true
  ON CONFLICT DO UPDATE SET count = count + 1, total = total + excluded.total, highest = max(highest, excluded.highest);
