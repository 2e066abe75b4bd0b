//! Flags in the same file as the jobs.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;

use super::{Flag, FlagFilter, FlagStore, NewFlag};
use crate::domain::flag::{Counted, FlagOutcome, Grounds, Organisation, Tally};
use crate::store::jobs::{JobsError, Millis, SqliteJobs};

#[derive(Debug, FromRow)]
struct FlagRow {
    seq: i64,
    id: String,
    owner: String,
    organisation: String,
    case_ref: Option<String>,
    reason: Option<String>,
    content_url: Option<String>,
    received_ms: Millis,
    due_ms: Millis,
    ended_ms: Option<Millis>,
    outcome: Option<String>,
    report_id: Option<String>,
}

impl TryFrom<FlagRow> for Flag {
    type Error = JobsError;

    fn try_from(row: FlagRow) -> Result<Self, JobsError> {
        let organisation = row.organisation.parse();
        Ok(Self {
            seq: row.seq,
            id: row.id,
            owner: row.owner,
            organisation: organisation.map_err(|_| JobsError::Row {
                what: "an organisation",
                text: row.organisation,
            })?,
            grounds: Grounds {
                case_ref: row.case_ref,
                reason: row.reason,
                content_url: row.content_url,
            },
            received_ms: row.received_ms,
            due_ms: row.due_ms,
            ended: ended(row.outcome.as_deref(), row.ended_ms)?,
            report_id: row.report_id,
        })
    }
}

fn ended(
    outcome: Option<&str>,
    at: Option<Millis>,
) -> Result<Option<(FlagOutcome, Millis)>, JobsError> {
    let outcome = match outcome {
        None => return Ok(None),
        Some("done") => FlagOutcome::Done,
        Some("failed") => FlagOutcome::Failed,
        Some("cancelled") => FlagOutcome::Cancelled,
        Some(other) => {
            return Err(JobsError::Row {
                what: "an outcome",
                text: other.to_owned(),
            });
        }
    };
    Ok(at.map(|at| (outcome, at)))
}

/// Writes down what came with the job of this id.
pub(in crate::store) async fn insert(
    connection: &mut SqliteConnection,
    job_id: &str,
    owner: &str,
    flag: &NewFlag,
    now: Millis,
) -> Result<(), JobsError> {
    let Grounds {
        case_ref,
        reason,
        content_url,
    } = &flag.grounds;
    sqlx::query(
        "INSERT INTO flags (id, owner, organisation, case_ref, reason, content_url, received_ms, \
         due_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(job_id)
    .bind(owner)
    .bind(flag.organisation.as_str())
    .bind(case_ref)
    .bind(reason)
    .bind(content_url)
    .bind(now)
    .bind(flag.due_ms)
    .execute(connection)
    .await?;
    Ok(())
}

#[async_trait]
impl FlagStore for SqliteJobs {
    async fn flag(&self, id: &str) -> Result<Option<Flag>, JobsError> {
        let row: Option<FlagRow> = sqlx::query_as("SELECT * FROM flags WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.map(Flag::try_from).transpose()
    }

    async fn flags(&self, filter: &FlagFilter) -> Result<Vec<Flag>, JobsError> {
        let rows: Vec<FlagRow> = sqlx::query_as(
            "SELECT * FROM flags WHERE (?1 IS NULL OR organisation = ?1) \
             AND (?2 IS NULL OR (ended_ms IS NOT NULL) = ?2) AND (?3 IS NULL OR seq < ?3) \
             ORDER BY seq DESC LIMIT ?4",
        )
        .bind(filter.organisation.as_ref().map(Organisation::as_str))
        .bind(filter.is_over)
        .bind(filter.before)
        .bind(filter.limit)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(Flag::try_from).collect()
    }

    async fn tally(
        &self,
        from: Millis,
        to: Millis,
        organisation: Option<&Organisation>,
        now: Millis,
    ) -> Result<Tally, JobsError> {
        type Row = (
            String,
            Millis,
            Millis,
            Option<String>,
            Option<Millis>,
            Option<bool>,
        );
        let mut rows = sqlx::query_as::<_, Row>(
            "SELECT f.organisation, f.received_ms, f.due_ms, f.outcome, f.ended_ms, \
             CASE WHEN l.entry IS NOT NULL \
             THEN (l.rule <> '') <> (l.ruling IS 'overturned') END FROM flags f \
             LEFT JOIN ledger l ON l.report = f.report_id WHERE f.received_ms >= ?1 \
             AND f.received_ms < ?2 AND (?3 IS NULL OR f.organisation = ?3)",
        )
        .bind(from)
        .bind(to)
        .bind(organisation.map(Organisation::as_str))
        .fetch(&self.readers);
        let mut tally = Tally::default();
        while let Some((organisation, received_ms, due_ms, outcome, ended_ms, upheld)) =
            rows.try_next().await?
        {
            let ended = ended(outcome.as_deref(), ended_ms)?;
            let flag = Counted {
                organisation,
                received_ms,
                due_ms,
                ended,
                upheld,
            };
            tally.add(&flag, now);
        }
        Ok(tally)
    }

    async fn overdue(&self, now: Millis) -> Result<u64, JobsError> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM flags WHERE ended_ms IS NULL AND due_ms < ?")
                .bind(now)
                .fetch_one(&self.readers)
                .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn forget_flags(&self, older: Millis) -> Result<u64, JobsError> {
        let done = sqlx::query(
            "DELETE FROM flags WHERE seq IN \
             (SELECT seq FROM flags WHERE ended_ms < ? ORDER BY seq LIMIT 1000)",
        )
        .bind(older)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }
}
