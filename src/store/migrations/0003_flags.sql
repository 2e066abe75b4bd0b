-- What trusted reporters say with their jobs, and how those ended. A flag outlives its job, without
-- what could tell of a person, so that a period's figures can be told later.

CREATE TABLE flags (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The job's id, which is the flag's.
    id           TEXT    NOT NULL UNIQUE,
    owner        TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    case_ref     TEXT,
    reason       TEXT,
    content_url  TEXT,
    received_ms  INTEGER NOT NULL,
    due_ms       INTEGER NOT NULL,
    ended_ms     INTEGER,
    outcome      TEXT    CHECK (outcome IN ('done', 'failed', 'cancelled')),
    report_id    TEXT
) STRICT;

CREATE INDEX flags_received ON flags (received_ms);
CREATE INDEX flags_waiting ON flags (due_ms) WHERE ended_ms IS NULL;

CREATE TRIGGER flags_ended AFTER UPDATE OF finished_ms ON jobs
WHEN old.finished_ms IS NULL AND new.finished_ms IS NOT NULL
BEGIN
    UPDATE flags SET ended_ms = new.finished_ms, outcome = new.status, report_id = new.report_id
    WHERE id = new.id;
END;

CREATE TRIGGER flags_forgotten AFTER DELETE ON jobs
BEGIN
    UPDATE flags SET case_ref = NULL, reason = NULL, content_url = NULL WHERE id = old.id;
END;
