//! The ledger in the file of the jobs and reports.

mod audit;
mod chain;
mod record;
mod review;
mod row;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use futures_util::TryStreamExt;

pub(in crate::store) use record::{backlog, enter, forgotten};

use self::row::DecidedRow;
use super::{Audit, Ledger, Recorded, Sought};
use crate::domain::audit::{Head, Sealed};
use crate::domain::review::Review;
use crate::domain::transparency::period::Period;
use crate::domain::transparency::{Counts, Cut, Table};
use crate::store::jobs::{JobsError, Millis, SqliteJobs};

/// Records that one call of [`Ledger::expire`] deletes.
const EXPIRED_AT_ONCE: i64 = 1000;

#[async_trait]
impl Ledger for SqliteJobs {
    async fn review(&self, review: Review) -> Result<Option<Sealed>, JobsError> {
        let mut transaction = self.begin().await?;
        let sealed = review::add(&mut transaction, &review).await?;
        transaction.commit().await?;
        Ok(sealed)
    }

    async fn reviews(&self, report: &str) -> Result<Option<Vec<Review>>, JobsError> {
        review::of(&self.readers, report).await
    }

    async fn reviews_after(&self, after: u64, limit: u32) -> Result<Vec<(u64, Review)>, JobsError> {
        review::after(&self.readers, after, limit).await
    }

    async fn count(&self, period: &Period, cut: Cut) -> Result<(Table, Head), JobsError> {
        let (from, to) = period.millis();
        // One transaction that reads sees one state of the store.
        let mut transaction = self.readers.begin().await?;
        let head = chain::head(&mut transaction).await?;
        let mut counts = Counts::new(cut);
        let mut rows = sqlx::query_as::<_, DecidedRow>(
            "SELECT policy, policy_version, rule, action, verdict, lane, ruling, asked_ms, \
             created_ms FROM ledger WHERE created_ms >= ?1 AND created_ms < ?2",
        )
        .bind(from)
        .bind(to)
        .fetch(&mut *transaction);
        while let Some(row) = rows.try_next().await? {
            counts.add(&row.try_into()?);
        }
        drop(rows);
        transaction.commit().await?;
        // Sorting the times of a quarter's decisions takes a while.
        let table = tokio::task::spawn_blocking(move || counts.into_table()).await;
        let table = table.map_err(|error| JobsError::Row {
            what: "a task's result",
            text: error.to_string(),
        })?;
        Ok((table, head))
    }

    async fn records(&self, sought: &Sought) -> Result<Vec<Recorded>, JobsError> {
        record::page(&self.readers, sought).await
    }

    async fn expire(&self, older: Millis) -> Result<u64, JobsError> {
        let mut transaction = self.begin().await?;
        let gone = record::expire(&mut transaction, older, EXPIRED_AT_ONCE).await?;
        transaction.commit().await?;
        Ok(gone)
    }

    async fn head(&self) -> Result<Head, JobsError> {
        let mut connection = self.readers.acquire().await?;
        chain::head(&mut connection).await
    }

    async fn audit(&self, expected: Option<&str>) -> Result<Audit, JobsError> {
        audit::walk(&self.readers, expected).await
    }
}
