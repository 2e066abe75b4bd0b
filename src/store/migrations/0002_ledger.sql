-- What is counted of reports, decisions on them, and the chain of hashes over both. Times are
-- milliseconds since 1970, UTC.

-- Entries are added and never changed or deleted: they have ids and hashes, nothing about anybody.
CREATE TABLE chain (
    -- From 1, without a gap.
    sequence       INTEGER PRIMARY KEY,
    kind           TEXT    NOT NULL CHECK (kind IN ('report', 'decision', 'deletion', 'expiry')),
    -- Id of the report.
    subject        TEXT    NOT NULL,
    content_blake3 TEXT    NOT NULL,
    -- Hash of the entry before it.
    previous       TEXT    NOT NULL,
    hash           TEXT    NOT NULL,
    -- The later entry that says that what this one is about was deleted. No part of the hash: whoever
    -- follows it looks whether that entry says so.
    gone_by        INTEGER
) STRICT;

-- One row for each report that was ever kept; it outlives the report.
CREATE TABLE ledger (
    -- Its entry in the chain.
    entry          INTEGER PRIMARY KEY,
    report         TEXT    NOT NULL UNIQUE,
    report_blake3  TEXT    NOT NULL,
    media_blake3   TEXT    NOT NULL,
    is_still       INTEGER NOT NULL CHECK (is_still IN (0, 1)),
    lane           TEXT    NOT NULL,
    policy         TEXT    NOT NULL,
    policy_version TEXT    NOT NULL,
    -- The rule that decided; empty where none applied.
    rule           TEXT    NOT NULL,
    rule_score     REAL,
    rule_threshold REAL,
    action         TEXT    NOT NULL,
    verdict        TEXT    NOT NULL,
    score          REAL,
    asked_ms       INTEGER NOT NULL,
    created_ms     INTEGER NOT NULL,
    -- The last one in `reviews`, and when it was decided.
    ruling         TEXT    CHECK (ruling IN ('upheld', 'overturned')),
    ruled_ms       INTEGER
) STRICT;

CREATE INDEX ledger_created ON ledger (created_ms);
CREATE INDEX ledger_ruled ON ledger (created_ms) WHERE ruling IS NOT NULL;

-- Decisions of people, several on a report; the last one counts.
CREATE TABLE reviews (
    -- Its entry in the chain.
    entry      INTEGER PRIMARY KEY,
    report     TEXT    NOT NULL,
    ruling     TEXT    NOT NULL CHECK (ruling IN ('upheld', 'overturned')),
    reviewer   TEXT    NOT NULL,
    -- Id of the API key that it came with; empty where none was asked for.
    key        TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    appeal     INTEGER NOT NULL CHECK (appeal IN (0, 1)),
    decided_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX reviews_report ON reviews (report, entry);

-- Reports of before there was a ledger; the next start counts them and empties this.
CREATE TABLE uncounted (
    seq INTEGER PRIMARY KEY
) STRICT;

INSERT INTO uncounted SELECT seq FROM reports;
