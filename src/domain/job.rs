//! Words for jobs: one video to score asynchronously.

use std::fmt::{self, Display};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Accepted, written down, and waiting for its lane's turn or for its next attempt.
    Queued,
    /// An attempt is on its way.
    Running,
    /// There is a report.
    Done,
    /// There is a problem, and no further attempt.
    Failed,
    /// Its owner gave it up.
    Cancelled,
}

impl JobStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing about the job changes any more.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }
}

impl Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatus {
    /// Accepted and written down; none of its lines was begun.
    Queued,
    /// At least one of its lines was begun.
    Running,
    /// Each of its lines has a report or a problem.
    Done,
    /// Its owner gave it up; lines that were over have their results.
    Cancelled,
}

/// What a job needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its content, which lies behind a URL.
    Fetch,
    /// Its report.
    Score,
}

impl Step {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Score => "score",
        }
    }
}

/// How long a job waits after its `attempt`-th attempt failed by a fault that can pass: `first`,
/// doubled with each attempt, at most `longest`.
pub fn backoff(attempt: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = attempt.saturating_sub(1).min(30);
    first.saturating_mul(1_u32 << doublings).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bound() {
        let (first, longest) = (Duration::from_secs(5), Duration::from_mins(10));
        let waits: Vec<u64> = (0..10)
            .map(|attempt| backoff(attempt, first, longest).as_secs())
            .collect();
        assert_eq!(waits, [5, 5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(backoff(u32::MAX, first, longest), longest);
    }

    #[test]
    fn three_states_are_final() {
        let last = JobStatus::ALL.into_iter().filter(|s| s.is_final());
        let names: Vec<_> = last.map(JobStatus::name).collect();
        assert_eq!(names, ["done", "failed", "cancelled"]);
    }
}
