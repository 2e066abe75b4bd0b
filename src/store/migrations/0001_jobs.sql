-- Jobs, reports, idempotency keys and the outbox of webhooks. Times are milliseconds since 1970, UTC.

CREATE TABLE jobs (
    -- Order of acceptance; a clock that is set back doesn't change it.
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE,
    -- Id of the key that it came with; empty where none was asked for.
    owner          TEXT    NOT NULL,
    lane           TEXT    NOT NULL CHECK (lane IN ('flagger', 'live', 'backfill')),
    status         TEXT    NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    -- What is to be done next: fetch the content, or score it.
    step           TEXT    NOT NULL CHECK (step IN ('fetch', 'score')),
    -- JSON, as the door that took the job understands it.
    wishes         TEXT    NOT NULL,
    client_ref     TEXT,
    callback_url   TEXT,
    url            TEXT,
    blake3         TEXT,
    bytes          INTEGER,
    attempt        INTEGER NOT NULL DEFAULT 0,
    not_before_ms  INTEGER NOT NULL,
    lease_until_ms INTEGER,
    created_ms     INTEGER NOT NULL,
    started_ms     INTEGER,
    finished_ms    INTEGER,
    report_id      TEXT,
    -- JSON of what went wrong, of the last attempt also while it is queued again.
    problem        TEXT
) STRICT;

CREATE INDEX jobs_waiting ON jobs (lane, step, seq) WHERE status = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_until_ms) WHERE status = 'running';
CREATE INDEX jobs_finished ON jobs (finished_ms) WHERE finished_ms IS NOT NULL;
CREATE INDEX jobs_report ON jobs (report_id) WHERE report_id IS NOT NULL;

-- Bytes that the uploads of unfinished jobs take.
CREATE TABLE held (
    bytes INTEGER NOT NULL
) STRICT;

INSERT INTO held VALUES (0);

CREATE TRIGGER held_more AFTER INSERT ON jobs WHEN new.bytes IS NOT NULL
BEGIN
    UPDATE held SET bytes = bytes + new.bytes;
END;

CREATE TRIGGER held_fetched AFTER UPDATE OF bytes ON jobs WHEN new.bytes IS NOT old.bytes
BEGIN
    UPDATE held SET bytes = bytes + coalesce(new.bytes, 0) - coalesce(old.bytes, 0);
END;

CREATE TRIGGER held_less AFTER UPDATE OF finished_ms ON jobs
WHEN old.finished_ms IS NULL AND new.finished_ms IS NOT NULL
BEGIN
    UPDATE held SET bytes = bytes - coalesce(new.bytes, 0);
END;

CREATE TABLE reports (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    owner      TEXT    NOT NULL,
    lane       TEXT    NOT NULL,
    -- Time of acceptance of what it answers, for the time to decision.
    asked_ms   INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT;

CREATE INDEX reports_created ON reports (created_ms);

CREATE TABLE idempotency (
    owner       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    job_id      TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

-- A job's one message. Its body is made of the job's row, which no longer changes.
CREATE TABLE outbox (
    id         TEXT    NOT NULL PRIMARY KEY,
    job_id     TEXT    NOT NULL UNIQUE,
    url        TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up')),
    tries      INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    next_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (next_ms) WHERE state = 'pending';

CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  TEXT    NOT NULL,
    job_id      TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status      INTEGER,
    error       TEXT
) STRICT;

CREATE INDEX deliveries_job ON deliveries (job_id, seq);
