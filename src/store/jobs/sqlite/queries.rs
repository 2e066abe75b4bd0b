//! Statements about jobs and reports.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::row::{JobRow, lane};
use crate::domain::lanes::ByLane;
use crate::store::flags::sqlite as flags;
use crate::store::jobs::{
    Capacity, Claim, Content, Depth, Ending, Job, JobsError, KeptReport, Millis, NewJob,
};
use crate::store::ledger::sqlite as ledger;

/// The job of an earlier request with the same idempotency key.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    job: &NewJob,
) -> Result<Option<Job>, JobsError> {
    let Some(idempotency) = &job.idempotency else {
        return Ok(None);
    };
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT fingerprint, job_id FROM idempotency \
         WHERE owner = ? AND key = ? AND created_ms >= ?",
    )
    .bind(&job.owner)
    .bind(&idempotency.key)
    .bind(idempotency.since_ms)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((fingerprint, job_id)) = found else {
        return Ok(None);
    };
    if fingerprint != idempotency.fingerprint {
        return Err(JobsError::IdempotencyConflict);
    }
    let row: Option<JobRow> = sqlx::query_as("SELECT * FROM jobs WHERE id = ?")
        .bind(job_id)
        .fetch_optional(connection)
        .await?;
    row.map(Job::try_from).transpose()
}

/// Whether one more job may wait.
pub(super) async fn room(
    connection: &mut SqliteConnection,
    job: &NewJob,
    capacity: &Capacity,
) -> Result<(), JobsError> {
    let limit = *capacity.queued.at(job.lane);
    // Counts no further than it must.
    let queued: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = 'queued' AND lane = ?1 LIMIT ?2)",
    )
    .bind(job.lane.name())
    .bind(signed(limit))
    .fetch_one(&mut *connection)
    .await?;
    if queued >= signed(limit) {
        return Err(JobsError::LaneFull {
            lane: job.lane,
            limit,
        });
    }
    let Content::File { bytes, .. } = job.content else {
        return Ok(());
    };
    let taken: i64 = sqlx::query_scalar("SELECT bytes FROM held")
        .fetch_one(connection)
        .await?;
    if taken.saturating_add(signed(bytes)) > signed(capacity.bytes) {
        return Err(JobsError::SpaceFull {
            limit: capacity.bytes,
        });
    }
    Ok(())
}

pub(in crate::store) async fn insert(
    connection: &mut SqliteConnection,
    job: &NewJob,
    now: Millis,
) -> Result<Job, JobsError> {
    let (url, blake3, bytes) = match &job.content {
        Content::File { blake3, bytes } => (None, Some(blake3), Some(signed(*bytes))),
        Content::Url(url) => (Some(url), None, None),
    };
    let row: JobRow = sqlx::query_as(
        "INSERT INTO jobs (id, owner, lane, status, step, wishes, client_ref, callback_url, url, \
         blake3, bytes, not_before_ms, created_ms) \
         VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?11, ?11) RETURNING *",
    )
    .bind(&job.id)
    .bind(&job.owner)
    .bind(job.lane.name())
    .bind(job.content.step().name())
    .bind(&job.wishes)
    .bind(&job.client_ref)
    .bind(&job.callback_url)
    .bind(url)
    .bind(blake3)
    .bind(bytes)
    .bind(now)
    .fetch_one(&mut *connection)
    .await?;
    if let Some(flag) = &job.flag {
        flags::insert(connection, &job.id, &job.owner, flag, now).await?;
    }
    if let Some(idempotency) = &job.idempotency {
        sqlx::query("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)")
            .bind(&job.owner)
            .bind(&idempotency.key)
            .bind(&idempotency.fingerprint)
            .bind(&job.id)
            .bind(now)
            .execute(connection)
            .await?;
    }
    Job::try_from(row)
}

/// Ends the attempt that `claim` stands for; `false` when there is no such attempt.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    claim: &Claim,
    ending: Ending,
    now: Millis,
) -> Result<bool, JobsError> {
    let query = match &ending {
        Ending::Fetched { blake3, bytes } => sqlx::query(
            "UPDATE jobs SET status = 'queued', step = 'score', attempt = 0, problem = NULL, \
             lease_until_ms = NULL, blake3 = ?3, bytes = ?4 \
             WHERE id = ?1 AND attempt = ?2 AND status = 'running'",
        )
        .bind(&claim.id)
        .bind(claim.attempt)
        .bind(blake3)
        .bind(signed(*bytes)),
        Ending::Done(report) => sqlx::query(
            "UPDATE jobs SET status = 'done', problem = NULL, lease_until_ms = NULL, \
             finished_ms = ?3, report_id = ?4 \
             WHERE id = ?1 AND attempt = ?2 AND status = 'running'",
        )
        .bind(&claim.id)
        .bind(claim.attempt)
        .bind(now)
        .bind(&report.id),
        Ending::Failed(problem) => sqlx::query(
            "UPDATE jobs SET status = 'failed', lease_until_ms = NULL, finished_ms = ?3, \
             problem = ?4 WHERE id = ?1 AND attempt = ?2 AND status = 'running'",
        )
        .bind(&claim.id)
        .bind(claim.attempt)
        .bind(now)
        .bind(problem),
        Ending::Again {
            problem,
            not_before_ms,
        } => sqlx::query(
            "UPDATE jobs SET status = 'queued', lease_until_ms = NULL, not_before_ms = ?3, \
             problem = ?4 WHERE id = ?1 AND attempt = ?2 AND status = 'running'",
        )
        .bind(&claim.id)
        .bind(claim.attempt)
        .bind(not_before_ms)
        .bind(problem),
        Ending::GivenBack => sqlx::query(
            "UPDATE jobs SET status = 'queued', lease_until_ms = NULL, attempt = attempt - 1 \
             WHERE id = ?1 AND attempt = ?2 AND status = 'running'",
        )
        .bind(&claim.id)
        .bind(claim.attempt),
    };
    let held = query.execute(&mut *connection).await?.rows_affected() == 1;
    if let (true, Ending::Done(report)) = (held, &ending) {
        keep(connection, report).await?;
    }
    Ok(held)
}

/// A report that is found again by its content stays as it was.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    report: &KeptReport,
) -> Result<(), JobsError> {
    let done = sqlx::query(
        "INSERT INTO reports (id, owner, lane, asked_ms, created_ms, body) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&report.id)
    .bind(&report.owner)
    .bind(report.lane.name())
    .bind(report.asked_ms)
    .bind(report.created_ms)
    .bind(&report.body)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 1 {
        ledger::enter(connection, report).await?;
    }
    Ok(())
}

pub(super) async fn depths(pool: &SqlitePool) -> Result<ByLane<Depth>, JobsError> {
    let rows: Vec<(String, String, i64, Option<Millis>)> = sqlx::query_as(
        "SELECT lane, status, count(*), min(created_ms) FROM jobs \
         WHERE status = 'queued' GROUP BY lane UNION ALL \
         SELECT lane, status, count(*), min(created_ms) FROM jobs \
         WHERE status = 'running' GROUP BY lane",
    )
    .fetch_all(pool)
    .await?;
    let mut depths: ByLane<Depth> = ByLane::default();
    for (name, status, count, oldest_ms) in rows {
        let depth = depths.at_mut(lane(&name)?);
        let count = u64::try_from(count).unwrap_or_default();
        if status == "queued" {
            depth.queued = count;
            depth.oldest_ms = oldest_ms;
        } else {
            depth.running = count;
        }
    }
    Ok(depths)
}

pub(super) async fn forget(
    pool: &SqlitePool,
    older: Millis,
    keys: Millis,
    at_once: i64,
) -> Result<u64, JobsError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    ledger::forgotten(&mut transaction, older, at_once).await?;
    let mut gone = 0;
    for statement in [
        "DELETE FROM deliveries WHERE job_id IN \
         (SELECT id FROM jobs WHERE finished_ms < ?1 ORDER BY finished_ms LIMIT ?2)",
        "DELETE FROM outbox WHERE job_id IN \
         (SELECT id FROM jobs WHERE finished_ms < ?1 ORDER BY finished_ms LIMIT ?2)",
        "DELETE FROM jobs WHERE seq IN \
         (SELECT seq FROM jobs WHERE finished_ms < ?1 ORDER BY finished_ms LIMIT ?2)",
        "DELETE FROM reports WHERE seq IN \
         (SELECT seq FROM reports WHERE created_ms < ?1 ORDER BY created_ms, seq LIMIT ?2)",
    ] {
        let query = sqlx::query(statement).bind(older).bind(at_once);
        gone += query.execute(&mut *transaction).await?.rows_affected();
    }
    let query = sqlx::query("DELETE FROM idempotency WHERE created_ms < ?").bind(keys);
    gone += query.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(gone)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
