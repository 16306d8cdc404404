-- That it was there stays; what it said does not.
UPDATE message SET text = NULL, deleted_by = :value ->> '$.payload.by'
  WHERE id = :value ->> '$.payload.message_id';
