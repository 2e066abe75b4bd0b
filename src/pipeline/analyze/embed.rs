//! The embeddings of an upload's frames, for training: the same way as for a report.

use super::{Gathering, Pipeline};
use crate::pipeline::admission::Permit;
use crate::pipeline::error::AnalyzeError;
use crate::pipeline::request::Request;
use crate::store::Upload;

impl Pipeline {
    /// What the head of the first model of `request`, which looks at whole pictures, reads of each
    /// frame that it scores, not normalised. No frame is spared. The order is that of the frames.
    pub async fn embed(
        &self,
        upload: Upload,
        request: &Request,
        permit: Permit,
    ) -> Result<Vec<Vec<f64>>, AnalyzeError> {
        let request = Request {
            adaptive: false,
            ..request.clone()
        };
        let gathering = Gathering {
            keeper: None,
            vectors: true,
        };
        let deadline = permit.deadline;
        let looking = self.look(&upload, &request, (&permit, &gathering));
        let seen = tokio::time::timeout_at(deadline.at, looking)
            .await
            .map_err(|_| deadline.passed())??;
        let mut vectors = seen.outputs.vectors;
        vectors.retain(|vector| vector.model == 0);
        vectors.sort_by_key(|vector| vector.frame);
        let vector = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
        Ok(vectors.iter().map(|found| vector(&found.values)).collect())
    }
}
