//! Statements about what is counted of reports.

use sqlx::FromRow;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::super::{Recorded, Sought};
use super::chain::{self, signed, unwritable};
use super::row::{RECORD, RecordRow};
use crate::domain::audit::{EntryKind, Head};
use crate::domain::counted::{Asked, Counted};
use crate::store::jobs::sqlite::row::lane;
use crate::store::jobs::{JobsError, KeptReport, Millis};

/// Reports of before there was a ledger that one transaction counts.
const COUNTED_AT_ONCE: i64 = 500;

/// Counts a report that is being kept. One that is counted already stays as it was.
pub(in crate::store) async fn enter(
    connection: &mut SqliteConnection,
    report: &KeptReport,
) -> Result<(), JobsError> {
    let asked = Asked {
        report: &report.id,
        lane: report.lane,
        asked_ms: report.asked_ms,
        created_ms: report.created_ms,
    };
    let counted = Counted::read(&asked, &report.body);
    let mut head = chain::head(connection).await?;
    add(connection, &mut head, &counted).await
}

async fn add(
    connection: &mut SqliteConnection,
    head: &mut Head,
    counted: &Counted,
) -> Result<(), JobsError> {
    let entry = signed(head.entries.saturating_add(1));
    if !insert(connection, entry, counted).await? {
        return Ok(());
    }
    let content = counted.hash().map_err(|error| unwritable(&error))?;
    let kind = EntryKind::Report;
    chain::append(connection, head, kind, &counted.report, content).await?;
    Ok(())
}

/// `false`: there is a record of the report.
async fn insert(
    connection: &mut SqliteConnection,
    entry: i64,
    counted: &Counted,
) -> Result<bool, JobsError> {
    let done = sqlx::query(
        "INSERT INTO ledger (entry, report, report_blake3, media_blake3, is_still, lane, policy, \
         policy_version, rule, rule_score, rule_threshold, action, verdict, score, asked_ms, \
         created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (report) DO NOTHING",
    )
    .bind(entry)
    .bind(&counted.report)
    .bind(&counted.report_blake3)
    .bind(&counted.media_blake3)
    .bind(counted.is_still)
    .bind(counted.lane.name())
    .bind(&counted.policy)
    .bind(&counted.policy_version)
    .bind(&counted.rule)
    .bind(counted.rule_score)
    .bind(counted.rule_threshold)
    .bind(&counted.action)
    .bind(&counted.verdict)
    .bind(counted.score)
    .bind(counted.asked_ms)
    .bind(counted.created_ms)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A page of records.
pub(super) async fn page(pool: &SqlitePool, sought: &Sought) -> Result<Vec<Recorded>, JobsError> {
    let (from, to) = sought
        .period
        .map_or((Millis::MIN, Millis::MAX), |period| period.millis());
    let (at, entry) = sought.after.unwrap_or((Millis::MIN, 0));
    // Each has an index of its own.
    let ruled = if sought.ruled {
        "l.ruling IS NOT NULL AND "
    } else {
        ""
    };
    let sql = format!(
        "SELECT {RECORD} FROM ledger l WHERE {ruled}l.created_ms >= ?1 AND l.created_ms < ?2 \
         AND (l.created_ms, l.entry) > (?3, ?4) ORDER BY l.created_ms, l.entry LIMIT ?5"
    );
    let rows: Vec<RecordRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        // A page is read from where it begins.
        .bind(from.max(at))
        .bind(to)
        .bind(at)
        .bind(signed(entry))
        .bind(sought.limit)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(Recorded::try_from).collect()
}

/// A report's entry in the chain.
#[derive(Debug, FromRow)]
struct EntryRow {
    sequence: i64,
    subject: String,
    content_blake3: String,
}

/// Writes down that up to `at_once` reports older than `older`, those that [`forget`] is about to
/// delete, are gone.
///
/// [`forget`]: crate::store::jobs::JobStore::forget
pub(in crate::store) async fn forgotten(
    connection: &mut SqliteConnection,
    older: Millis,
    at_once: i64,
) -> Result<(), JobsError> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT sequence, subject, content_blake3 FROM chain WHERE sequence IN \
         (SELECT entry FROM ledger WHERE report IN \
         (SELECT id FROM reports WHERE created_ms < ?1 ORDER BY created_ms, seq LIMIT ?2)) \
         ORDER BY sequence",
    )
    .bind(older)
    .bind(at_once)
    .fetch_all(&mut *connection)
    .await?;
    let mut head = chain::head(connection).await?;
    for row in &rows {
        gone(connection, &mut head, EntryKind::Deletion, row).await?;
    }
    Ok(())
}

/// Adds the entry which says that what the entry `row` is about was deleted.
async fn gone(
    connection: &mut SqliteConnection,
    head: &mut Head,
    kind: EntryKind,
    row: &EntryRow,
) -> Result<(), JobsError> {
    let content = row.content_blake3.clone();
    let sealed = chain::append(connection, head, kind, &row.subject, content).await?;
    let decisions = match kind {
        EntryKind::Expiry => "sequence IN (SELECT entry FROM reviews WHERE report = ?3) OR ",
        EntryKind::Report | EntryKind::Decision | EntryKind::Deletion => "",
    };
    let sql = format!("UPDATE chain SET gone_by = ?1 WHERE {decisions}sequence = ?2");
    let mut update = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(signed(sealed.entry.sequence))
        .bind(row.sequence);
    if !decisions.is_empty() {
        update = update.bind(&row.subject);
    }
    update.execute(connection).await?;
    Ok(())
}

/// Deletes up to `at_once` records of deleted reports older than `older`; returns how many.
pub(super) async fn expire(
    connection: &mut SqliteConnection,
    older: Millis,
    at_once: i64,
) -> Result<u64, JobsError> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT c.sequence, c.subject, c.content_blake3 FROM ledger l \
         JOIN chain c ON c.sequence = l.entry WHERE l.created_ms < ?1 \
         AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.id = l.report) \
         ORDER BY l.created_ms LIMIT ?2",
    )
    .bind(older)
    .bind(at_once)
    .fetch_all(&mut *connection)
    .await?;
    let mut head = chain::head(connection).await?;
    for row in &rows {
        gone(connection, &mut head, EntryKind::Expiry, row).await?;
        sqlx::query("DELETE FROM reviews WHERE report = ?")
            .bind(&row.subject)
            .execute(&mut *connection)
            .await?;
        sqlx::query("DELETE FROM ledger WHERE entry = ?")
            .bind(row.sequence)
            .execute(&mut *connection)
            .await?;
    }
    Ok(rows.len() as u64)
}

#[derive(Debug, FromRow)]
struct UncountedRow {
    seq: i64,
    id: String,
    lane: String,
    asked_ms: Millis,
    created_ms: Millis,
    body: String,
}

/// Counts the reports of before there was a ledger, in the order in which they were kept.
pub(in crate::store) async fn backlog(pool: &SqlitePool) -> Result<u64, JobsError> {
    let mut counted = 0;
    loop {
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        let rows: Vec<UncountedRow> = sqlx::query_as(
            "SELECT r.seq, r.id, r.lane, r.asked_ms, r.created_ms, r.body FROM uncounted u \
             JOIN reports r ON r.seq = u.seq ORDER BY u.seq LIMIT ?",
        )
        .bind(COUNTED_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
        let Some(last) = rows.last().map(|row| row.seq) else {
            // Those that aren't there any more.
            sqlx::query("DELETE FROM uncounted")
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            return Ok(counted);
        };
        counted += rows.len() as u64;
        for row in rows {
            let report = KeptReport {
                lane: lane(&row.lane)?,
                id: row.id,
                owner: String::new(),
                asked_ms: row.asked_ms,
                created_ms: row.created_ms,
                body: row.body,
            };
            enter(&mut transaction, &report).await?;
        }
        sqlx::query("DELETE FROM uncounted WHERE seq <= ?")
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
}
