//! Pages out of `SQLite`.

use async_trait::async_trait;

use super::{Listed, Mark, ReportStore, Span};
use crate::domain::lanes::Lane;
use crate::store::SqliteJobs;
use crate::store::jobs::JobsError;

#[async_trait]
impl ReportStore for SqliteJobs {
    async fn page(
        &self,
        span: &Span,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<Listed>, JobsError> {
        let after = begin(span, after);
        // Along `reports_created`, whose entries end with the row's `seq`.
        let rows: Vec<(i64, i64, String, String)> = sqlx::query_as(
            "SELECT created_ms, seq, id, body FROM reports \
             WHERE (created_ms, seq) > (?1, ?2) AND created_ms < ?3 \
             AND (?4 IS NULL OR lane = ?4) ORDER BY created_ms, seq LIMIT ?5",
        )
        .bind(after.created_ms)
        .bind(after.seq)
        .bind(span.until_ms)
        .bind(span.lane.map(Lane::name))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let listed = |(created_ms, seq, id, body)| Listed {
            mark: Mark { created_ms, seq },
            id,
            body,
        };
        Ok(rows.into_iter().map(listed).collect())
    }
    async fn number(&self, span: &Span, after: Option<Mark>) -> Result<u64, JobsError> {
        let after = begin(span, after);
        let number: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM reports WHERE (created_ms, seq) > (?1, ?2) \
             AND created_ms < ?3 AND (?4 IS NULL OR lane = ?4)",
        )
        .bind(after.created_ms)
        .bind(after.seq)
        .bind(span.until_ms)
        .bind(span.lane.map(Lane::name))
        .fetch_one(&self.readers)
        .await?;
        Ok(u64::try_from(number).unwrap_or_default())
    }
}

fn begin(span: &Span, after: Option<Mark>) -> Mark {
    after.unwrap_or(Mark {
        created_ms: span.from_ms,
        seq: i64::MIN,
    })
}
