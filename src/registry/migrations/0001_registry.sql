-- A topic that somebody asked for, and what became of it. A change of a topic is a request of its own,
-- so a row is never rewritten into something else: only its state, the decision and what Kafka said of
-- it are filled in.
CREATE TABLE request (
    seq              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    name             TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 249),
    state            TEXT NOT NULL CHECK (state IN ('PENDING', 'APPROVED', 'ACTIVE', 'INACTIVE', 'REJECTED')),
    created_by       TEXT NOT NULL CHECK (created_by <> ''),
    partitions       INTEGER NOT NULL CHECK (partitions > 0),
    replication      INTEGER NOT NULL CHECK (replication > 0),
    config           TEXT NOT NULL CHECK (json_type(config) = 'object'),
    description      TEXT,
    type             TEXT,
    requested_at     TEXT NOT NULL,
    expires_at       TEXT,

    decided_at       TEXT,
    decided_by       TEXT,
    comment          TEXT,
    -- 0 where the profile lifted the rule when it was decided.
    four_eyes        INTEGER NOT NULL DEFAULT 1 CHECK (four_eyes IN (0, 1)),

    activated_at     TEXT,
    -- 1 when the topic was in Kafka before.
    adopted          INTEGER CHECK (adopted IN (0, 1)),

    ended_at         TEXT,
    ended_by         TEXT,
    reason_code      TEXT CHECK (reason_code IN ('declined', 'cancelled', 'expired', 'deactivated', 'superseded')),
    ended_comment    TEXT,

    -- Whether Kafka agrees, beside the state.
    ready            INTEGER CHECK (ready IN (0, 1)),
    reason           TEXT CHECK (reason IN ('ResourceConflict', 'NotSupported', 'PolicyViolation', 'KafkaError')),
    message          TEXT,
    attempts         INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at  TEXT,
    observed_at      TEXT,

    -- The last resort, which knows no capitals but those of ASCII; kpipe itself knows all.
    CONSTRAINT four_eyes CHECK (four_eyes = 0 OR decided_by IS NULL OR lower(trim(decided_by)) <> lower(trim(created_by))),
    CONSTRAINT decided CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT approved CHECK (state <> 'APPROVED' OR decided_by IS NOT NULL),
    CONSTRAINT ended CHECK ((state IN ('INACTIVE', 'REJECTED')) = (ended_at IS NOT NULL)),
    CONSTRAINT reasoned CHECK ((ended_at IS NULL) = (reason_code IS NULL))
) STRICT;

-- These two decide who is first, not a look before an insert.
CREATE UNIQUE INDEX request_one_open ON request (name) WHERE state IN ('PENDING', 'APPROVED');
CREATE UNIQUE INDEX request_one_active ON request (name) WHERE state = 'ACTIVE';
CREATE INDEX request_by_state ON request (state, name);
CREATE INDEX request_by_name ON request (name, seq);
CREATE INDEX request_by_expiry ON request (expires_at) WHERE state = 'PENDING' AND expires_at IS NOT NULL;
-- Kafka takes `.` and `_` for the same in the names of metrics, and refuses the second such topic.
CREATE INDEX request_by_metric ON request (replace(name, '.', '_')) WHERE state IN ('PENDING', 'APPROVED', 'ACTIVE');

CREATE TRIGGER request_begins BEFORE INSERT ON request
WHEN NEW.state <> 'PENDING' AND NOT (NEW.state = 'ACTIVE' AND NEW.adopted = 1)
BEGIN SELECT RAISE(ABORT, 'a request begins as PENDING, or as a topic that Kafka has'); END;

CREATE TRIGGER request_moves BEFORE UPDATE OF state ON request
WHEN OLD.state <> NEW.state AND OLD.state || ' ' || NEW.state NOT IN (
    'PENDING APPROVED', 'PENDING REJECTED', 'APPROVED REJECTED', 'APPROVED ACTIVE', 'ACTIVE INACTIVE')
BEGIN SELECT RAISE(ABORT, 'a request does not move that way'); END;

-- What was approved is what was asked.
CREATE TRIGGER request_stays_as_asked
BEFORE UPDATE OF seq, id, name, created_by, partitions, replication, config, description, type, requested_at, expires_at
ON request
BEGIN SELECT RAISE(ABORT, 'a request is not changed'); END;

CREATE TRIGGER request_is_decided_once BEFORE UPDATE OF decided_at, decided_by, comment, four_eyes ON request
WHEN OLD.decided_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a request is decided once'); END;

CREATE TRIGGER request_stays BEFORE DELETE ON request
BEGIN SELECT RAISE(ABORT, 'a request is not deleted'); END;

CREATE TRIGGER request_is_not_replaced BEFORE INSERT ON request
WHEN EXISTS (SELECT 1 FROM request WHERE id = NEW.id OR seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a request is not replaced'); END;

-- One row for each request that stands: those at work, and the last word on a name.
CREATE VIEW standing AS
SELECT * FROM request
WHERE state IN ('PENDING', 'APPROVED', 'ACTIVE')
   OR NOT EXISTS (SELECT 1 FROM request AS newer WHERE newer.name = request.name AND newer.seq > request.seq);

-- Everything that happened, for ever. An actor is only a claim, so who ran kpipe stands beside it; both
-- are null where nobody did it because time had passed.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    at          TEXT NOT NULL,
    actor       TEXT,
    login       TEXT,
    uid         INTEGER,
    host        TEXT,
    action      TEXT NOT NULL,
    request_id  TEXT REFERENCES request (id),
    name        TEXT,
    from_state  TEXT,
    to_state    TEXT,
    reason_code TEXT,
    comment     TEXT,
    detail      TEXT CHECK (json_valid(detail))
) STRICT;

CREATE INDEX event_by_name ON event (name, seq);

CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

CREATE TRIGGER event_is_not_replaced BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

CREATE TABLE subscription (
    user     TEXT NOT NULL CHECK (user <> ''),
    topic    TEXT NOT NULL,
    added_at TEXT NOT NULL,
    PRIMARY KEY (user, topic)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER subscription_needs_an_active_topic BEFORE INSERT ON subscription
WHEN NOT EXISTS (SELECT 1 FROM request WHERE name = NEW.topic AND state = 'ACTIVE')
BEGIN SELECT RAISE(ABORT, 'a subscription is to an ACTIVE topic'); END;

-- Facts about the registry: the cluster it is for, and the hash of the producer key.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
