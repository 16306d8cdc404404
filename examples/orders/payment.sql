-- An order's events have its id as their key, so they come in their order: the last word is the one that counts.
UPDATE food_order SET payment = :value ->> '$.payload.status' WHERE id = :value ->> '$.payload.order_id';
