//! Batches in the file of [`SqliteJobs`]. Triggers of the schema write results and counts, so that
//! whatever ends a job ends its line.

use async_trait::async_trait;
use sqlx::FromRow;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::{
    Batch, BatchFilter, BatchResult, BatchStore, Counts, Hungry, NewBatch, NewItem, Place, Recent,
};
use crate::store::jobs::sqlite::{queries, row};
use crate::store::jobs::{Idempotency, JobsError, Millis, SqliteJobs};

/// Results from which the pace is told.
const RECENT: u64 = 1000;
/// Rows that one call of [`BatchStore::forget_batches`] deletes.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// Columns of a [`BatchRow`].
const BATCH: &str = "SELECT *, (SELECT count(*) FROM jobs WHERE batch_id = batches.id \
     AND finished_ms IS NULL AND status = 'running') AS running FROM batches";

#[derive(Debug, FromRow)]
struct BatchRow {
    seq: i64,
    id: String,
    owner: String,
    client_ref: Option<String>,
    blake3: String,
    bytes: i64,
    lines: i64,
    fed_lines: i64,
    running: i64,
    done: i64,
    failed: i64,
    cancelled: i64,
    created_ms: Millis,
    started_ms: Option<Millis>,
    cancelled_ms: Option<Millis>,
    finished_ms: Option<Millis>,
    problem: Option<String>,
}

#[derive(Debug, FromRow)]
struct HungryRow {
    id: String,
    owner: String,
    blake3: String,
    bytes: i64,
    lines: i64,
    fed_bytes: i64,
    fed_lines: i64,
    live: i64,
}

#[derive(Debug, FromRow)]
struct ResultRow {
    seq: i64,
    item_id: String,
    job_id: String,
    client_ref: Option<String>,
    status: String,
    report_id: Option<String>,
    problem: Option<String>,
}

impl From<BatchRow> for Batch {
    fn from(row: BatchRow) -> Self {
        Self {
            seq: row.seq,
            id: row.id,
            owner: row.owner,
            client_ref: row.client_ref,
            blake3: row.blake3,
            bytes: count(row.bytes),
            counts: Counts {
                lines: count(row.lines),
                fed: count(row.fed_lines),
                running: count(row.running),
                done: count(row.done),
                failed: count(row.failed),
                cancelled: count(row.cancelled),
            },
            created_ms: row.created_ms,
            started_ms: row.started_ms,
            cancelled_ms: row.cancelled_ms,
            finished_ms: row.finished_ms,
            problem: row.problem,
            recent: None,
        }
    }
}

impl From<HungryRow> for Hungry {
    fn from(row: HungryRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            blake3: row.blake3,
            bytes: count(row.bytes),
            lines: count(row.lines),
            place: Place {
                bytes: count(row.fed_bytes),
                lines: count(row.fed_lines),
            },
            live: count(row.live),
        }
    }
}

impl TryFrom<ResultRow> for BatchResult {
    type Error = JobsError;

    fn try_from(row: ResultRow) -> Result<Self, JobsError> {
        Ok(Self {
            status: row::status(&row.status)?,
            seq: row.seq,
            item_id: row.item_id,
            job_id: row.job_id,
            client_ref: row.client_ref,
            report_id: row.report_id,
            problem: row.problem,
        })
    }
}

#[async_trait]
impl BatchStore for SqliteJobs {
    async fn submit_batch(
        &self,
        batch: NewBatch,
        open: u64,
        now: Millis,
    ) -> Result<(Batch, bool), JobsError> {
        let mut transaction = self.begin().await?;
        if let Some(known) = known(&mut transaction, &batch).await? {
            return Ok((known, false));
        }
        let others: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM batches WHERE owner = ? AND finished_ms IS NULL",
        )
        .bind(&batch.owner)
        .fetch_one(&mut *transaction)
        .await?;
        if count(others) >= open {
            return Err(JobsError::TooManyBatches { limit: open });
        }
        insert(&mut transaction, &batch, now).await?;
        let accepted = find(&mut transaction, &batch.id).await?;
        transaction.commit().await?;
        let accepted = accepted.ok_or_else(|| JobsError::Row {
            what: "no row of a new batch",
            text: batch.id,
        })?;
        Ok((accepted, true))
    }

    async fn batch(&self, id: &str) -> Result<Option<Batch>, JobsError> {
        let mut connection = self.readers.acquire().await?;
        let batch = find(&mut connection, id).await?;
        drop(connection);
        match batch {
            Some(batch) => Ok(Some(with_recent(&self.readers, batch).await?)),
            None => Ok(None),
        }
    }

    async fn batches(&self, filter: &BatchFilter) -> Result<Vec<Batch>, JobsError> {
        let statement = format!(
            "{BATCH} WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR seq < ?2) \
             ORDER BY seq DESC LIMIT ?3"
        );
        let rows: Vec<BatchRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(&filter.owner)
            .bind(filter.before)
            .bind(filter.limit)
            .fetch_all(&self.readers)
            .await?;
        let mut batches = Vec::with_capacity(rows.len());
        for row in rows {
            batches.push(with_recent(&self.readers, row.into()).await?);
        }
        Ok(batches)
    }

    async fn hungry(&self) -> Result<(Vec<Hungry>, u64), JobsError> {
        let rows: Vec<HungryRow> = sqlx::query_as(
            "SELECT *, (SELECT count(*) FROM jobs WHERE batch_id = batches.id \
             AND finished_ms IS NULL) AS live FROM batches \
             WHERE finished_ms IS NULL AND cancelled_ms IS NULL AND problem IS NULL \
             AND fed_lines < lines ORDER BY seq",
        )
        .fetch_all(&self.readers)
        .await?;
        let live: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL AND finished_ms IS NULL",
        )
        .fetch_one(&self.readers)
        .await?;
        let hungry = rows.into_iter().map(Hungry::from).collect();
        Ok((hungry, count(live)))
    }

    async fn feed(
        &self,
        id: &str,
        from: Place,
        to: Place,
        items: Vec<NewItem>,
        now: Millis,
    ) -> Result<bool, JobsError> {
        let mut transaction = self.begin().await?;
        let moved = sqlx::query(
            "UPDATE batches SET fed_bytes = ?3, fed_lines = ?4 \
             WHERE id = ?1 AND fed_bytes = ?2 AND finished_ms IS NULL \
             AND cancelled_ms IS NULL AND problem IS NULL",
        )
        .bind(id)
        .bind(signed(from.bytes))
        .bind(signed(to.bytes))
        .bind(signed(to.lines))
        .execute(&mut *transaction)
        .await?;
        if moved.rows_affected() != 1 {
            return Ok(false);
        }
        for item in items {
            let job = queries::insert(&mut transaction, &item.job, now).await?;
            sqlx::query("UPDATE jobs SET batch_id = ?, item_id = ? WHERE seq = ?")
                .bind(id)
                .bind(&item.item_id)
                .bind(job.seq)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn abandon(&self, id: &str, problem: &str, now: Millis) -> Result<(), JobsError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE batches SET problem = ?2, failed = failed + lines - fed_lines \
             WHERE id = ?1 AND finished_ms IS NULL AND cancelled_ms IS NULL AND problem IS NULL",
        )
        .bind(id)
        .bind(problem)
        .execute(&mut *transaction)
        .await?;
        finish(&mut transaction, id, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn cancel_batch(&self, id: &str, now: Millis) -> Result<Option<Vec<String>>, JobsError> {
        let mut transaction = self.begin().await?;
        if find(&mut transaction, id).await?.is_none() {
            return Ok(None);
        }
        // Lines of a manifest that was abandoned have failed already.
        sqlx::query(
            "UPDATE batches SET cancelled_ms = ?2, cancelled = cancelled + \
             CASE WHEN problem IS NULL THEN lines - fed_lines ELSE 0 END \
             WHERE id = ?1 AND finished_ms IS NULL AND cancelled_ms IS NULL",
        )
        .bind(id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let jobs = sqlx::query_scalar(
            "UPDATE jobs SET status = 'cancelled', finished_ms = ?2, lease_until_ms = NULL \
             WHERE batch_id = ?1 AND finished_ms IS NULL RETURNING id",
        )
        .bind(id)
        .bind(now)
        .fetch_all(&mut *transaction)
        .await?;
        finish(&mut transaction, id, now).await?;
        transaction.commit().await?;
        Ok(Some(jobs))
    }

    async fn results(
        &self,
        id: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<BatchResult>, JobsError> {
        let rows: Vec<ResultRow> = sqlx::query_as(
            "SELECT seq, item_id, job_id, client_ref, status, report_id, problem \
             FROM batch_results WHERE batch_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(id)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(BatchResult::try_from).collect()
    }

    async fn waiting_lines(&self) -> Result<u64, JobsError> {
        // Those that were abandoned or cancelled before they were jobs have ended.
        let unfed: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(lines - fed_lines), 0) FROM batches \
             WHERE finished_ms IS NULL AND problem IS NULL AND cancelled_ms IS NULL",
        )
        .fetch_one(&self.readers)
        .await?;
        let queued: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL AND finished_ms IS NULL \
             AND status = 'queued'",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(count(unfed).saturating_add(count(queued)))
    }

    async fn forget_batches(&self, older: Millis) -> Result<u64, JobsError> {
        let mut transaction = self.begin().await?;
        let mut gone = 0;
        for statement in [
            "DELETE FROM batch_results WHERE seq IN (SELECT seq FROM batch_results \
             WHERE batch_id IN (SELECT id FROM batches WHERE finished_ms < ?1) LIMIT ?2)",
            "DELETE FROM batches WHERE seq IN (SELECT seq FROM batches WHERE finished_ms < ?1 \
             AND NOT EXISTS (SELECT 1 FROM batch_results WHERE batch_id = batches.id) LIMIT ?2)",
        ] {
            let query = sqlx::query(statement).bind(older).bind(FORGOTTEN_AT_ONCE);
            gone += query.execute(&mut *transaction).await?.rows_affected();
        }
        transaction.commit().await?;
        Ok(gone)
    }
}

/// The batch of an earlier request with the same idempotency key.
async fn known(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
) -> Result<Option<Batch>, JobsError> {
    let Some(Idempotency {
        key,
        fingerprint,
        since_ms,
    }) = &batch.idempotency
    else {
        return Ok(None);
    };
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT fingerprint, job_id FROM idempotency \
         WHERE owner = ? AND key = ? AND created_ms >= ?",
    )
    .bind(&batch.owner)
    .bind(key)
    .bind(since_ms)
    .fetch_optional(&mut *connection)
    .await?;
    match found {
        Some((known, _)) if known != *fingerprint => Err(JobsError::IdempotencyConflict),
        Some((_, id)) => find(connection, &id).await,
        None => Ok(None),
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
    now: Millis,
) -> Result<(), JobsError> {
    sqlx::query(
        "INSERT INTO batches (id, owner, client_ref, blake3, bytes, lines, created_ms) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&batch.id)
    .bind(&batch.owner)
    .bind(&batch.client_ref)
    .bind(&batch.blake3)
    .bind(signed(batch.bytes))
    .bind(signed(batch.lines))
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let Some(idempotency) = &batch.idempotency else {
        return Ok(());
    };
    sqlx::query(
        "INSERT OR REPLACE INTO idempotency (owner, key, fingerprint, job_id, created_ms) \
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&batch.owner)
    .bind(&idempotency.key)
    .bind(&idempotency.fingerprint)
    .bind(&batch.id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn find(connection: &mut SqliteConnection, id: &str) -> Result<Option<Batch>, JobsError> {
    let statement = format!("{BATCH} WHERE id = ?");
    let row: Option<BatchRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(Batch::from))
}

/// Writes down the end of a batch of which every line is over.
async fn finish(connection: &mut SqliteConnection, id: &str, now: Millis) -> Result<(), JobsError> {
    sqlx::query(
        "UPDATE batches SET finished_ms = ?2 \
         WHERE id = ?1 AND finished_ms IS NULL AND done + failed + cancelled = lines",
    )
    .bind(id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// `batch` with its newest results.
async fn with_recent(pool: &SqlitePool, mut batch: Batch) -> Result<Batch, JobsError> {
    let before: Option<Millis> = sqlx::query_scalar(
        "SELECT finished_ms FROM batch_results WHERE batch_id = ? ORDER BY seq DESC \
         LIMIT 1 OFFSET ?",
    )
    .bind(&batch.id)
    .bind(signed(RECENT))
    .fetch_optional(pool)
    .await?;
    let over = batch.counts.done.saturating_add(batch.counts.failed);
    let recent = match before {
        Some(since_ms) => Some((RECENT, since_ms)),
        None => batch.started_ms.map(|since_ms| (over, since_ms)),
    };
    batch.recent = recent
        .filter(|(results, _)| *results > 0)
        .map(|(results, since_ms)| Recent { results, since_ms });
    Ok(batch)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
