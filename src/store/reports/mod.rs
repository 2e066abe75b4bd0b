//! The stored reports in a row, a page at a time: nothing holds the database for longer.

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod filling;
mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

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
    /// From the first moment of the UTC day `from` to the last one of `to`; all where they are
    /// absent.
    pub fn of_days(from: Option<Date>, to: Option<Date>) -> Self {
        // A day behind the last one that there is is no day.
        let next = to.and_then(|to| to.tomorrow().ok());
        Self {
            from_ms: from.map_or(Millis::MIN, midnight),
            until_ms: next.map_or(Millis::MAX, midnight),
            lane: None,
        }
    }

    /// All reports that were made before `until_ms`.
    pub fn until(until_ms: Millis) -> Self {
        Self {
            from_ms: Millis::MIN,
            until_ms,
            lane: None,
        }
    }
}

/// The first moment of a day, UTC.
fn midnight(date: Date) -> Millis {
    let moment = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
    moment.unwrap_or(Timestamp::MIN).as_millisecond()
}

/// Where a report stands among all, by the time at which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// How many reports there are in `span` behind `after`.
    async fn number(&self, span: &Span, after: Option<Mark>) -> Result<u64, JobsError>;
}
