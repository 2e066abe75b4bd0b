//! One stored report's video scored again by the models of now.

use std::sync::Arc;

use jiff::Timestamp;

use super::admission::Permit;
use super::analyze::{Pipeline, today};
use super::error::AnalyzeError;
use super::request::Options;
use crate::domain::lanes::Lane;
use crate::domain::policy::Policy;
use crate::domain::region::Region;
use crate::domain::report::Report;
use crate::store::Upload;

/// What is to be scored again.
#[derive(Debug, Clone)]
pub struct Again {
    /// The stored report.
    pub report: String,
    /// What decides now.
    pub policy: Arc<Policy>,
    /// The old request's lane: rules can differ by it.
    pub lane: Lane,
    /// The old request's region.
    pub region: Option<Region>,
}

/// What it is scored from.
#[derive(Debug)]
pub enum Material {
    /// Frames that were kept.
    Kept,
    /// The same upload.
    Content(Upload),
}

impl Pipeline {
    /// Scores it by the default models as of today, all planned frames, with every frame's score;
    /// the report says of which one it is. Nothing of it is kept or recalled.
    pub async fn again(
        &self,
        again: &Again,
        material: Material,
        permit: Permit,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let options = Options {
            frame_scores: true,
            adaptive: Some(false),
            region: again.region.clone(),
            ..Options::default()
        };
        let policy = Arc::clone(&again.policy);
        let report = match material {
            Material::Content(upload) => {
                let request = self.request_with_policy(&options, again.lane, policy)?;
                self.analyze(upload, &request.once(), permit).await?
            }
            Material::Kept => {
                let gone = || AnalyzeError::NothingKept(again.report.clone());
                let (archive, id) = (self.archive().ok_or_else(gone)?, again.report.clone());
                let frames = tokio::task::spawn_blocking(move || archive.frames(&id)).await??;
                let on = today(Timestamp::now());
                let decided = (policy, again.lane, on);
                self.replay(frames.ok_or_else(gone)?, &options, decided, permit)
                    .await?
            }
        };
        let mut report = Arc::unwrap_or_clone(report);
        report.rescored_of = Some(again.report.clone());
        Ok(Arc::new(report))
    }
}
