-- Records as Kafka has them, and how far each group has stored them.

-- A key or a value is TEXT where it is UTF-8 without a NUL, so that key = 'u-17' and the JSON functions work, and a
-- BLOB of its bytes where it is not; NULL is null. ANY in a STRICT table keeps each as it was given.
CREATE TABLE records (
    topic          TEXT    NOT NULL,
    partition      INTEGER NOT NULL,
    offset         INTEGER NOT NULL,
    timestamp      INTEGER,                 -- milliseconds since the epoch, as consumed_at is
    timestamp_type TEXT    CHECK (timestamp_type IN ('create', 'log_append')),
    key            ANY,
    value          ANY,
    headers        TEXT    NOT NULL,        -- [{"key":"…","value":"…"}], as in the record line
    consumed_at    INTEGER NOT NULL,
    PRIMARY KEY (topic, partition, offset)  -- what makes a record be there once, whoever stores it
) STRICT;

-- Written in the transaction that stores the records before next, so that neither is there without the other.
CREATE TABLE kpipe_offsets (
    consumer_group TEXT    NOT NULL,
    topic          TEXT    NOT NULL,
    partition      INTEGER NOT NULL,
    next           INTEGER NOT NULL,        -- the first offset that is not stored
    PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;
