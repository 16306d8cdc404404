UPDATE message SET reactions = reactions + 1
  WHERE id = :value ->> '$.payload.message_id';
