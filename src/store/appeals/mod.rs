//! Reports that were made anew because somebody appealed: beside the first ones, and gone with them.

#[cfg(test)]
mod conformance;
mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;

use super::jobs::{JobsError, Millis};

/// Appeals that one report can have.
pub const MOST_APPEALS: u32 = 20;

/// What a report was made anew from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppealMaterial {
    /// Kept frames.
    Frames,
    /// The same upload, sent again.
    Content,
}

impl AppealMaterial {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Frames, Self::Content];

    /// Its name in the store and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Content => "content",
        }
    }
}

/// A report that was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appeal {
    /// ULID of the new report.
    pub id: String,
    /// The report that was appealed.
    pub report_id: String,
    /// Id of the key that appealed.
    pub owner: String,
    /// When.
    pub created_ms: Millis,
    /// What it was made from.
    pub material: AppealMaterial,
    /// The new report as JSON.
    pub body: String,
}

/// Where appeals are kept.
#[async_trait]
pub trait AppealStore: Debug + Send + Sync {
    /// Keeps an appeal; `false`, and nothing is changed, where there is no such report any more or it
    /// has [`MOST_APPEALS`] already.
    async fn appeal(&self, appeal: &Appeal) -> Result<bool, JobsError>;

    /// Appeals of a report, oldest first.
    async fn appeals(&self, report_id: &str) -> Result<Vec<Appeal>, JobsError>;

    /// The appeal whose new report has this id.
    async fn appealed(&self, id: &str) -> Result<Option<Appeal>, JobsError>;
}
