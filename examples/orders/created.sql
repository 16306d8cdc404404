CREATE TABLE IF NOT EXISTS food_order
  (id TEXT PRIMARY KEY, customer TEXT, restaurant TEXT, total_minor INTEGER, currency TEXT, payment TEXT, status TEXT) STRICT;
INSERT INTO food_order
  SELECT payload ->> 'order_id', payload ->> 'user_id', payload ->> 'restaurant_id', payload ->> 'total_minor',
         payload ->> 'currency', NULL, 'CREATED'
  FROM (SELECT :value -> 'payload' AS payload) WHERE true
  ON CONFLICT DO NOTHING;
