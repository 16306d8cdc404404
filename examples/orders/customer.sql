-- A read model that nobody thought of when the first orders came: what each customer has ordered.
CREATE TABLE IF NOT EXISTS customer (id TEXT, currency TEXT, orders INTEGER, total_minor INTEGER, PRIMARY KEY (id, currency)) STRICT;
INSERT INTO customer
  VALUES (:value ->> '$.payload.user_id', :value ->> '$.payload.currency', 1, :value ->> '$.payload.total_minor')
  ON CONFLICT DO UPDATE SET orders = orders + 1, total_minor = total_minor + excluded.total_minor;
