//! Statements about reviewers' decisions.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::super::MOST_DECISIONS;
use super::chain::{self, signed, unwritable};
use super::row::{REVIEW, ReviewRow};
use crate::domain::audit::{EntryKind, Sealed};
use crate::domain::review::Review;
use crate::store::jobs::JobsError;

/// Adds a decision, which is the last one from now on; `None`: there is no such report.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    review: &Review,
) -> Result<Option<Sealed>, JobsError> {
    if !exists(&mut *connection, &review.report).await? {
        return Ok(None);
    }
    let there: u32 = sqlx::query_scalar("SELECT count(*) FROM reviews WHERE report = ?")
        .bind(&review.report)
        .fetch_one(&mut *connection)
        .await?;
    if there >= MOST_DECISIONS {
        return Err(JobsError::TooManyDecisions {
            limit: MOST_DECISIONS,
        });
    }
    let content = review.hash().map_err(|error| unwritable(&error))?;
    let mut head = chain::head(connection).await?;
    let (kind, report) = (EntryKind::Decision, &review.report);
    let sealed = chain::append(connection, &mut head, kind, report, content).await?;
    insert(connection, review, &sealed).await?;
    sqlx::query("UPDATE ledger SET ruling = ?2, ruled_ms = ?3 WHERE report = ?1")
        .bind(&review.report)
        .bind(review.ruling.name())
        .bind(review.decided_at.as_millisecond())
        .execute(connection)
        .await?;
    Ok(Some(sealed))
}

async fn insert(
    connection: &mut SqliteConnection,
    review: &Review,
    sealed: &Sealed,
) -> Result<(), JobsError> {
    sqlx::query(
        "INSERT INTO reviews (entry, report, ruling, reviewer, key, note, appeal, decided_ms) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(sealed.entry.sequence))
    .bind(&review.report)
    .bind(review.ruling.name())
    .bind(&review.reviewer)
    .bind(&review.key)
    .bind(&review.note)
    .bind(review.appeal)
    .bind(review.decided_at.as_millisecond())
    .execute(connection)
    .await?;
    Ok(())
}

async fn exists(connection: &mut SqliteConnection, report: &str) -> Result<bool, JobsError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT entry FROM ledger WHERE report = ?")
        .bind(report)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// Decisions on a report, oldest first; `None`: there is no such report.
pub(super) async fn of(pool: &SqlitePool, report: &str) -> Result<Option<Vec<Review>>, JobsError> {
    let mut connection = pool.acquire().await?;
    if !exists(&mut connection, report).await? {
        return Ok(None);
    }
    let sql = format!("SELECT {REVIEW} FROM reviews WHERE report = ? ORDER BY entry");
    let rows: Vec<ReviewRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(report)
        .fetch_all(&mut *connection)
        .await?;
    let all: Result<Vec<Review>, JobsError> = rows.into_iter().map(Review::try_from).collect();
    all.map(Some)
}

/// Decisions on all reports after an entry, oldest first.
pub(super) async fn after(
    pool: &SqlitePool,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Review)>, JobsError> {
    let sql = format!("SELECT {REVIEW} FROM reviews WHERE entry > ? ORDER BY entry LIMIT ?");
    let rows: Vec<ReviewRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(signed(after))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    let numbered = |row: ReviewRow| {
        let entry = u64::try_from(row.entry).unwrap_or_default();
        Ok((entry, Review::try_from(row)?))
    };
    rows.into_iter().map(numbered).collect()
}
