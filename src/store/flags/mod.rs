//! What trusted reporters say with their jobs, kept beside these.
//!
//! A flag comes with its job ([`NewJob::flag`](super::jobs::NewJob::flag)), in the same transaction,
//! and ends with it. `conformance` has the tests that each implementation passes.

#[cfg(test)]
mod conformance;
pub(in crate::store) mod sqlite;

use async_trait::async_trait;

use super::jobs::{JobsError, Millis};
use crate::domain::flag::{FlagOutcome, Grounds, Organisation, Tally};

/// A flag to be taken with its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFlag {
    /// Who flags.
    pub organisation: Organisation,
    /// What it says.
    pub grounds: Grounds,
    /// When an answer is due.
    pub due_ms: Millis,
}

/// A flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Place in the order of acceptance; a list goes on after it.
    pub seq: i64,
    /// The job's id, and the flag's.
    pub id: String,
    /// Id of the key that it came with.
    pub owner: String,
    /// Who flagged.
    pub organisation: Organisation,
    /// What it said; empty once the job is forgotten.
    pub grounds: Grounds,
    /// When it was taken.
    pub received_ms: Millis,
    /// When an answer is due.
    pub due_ms: Millis,
    /// How and when it ended.
    pub ended: Option<(FlagOutcome, Millis)>,
    /// Its report's id.
    pub report_id: Option<String>,
}

/// Which flags are listed, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagFilter {
    /// Only those of this organisation.
    pub organisation: Option<Organisation>,
    /// Only those that wait, or only those that are over.
    pub is_over: Option<bool>,
    /// Only those that were taken before the flag of this place.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Where flags are kept.
#[async_trait]
pub trait FlagStore {
    /// The flag of this id.
    async fn flag(&self, id: &str) -> Result<Option<Flag>, JobsError>;

    /// Flags, newest first.
    async fn flags(&self, filter: &FlagFilter) -> Result<Vec<Flag>, JobsError>;

    /// Figures of the flags that were taken from `from` and before `to`, of one organisation or of
    /// each, as they stand `now`.
    async fn tally(
        &self,
        from: Millis,
        to: Millis,
        organisation: Option<&Organisation>,
        now: Millis,
    ) -> Result<Tally, JobsError>;

    /// Flags that wait though their answer was due before `now`.
    async fn overdue(&self, now: Millis) -> Result<u64, JobsError>;

    /// Forgets up to a thousand flags that ended before `older`; returns how many.
    async fn forget_flags(&self, older: Millis) -> Result<u64, JobsError>;
}
