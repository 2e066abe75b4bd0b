-- Reports that were made anew for an appeal. They lie beside `reports` and not in it: what is
-- counted, listed and decided again are first reports, each once.

CREATE TABLE appeals (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of the new report.
    id         TEXT    NOT NULL UNIQUE,
    -- The report that was appealed.
    report_id  TEXT    NOT NULL,
    -- Id of the key that appealed; empty where none was asked for.
    owner      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    material   TEXT    NOT NULL CHECK (material IN ('frames', 'content')),
    body       TEXT    NOT NULL
) STRICT;

CREATE INDEX appeals_report ON appeals (report_id, seq);

CREATE TRIGGER appeals_forgotten AFTER DELETE ON reports
BEGIN
    DELETE FROM appeals WHERE report_id = old.id;
END;
