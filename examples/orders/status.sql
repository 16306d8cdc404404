UPDATE food_order SET status = :value ->> '$.payload.status' WHERE id = :value ->> '$.payload.order_id';
