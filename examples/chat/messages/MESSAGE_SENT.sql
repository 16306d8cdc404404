INSERT INTO message
  VALUES (:value ->> '$.payload.message_id', :value ->> '$.payload.channel_id', :value ->> '$.payload.user_id',
    :value ->> '$.payload.text', 0, 0, NULL);
