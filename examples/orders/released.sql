-- By payment, so that a compensation that comes twice counts once.
CREATE TABLE IF NOT EXISTS released (payment_id TEXT PRIMARY KEY, order_id TEXT) STRICT;
INSERT INTO released VALUES (:value ->> '$.payload.payment_id', :value ->> '$.payload.order_id') ON CONFLICT DO NOTHING;
