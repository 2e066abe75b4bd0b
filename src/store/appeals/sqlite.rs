//! Appeals in `SQLite`.

use async_trait::async_trait;
use sqlx::FromRow;

use super::{Appeal, AppealMaterial, AppealStore, MOST_APPEALS};
use crate::store::SqliteJobs;
use crate::store::jobs::{JobsError, Millis};

#[derive(Debug, FromRow)]
struct Row {
    id: String,
    report_id: String,
    owner: String,
    created_ms: Millis,
    material: String,
    body: String,
}

impl TryFrom<Row> for Appeal {
    type Error = JobsError;

    fn try_from(row: Row) -> Result<Self, JobsError> {
        let mut all = AppealMaterial::ALL.into_iter();
        let material = all.find(|material| material.name() == row.material);
        Ok(Self {
            material: material.ok_or_else(|| JobsError::Row {
                what: "a material",
                text: row.material.clone(),
            })?,
            id: row.id,
            report_id: row.report_id,
            owner: row.owner,
            created_ms: row.created_ms,
            body: row.body,
        })
    }
}

#[async_trait]
impl AppealStore for SqliteJobs {
    async fn appeal(&self, appeal: &Appeal) -> Result<bool, JobsError> {
        let done = sqlx::query(
            "INSERT INTO appeals (id, report_id, owner, created_ms, material, body) \
             SELECT ?1, id, ?3, ?4, ?5, ?6 FROM reports WHERE id = ?2 \
             AND (SELECT count(*) FROM appeals WHERE report_id = ?2) < ?7",
        )
        .bind(&appeal.id)
        .bind(&appeal.report_id)
        .bind(&appeal.owner)
        .bind(appeal.created_ms)
        .bind(appeal.material.name())
        .bind(&appeal.body)
        .bind(MOST_APPEALS)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn appeals(&self, report_id: &str) -> Result<Vec<Appeal>, JobsError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, report_id, owner, created_ms, material, body FROM appeals \
             WHERE report_id = ? ORDER BY seq",
        )
        .bind(report_id)
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter().map(Appeal::try_from).collect()
    }

    async fn appealed(&self, id: &str) -> Result<Option<Appeal>, JobsError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, report_id, owner, created_ms, material, body FROM appeals WHERE id = ?",
        )
        .bind(id)
        .fetch_optional(&self.readers)
        .await?;
        row.map(Appeal::try_from).transpose()
    }
}
