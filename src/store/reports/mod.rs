//! The stored reports in a row, a page at a time: nothing holds the database for longer.

#[cfg(test)]
mod conformance;
mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;

use super::jobs::{JobsError, Millis};
use crate::domain::lanes::Lane;

/// Which reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Made at this time or later.
    pub from_ms: Millis,
    /// Made before this time.
    pub until_ms: Millis,
    /// Only those of this lane.
    pub lane: Option<Lane>,
}

impl Span {
    /// All reports that were made before `until_ms`.
    pub fn until(until_ms: Millis) -> Self {
        Self {
            from_ms: Millis::MIN,
            until_ms,
            lane: None,
        }
    }
}

/// Where a report stands among all, by the time at which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When it was made.
    pub created_ms: Millis,
    /// Of several of one time, the order in which they were stored.
    pub seq: i64,
}

/// One report of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its place.
    pub mark: Mark,
    /// ULID.
    pub id: String,
    /// The report as JSON.
    pub body: String,
}

/// Where reports can be read in a row.
#[async_trait]
pub trait ReportStore: Debug + Send + Sync {
    /// Up to `limit` reports of `span` behind `after`, oldest first. Fewer only where there are no
    /// more.
    async fn page(
        &self,
        span: &Span,
        after: Option<Mark>,
        limit: u32,
    ) -> Result<Vec<Listed>, JobsError>;
}
