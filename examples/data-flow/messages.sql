CREATE TABLE IF NOT EXISTS message (
    partition INTEGER, offset INTEGER, id TEXT, user_id TEXT, message TEXT, timestamp TEXT, consumed_at TEXT,
    consumer_service TEXT, PRIMARY KEY (partition, offset)
) STRICT;
CREATE INDEX IF NOT EXISTS message_id ON message (id);
CREATE VIEW IF NOT EXISTS stats AS
    SELECT count(*) AS messages, count(DISTINCT user_id) AS users, max(consumed_at) AS last FROM message;
INSERT INTO message VALUES (
    :partition, :offset, :value ->> 'message_id', :value ->> 'user_id', :value ->> 'message', :value ->> 'timestamp',
    :value ->> 'consumed_at', :value ->> 'consumer_service'
);
