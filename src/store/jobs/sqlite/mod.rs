//! Jobs and reports in one file of `SQLite`.
//!
//! Write-ahead log with `synchronous = FULL`: a transaction that was committed is on disk. One
//! connection writes, so that statements never wait for each other's locks; others read.

mod messages;
pub(in crate::store) mod queries;
pub(in crate::store) mod row;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use self::row::{JobRow, ReportRow};
use super::super::error::StoreError;
use super::{
    Capacity, Claim, Delivery, Depth, Ending, Filter, Job, JobStore, JobsError, KeptReport,
    Message, Millis, NewJob, Next,
};
use crate::domain::job::Step;
use crate::domain::lanes::{ByLane, Lane};
use crate::store::ledger::sqlite as ledger;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// Connections that read.
const READERS: u32 = 4;
/// How long a statement waits for another program's lock.
const BUSY: Duration = Duration::from_secs(10);
/// Rows of a kind that one call of [`JobStore::forget`] deletes.
const FORGOTTEN_AT_ONCE: i64 = 1000;

/// The store in `jaga.sqlite` of a data directory.
#[derive(Debug)]
pub struct SqliteJobs {
    pub(in crate::store) writer: SqlitePool,
    pub(in crate::store) readers: SqlitePool,
    /// Locked while this lives; `None` for those who only read.
    _lock: Option<File>,
}

impl SqliteJobs {
    /// Opens the store of a data directory, made where it is missing. One server at a time.
    pub async fn open(data: &Path) -> Result<Self, JobsError> {
        let lock = lock(data)?;
        let path = data.join("jaga.sqlite");
        // Before SQLite makes it for all to read; its log gets the same rights.
        private(&path)?;
        let options = options(&path).create_if_missing(true);
        let opened = |source| JobsError::Open {
            path: path.clone(),
            source,
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(opened)?;
        MIGRATIONS
            .run(&writer)
            .await
            .map_err(|source| JobsError::Migrate {
                path: path.clone(),
                source,
            })?;
        let counted = ledger::backlog(&writer).await?;
        if counted > 0 {
            tracing::info!(
                reports = counted,
                "counted the reports of an earlier version"
            );
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(opened)?;
        Ok(Self {
            writer,
            readers,
            _lock: Some(lock),
        })
    }

    /// Opens the store of a data directory to read it, also while a server uses it. Nothing is
    /// made, locked or changed; whatever would write fails.
    pub async fn read(data: &Path) -> Result<Self, JobsError> {
        let path = data.join("jaga.sqlite");
        let options = reading(&path)?.read_only(true);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options)
            .await
            .map_err(|source| JobsError::Open {
                path: path.clone(),
                source,
            })?;
        if !is_of_this_form(&readers).await? {
            return Err(JobsError::OtherForm { path });
        }
        Ok(Self {
            writer: readers.clone(),
            readers,
            _lock: None,
        })
    }

    pub(in crate::store) async fn begin(
        &self,
    ) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
}

/// How a database is read that others may use. Where there is no log nobody does, and the file is
/// taken as it is: to share it, `SQLite` would make a log.
fn reading(path: &Path) -> Result<SqliteConnectOptions, JobsError> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    if !path.exists() {
        return Err(JobsError::NoStore {
            path: path.to_owned(),
        });
    }
    let (log, index) = (beside("-wal"), beside("-shm"));
    let is_shared = log.exists();
    if is_shared && !index.exists() {
        return Err(JobsError::NoIndex { log, index });
    }
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .immutable(!is_shared))
}

/// Whether all migrations of this program were made, and no others, and every report is counted.
async fn is_of_this_form(pool: &SqlitePool) -> Result<bool, sqlx::Error> {
    let made: Result<Vec<i64>, _> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(pool)
            .await;
    // Also where there is no such table.
    let Ok(made) = made else { return Ok(false) };
    if !MIGRATIONS.iter().map(|own| own.version).eq(made) {
        return Ok(false);
    }
    let left: Option<i64> = sqlx::query_scalar("SELECT seq FROM uncounted LIMIT 1")
        .fetch_optional(pool)
        .await?;
    Ok(left.is_none())
}

/// Holds the data directory against other servers. A kill frees it.
fn lock(data: &Path) -> Result<File, JobsError> {
    let path: PathBuf = data.join("jaga.lock");
    let file = private(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(JobsError::InUse { path }),
    }
}

/// A file that only the server's user may read, made where it is missing.
fn private(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(StoreError::file("open", path))
}

#[async_trait]
impl JobStore for SqliteJobs {
    async fn submit(
        &self,
        job: NewJob,
        capacity: &Capacity,
        now: Millis,
    ) -> Result<(Job, bool), JobsError> {
        let mut transaction = self.begin().await?;
        if let Some(known) = queries::known(&mut transaction, &job).await? {
            return Ok((known, false));
        }
        queries::room(&mut transaction, &job, capacity).await?;
        let accepted = queries::insert(&mut transaction, &job, now).await?;
        transaction.commit().await?;
        Ok((accepted, true))
    }

    async fn claim(
        &self,
        lane: Lane,
        step: Step,
        now: Millis,
        until: Millis,
    ) -> Result<Option<Job>, JobsError> {
        let row: Option<JobRow> = sqlx::query_as(
            "UPDATE jobs SET status = 'running', attempt = attempt + 1, lease_until_ms = ?4, \
             started_ms = coalesce(started_ms, ?3) \
             WHERE seq = (SELECT seq FROM jobs WHERE status = 'queued' AND lane = ?1 AND step = ?2 \
             AND not_before_ms <= ?3 ORDER BY seq LIMIT 1) RETURNING *",
        )
        .bind(lane.name())
        .bind(step.name())
        .bind(now)
        .bind(until)
        .fetch_optional(&self.writer)
        .await?;
        row.map(Job::try_from).transpose()
    }

    async fn heartbeat(&self, claim: &Claim, until: Millis) -> Result<bool, JobsError> {
        let done = sqlx::query(
            "UPDATE jobs SET lease_until_ms = ?3 \
             WHERE id = ?1 AND attempt = ?2 AND status = 'running'",
        )
        .bind(&claim.id)
        .bind(claim.attempt)
        .bind(until)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn end(&self, claim: &Claim, ending: Ending, now: Millis) -> Result<bool, JobsError> {
        let mut transaction = self.begin().await?;
        let is_over = matches!(ending, Ending::Done(_) | Ending::Failed(_));
        let held = queries::end(&mut transaction, claim, ending, now).await?;
        if !held {
            return Ok(false);
        }
        if is_over {
            messages::announce(&mut transaction, &claim.id, now).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn sweep(
        &self,
        expired: Millis,
        now: Millis,
        attempts: u32,
        problem: &str,
    ) -> Result<(u64, u64), JobsError> {
        let mut transaction = self.begin().await?;
        let failed: Vec<String> = sqlx::query_scalar(
            "UPDATE jobs SET status = 'failed', finished_ms = ?4, problem = ?3, \
             lease_until_ms = NULL \
             WHERE status = 'running' AND lease_until_ms < ?1 AND attempt >= ?2 RETURNING id",
        )
        .bind(expired)
        .bind(attempts)
        .bind(problem)
        .bind(now)
        .fetch_all(&mut *transaction)
        .await?;
        for id in &failed {
            messages::announce(&mut transaction, id, now).await?;
        }
        let again = sqlx::query(
            "UPDATE jobs SET status = 'queued', lease_until_ms = NULL \
             WHERE status = 'running' AND lease_until_ms < ?1",
        )
        .bind(expired)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((again.rows_affected(), failed.len() as u64))
    }

    async fn hasten(&self, jobs: Millis, messages: Millis, now: Millis) -> Result<(), JobsError> {
        let mut transaction = self.begin().await?;
        for (statement, latest) in [
            (
                "UPDATE jobs SET not_before_ms = ?2 WHERE status = 'queued' AND not_before_ms > ?1",
                jobs,
            ),
            (
                "UPDATE outbox SET next_ms = ?2 WHERE state = 'pending' AND next_ms > ?1",
                messages,
            ),
        ] {
            let query = sqlx::query(statement).bind(latest).bind(now);
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn cancel(&self, id: &str, now: Millis) -> Result<Option<Job>, JobsError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "UPDATE jobs SET status = 'cancelled', finished_ms = ?2, lease_until_ms = NULL \
             WHERE id = ?1 AND status IN ('queued', 'running')",
        )
        .bind(id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 1 {
            messages::announce(&mut transaction, id, now).await?;
        }
        transaction.commit().await?;
        self.job(id).await
    }

    async fn job(&self, id: &str) -> Result<Option<Job>, JobsError> {
        let row: Option<JobRow> = sqlx::query_as("SELECT * FROM jobs WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.map(Job::try_from).transpose()
    }

    async fn jobs(&self, filter: &Filter) -> Result<Vec<Job>, JobsError> {
        let rows: Vec<JobRow> = sqlx::query_as(
            "SELECT * FROM jobs WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR status = ?2) \
             AND (?3 IS NULL OR lane = ?3) AND (?4 IS NULL OR seq < ?4) \
             ORDER BY seq DESC LIMIT ?5",
        )
        .bind(&filter.owner)
        .bind(filter.status.map(crate::domain::job::JobStatus::name))
        .bind(filter.lane.map(Lane::name))
        .bind(filter.before)
        .bind(filter.limit)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(Job::try_from).collect()
    }

    async fn keep(&self, report: KeptReport) -> Result<(), JobsError> {
        let mut transaction = self.begin().await?;
        queries::keep(&mut transaction, &report).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn report(&self, id: &str) -> Result<Option<KeptReport>, JobsError> {
        let row: Option<ReportRow> = sqlx::query_as("SELECT * FROM reports WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.map(KeptReport::try_from).transpose()
    }

    async fn depths(&self) -> Result<ByLane<Depth>, JobsError> {
        queries::depths(&self.readers).await
    }

    async fn unfinished(&self) -> Result<Vec<String>, JobsError> {
        let ids = sqlx::query_scalar("SELECT id FROM jobs WHERE status IN ('queued', 'running')")
            .fetch_all(&self.readers)
            .await?;
        Ok(ids)
    }

    async fn forget(&self, older: Millis, keys: Millis) -> Result<u64, JobsError> {
        queries::forget(&self.writer, older, keys, FORGOTTEN_AT_ONCE).await
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Message>, JobsError> {
        messages::due(&self.readers, now, limit).await
    }

    async fn delivered(&self, delivery: &Delivery, next: Next) -> Result<(), JobsError> {
        let mut transaction = self.begin().await?;
        messages::delivered(&mut transaction, delivery, next).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn deliveries(&self, job_id: &str) -> Result<Vec<Delivery>, JobsError> {
        messages::deliveries(&self.readers, job_id).await
    }

    async fn redeliver(&self, job_id: &str, now: Millis) -> Result<Option<Message>, JobsError> {
        messages::redeliver(&self.writer, job_id, now).await
    }
}
