//! How live scores are distributed, by day and model: counts alone, nothing of an upload.

#[cfg(test)]
mod conformance;
mod sqlite;

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;

use crate::domain::drift::ScoreHistogram;
use crate::store::jobs::JobsError;

/// Days since 1970, UTC.
pub type Day = i64;

/// A bundle: its name and its content hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    /// The model's name.
    pub model: String,
    /// Hash over all its files.
    pub sha256: String,
}

/// Scores by bundle.
pub type Scores = BTreeMap<Bundle, ScoreHistogram>;

/// Where distributions of scores are kept.
#[async_trait]
pub trait ScoreStore: Debug + Send + Sync {
    /// Adds the scores of a day, all or none of them.
    async fn add_scores(&self, day: Day, scores: &Scores) -> Result<(), JobsError>;

    /// The scores of `since` and the days after it.
    async fn scores(&self, since: Day) -> Result<Scores, JobsError>;

    /// Forgets the days before `older`. Returns how many rows went.
    async fn forget_scores(&self, older: Day) -> Result<u64, JobsError>;
}
