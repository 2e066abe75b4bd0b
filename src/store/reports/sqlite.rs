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
        let before_all = Mark {
            created_ms: span.from_ms,
            seq: i64::MIN,
        };
        let after = after.unwrap_or(before_all);
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
}
