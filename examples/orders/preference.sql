CREATE TABLE IF NOT EXISTS preference (customer TEXT PRIMARY KEY, cuisine TEXT, notifications TEXT) STRICT;
INSERT INTO preference
  VALUES (:value ->> '$.payload.user_id', :value ->> '$.payload.cuisine', :value ->> '$.payload.notifications')
  ON CONFLICT DO UPDATE SET cuisine = excluded.cuisine, notifications = excluded.notifications;
