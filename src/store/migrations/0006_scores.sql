-- How live scores are distributed, by day (since 1970, UTC) and model. Bins as in src/domain/drift.rs.

CREATE TABLE score_counts (
    day    INTEGER NOT NULL,
    model  TEXT    NOT NULL,
    sha256 TEXT    NOT NULL,
    bin    INTEGER NOT NULL,
    scores INTEGER NOT NULL,
    PRIMARY KEY (day, model, sha256, bin)
) STRICT, WITHOUT ROWID;
