UPDATE message SET text = :value ->> '$.payload.text', edits = :value ->> '$.payload.edit'
  WHERE id = :value ->> '$.payload.message_id';
