-- Batches: many jobs from one manifest, which lies in a file until all its lines are jobs.

CREATE TABLE batches (
    -- Order of acceptance.
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    -- Id of the key that it came with; empty where none was asked for.
    owner        TEXT    NOT NULL,
    client_ref   TEXT,
    -- Of the manifest.
    blake3       TEXT    NOT NULL,
    bytes        INTEGER NOT NULL,
    lines        INTEGER NOT NULL,
    -- How far the manifest has become jobs.
    fed_bytes    INTEGER NOT NULL DEFAULT 0,
    fed_lines    INTEGER NOT NULL DEFAULT 0,
    -- Lines that are over.
    done         INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0,
    cancelled    INTEGER NOT NULL DEFAULT 0,
    created_ms   INTEGER NOT NULL,
    -- When the first attempt at one of its jobs began.
    started_ms   INTEGER,
    cancelled_ms INTEGER,
    finished_ms  INTEGER,
    -- JSON of why the rest of the manifest could not become jobs.
    problem      TEXT
) STRICT;

CREATE INDEX batches_open ON batches (owner) WHERE finished_ms IS NULL;
CREATE INDEX batches_finished ON batches (finished_ms) WHERE finished_ms IS NOT NULL;

ALTER TABLE jobs ADD COLUMN batch_id TEXT;
ALTER TABLE jobs ADD COLUMN item_id TEXT;

CREATE INDEX jobs_batch ON jobs (batch_id) WHERE batch_id IS NOT NULL AND finished_ms IS NULL;

-- How lines ended, in the order in which they did. It outlives the jobs.
CREATE TABLE batch_results (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id    TEXT    NOT NULL,
    item_id     TEXT    NOT NULL,
    job_id      TEXT    NOT NULL,
    client_ref  TEXT,
    status      TEXT    NOT NULL,
    report_id   TEXT,
    problem     TEXT,
    finished_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX batch_results_batch ON batch_results (batch_id, seq);

CREATE TRIGGER batch_begins AFTER UPDATE OF started_ms ON jobs
WHEN new.batch_id IS NOT NULL AND old.started_ms IS NULL AND new.started_ms IS NOT NULL
BEGIN
    UPDATE batches SET started_ms = new.started_ms WHERE id = new.batch_id AND started_ms IS NULL;
END;

-- Whatever ends a job ends its line: an attempt, the sweeper, its owner.
CREATE TRIGGER batch_goes_on AFTER UPDATE OF finished_ms ON jobs
WHEN new.batch_id IS NOT NULL AND old.finished_ms IS NULL AND new.finished_ms IS NOT NULL
BEGIN
    INSERT INTO batch_results
        (batch_id, item_id, job_id, client_ref, status, report_id, problem, finished_ms)
    VALUES
        (new.batch_id, new.item_id, new.id, new.client_ref, new.status, new.report_id, new.problem,
         new.finished_ms);
    UPDATE batches SET
        done = done + (new.status = 'done'),
        failed = failed + (new.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled')
    WHERE id = new.batch_id;
    UPDATE batches SET finished_ms = new.finished_ms
    WHERE id = new.batch_id AND finished_ms IS NULL AND done + failed + cancelled = lines;
END;
