//! The walk along the chain.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{FromRow, Row};

use super::super::{Audit, Recorded};
use super::chain::unwritable;
use super::row::{self, RecordRow, ReviewRow};
use crate::domain::audit::{Break, Entry, EntryKind, Found, Part, Sealed, Walk};
use crate::domain::counted::body_hash;
use crate::domain::review::Review;
use crate::store::jobs::JobsError;

/// Entries with what they are about; `g` is the entry that says that this is gone.
const ENTRIES: &str = "\
    SELECT c.sequence, c.kind, c.subject, c.content_blake3, c.previous, c.hash, \
    g.kind AS gone_kind, \
    g.sequence > c.sequence AND g.subject = c.subject AS gone_fits, \
    g.content_blake3 = c.content_blake3 AS gone_content, \
    l.entry, l.report, l.report_blake3, l.media_blake3, l.is_still, l.lane, l.policy, \
    l.policy_version, l.rule, l.rule_score, l.rule_threshold, l.action, l.verdict, l.score, \
    l.asked_ms, l.created_ms, l.ruling, l.ruled_ms, r.body, \
    (SELECT ruling FROM reviews WHERE report = l.report ORDER BY entry DESC LIMIT 1) AS last_ruling, \
    v.entry AS v_entry, v.report AS v_report, v.ruling AS v_ruling, v.reviewer AS v_reviewer, \
    v.key AS v_key, v.note AS v_note, v.appeal AS v_appeal, v.decided_ms AS v_decided_ms \
    FROM chain c LEFT JOIN chain g ON g.sequence = c.gone_by \
    LEFT JOIN ledger l ON c.kind = 'report' AND l.entry = c.sequence \
    LEFT JOIN reports r ON c.kind = 'report' AND r.id = c.subject \
    LEFT JOIN reviews v ON c.kind = 'decision' AND v.entry = c.sequence \
    ORDER BY c.sequence";

/// What no entry vouches for.
const STRAYS: [(Part, &str); 3] = [
    (
        Part::Record,
        "SELECT l.report FROM ledger l WHERE NOT EXISTS (SELECT 1 FROM chain c WHERE \
         c.sequence = l.entry AND c.kind = 'report' AND c.subject = l.report) LIMIT 1",
    ),
    (
        Part::Decision,
        "SELECT v.report FROM reviews v WHERE NOT EXISTS (SELECT 1 FROM chain c WHERE \
         c.sequence = v.entry AND c.kind = 'decision' AND c.subject = v.report) LIMIT 1",
    ),
    (
        Part::Report,
        "SELECT r.id FROM reports r WHERE NOT EXISTS \
         (SELECT 1 FROM ledger l WHERE l.report = r.id) LIMIT 1",
    ),
];

/// Walks along the chain, all of it in one state of the store, and counts what is whole.
pub(super) async fn walk(pool: &SqlitePool, expected: Option<&str>) -> Result<Audit, JobsError> {
    let mut transaction = pool.begin().await?;
    let (mut audit, mut walk) = (Audit::default(), Walk::by(expected));
    let mut rows = sqlx::query(ENTRIES).fetch(&mut *transaction);
    while let Some(row) = rows.try_next().await? {
        let sealed = sealed(&row)?;
        let looked = match walk.step(&sealed) {
            Ok(()) => look(&sealed, &row, &mut audit)?,
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            audit.broken = Some(error);
            break;
        }
        audit.head = walk.head().clone();
    }
    drop(rows);
    audit.met = walk.met();
    if audit.broken.is_none() {
        let strays = stray(&mut transaction).await?;
        audit.broken = strays.or_else(|| walk.end().err());
    }
    transaction.commit().await?;
    Ok(audit)
}

/// Looks at what an entry is about.
fn look(
    sealed: &Sealed,
    row: &SqliteRow,
    audit: &mut Audit,
) -> Result<Result<(), Break>, JobsError> {
    Ok(match sealed.entry.kind {
        EntryKind::Report => look_at_report(sealed, row, audit)?,
        EntryKind::Decision => look_at_decision(sealed, row, audit)?,
        EntryKind::Deletion | EntryKind::Expiry => Ok(()),
    })
}

fn look_at_report(
    sealed: &Sealed,
    row: &SqliteRow,
    audit: &mut Audit,
) -> Result<Result<(), Break>, JobsError> {
    let gone = gone(sealed, row)?;
    let record = match row.try_get::<Option<i64>, _>("entry")? {
        Some(_) => Some(Recorded::try_from(RecordRow::from_row(row)?)?),
        None => None,
    };
    let found = match &record {
        Some(record) => Found::Stored(record.counted.hash().map_err(|error| unwritable(&error))?),
        None if gone == Some(EntryKind::Expiry) => Found::Gone,
        None => Found::Missing,
    };
    if let Err(error) = sealed.vouch(Part::Record, &sealed.entry.content_blake3, &found) {
        return Ok(Err(error));
    }
    let Some(record) = record else {
        audit.expired = audit.expired.saturating_add(1);
        return Ok(Ok(()));
    };
    let last: Option<String> = row.try_get("last_ruling")?;
    if last.as_deref() != record.ruling.map(|(ruling, _)| ruling.name()) {
        return Ok(Err(Break::Ruling {
            sequence: sealed.entry.sequence,
            subject: sealed.entry.subject.clone(),
        }));
    }
    let found = match row.try_get::<Option<String>, _>("body")? {
        Some(body) => {
            audit.reports = audit.reports.saturating_add(1);
            Found::Stored(body_hash(&body))
        }
        None if gone.is_some() => {
            audit.forgotten = audit.forgotten.saturating_add(1);
            Found::Gone
        }
        None => Found::Missing,
    };
    Ok(sealed.vouch(Part::Report, &record.counted.report_blake3, &found))
}

fn look_at_decision(
    sealed: &Sealed,
    row: &SqliteRow,
    audit: &mut Audit,
) -> Result<Result<(), Break>, JobsError> {
    let found = match row.try_get::<Option<i64>, _>("v_entry")? {
        Some(_) => {
            audit.decisions = audit.decisions.saturating_add(1);
            let review = Review::try_from(ReviewRow::prefixed(row)?)?;
            Found::Stored(review.hash().map_err(|error| unwritable(&error))?)
        }
        None if gone(sealed, row)? == Some(EntryKind::Expiry) => Found::Gone,
        None => Found::Missing,
    };
    Ok(sealed.vouch(Part::Decision, &sealed.entry.content_blake3, &found))
}

/// What a later entry says of the deletion of what this one is about.
fn gone(sealed: &Sealed, row: &SqliteRow) -> Result<Option<EntryKind>, JobsError> {
    let kind: Option<String> = row.try_get("gone_kind")?;
    let Some(kind) = kind.as_deref().map(row::kind).transpose()? else {
        return Ok(None);
    };
    let fits: bool = row.try_get("gone_fits")?;
    // A decision's own content isn't what the entry about its report's record says.
    let same = sealed.entry.kind == EntryKind::Decision || row.try_get("gone_content")?;
    Ok(match kind {
        EntryKind::Deletion | EntryKind::Expiry if fits && same => Some(kind),
        EntryKind::Report | EntryKind::Decision | EntryKind::Deletion | EntryKind::Expiry => None,
    })
}

fn sealed(row: &SqliteRow) -> Result<Sealed, JobsError> {
    let sequence: i64 = row.try_get("sequence")?;
    let name: String = row.try_get("kind")?;
    Ok(Sealed {
        entry: Entry {
            content_blake3: row.try_get("content_blake3")?,
            kind: row::kind(&name)?,
            previous: row.try_get("previous")?,
            sequence: u64::try_from(sequence).unwrap_or_default(),
            subject: row.try_get("subject")?,
        },
        hash: row.try_get("hash")?,
    })
}

async fn stray(connection: &mut SqliteConnection) -> Result<Option<Break>, JobsError> {
    for (part, statement) in STRAYS {
        let found: Option<String> = sqlx::query_scalar(statement)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(subject) = found {
            return Ok(Some(Break::Unvouched { subject, part }));
        }
    }
    Ok(None)
}
