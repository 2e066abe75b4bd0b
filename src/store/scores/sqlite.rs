//! Distributions of scores in the file of [`SqliteJobs`].

use async_trait::async_trait;

use super::{Bundle, Day, ScoreStore, Scores};
use crate::store::jobs::{JobsError, SqliteJobs};

#[async_trait]
impl ScoreStore for SqliteJobs {
    async fn add_scores(&self, day: Day, scores: &Scores) -> Result<(), JobsError> {
        let mut transaction = self.begin().await?;
        for (bundle, histogram) in scores {
            let filled = (0_i64..).zip(histogram.counts()).filter(|(_, n)| **n > 0);
            for (bin, count) in filled {
                sqlx::query(
                    "INSERT INTO score_counts (day, model, sha256, bin, scores) \
                     VALUES (?, ?, ?, ?, ?) \
                     ON CONFLICT DO UPDATE SET scores = scores + excluded.scores",
                )
                .bind(day)
                .bind(&bundle.model)
                .bind(&bundle.sha256)
                .bind(bin)
                .bind(i64::try_from(*count).unwrap_or(i64::MAX))
                .execute(&mut *transaction)
                .await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn scores(&self, since: Day) -> Result<Scores, JobsError> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT model, sha256, bin, sum(scores) FROM score_counts WHERE day >= ? \
             GROUP BY model, sha256, bin",
        )
        .bind(since)
        .fetch_all(&self.readers)
        .await?;
        let mut scores = Scores::new();
        for (model, sha256, bin, count) in rows {
            let histogram = scores.entry(Bundle { model, sha256 }).or_default();
            let bin = usize::try_from(bin).unwrap_or(usize::MAX);
            histogram.add_to(bin, u64::try_from(count).unwrap_or_default());
        }
        Ok(scores)
    }

    async fn forget_scores(&self, older: Day) -> Result<u64, JobsError> {
        let done = sqlx::query("DELETE FROM score_counts WHERE day < ?")
            .bind(older)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }
}
