//! The embeddings of an upload's frames, for training: the same decoding, cutting and preprocessing
//! as for a report, without the head.

use std::sync::{Arc, OnceLock};

use futures_util::stream::{self, TryStreamExt};

use super::Pipeline;
use crate::pipeline::admission::Permit;
use crate::pipeline::error::AnalyzeError;
use crate::pipeline::framing::framed;
use crate::pipeline::request::Request;
use crate::pipeline::sight::{Part, look};
use crate::pipeline::source::Source;
use crate::pipeline::stage;
use crate::pipeline::views::Role;
use crate::store::Upload;

impl Pipeline {
    /// What the first model of `request`, which looks at whole pictures, makes of each frame that it
    /// would score, not normalised. No frame is spared. The order is that of the frames.
    pub async fn embed(
        &self,
        upload: Upload,
        request: &Request,
        permit: Permit,
    ) -> Result<Vec<Vec<f64>>, AnalyzeError> {
        let deadline = permit.deadline;
        let found = tokio::time::timeout_at(deadline.at, self.read(&upload, request, &permit));
        found.await.map_err(|_| deadline.passed())?
    }

    async fn read(
        &self,
        upload: &Upload,
        request: &Request,
        permit: &Permit,
    ) -> Result<Vec<Vec<f64>>, AnalyzeError> {
        let decoder = &self.decoder;
        let opened = decoder.open(upload.descriptor()?, permit.deadline.at);
        let mut media = opened.await?;
        media.choose(&request.views.plan).await?;
        let mut terms = self.terms(upload, request, permit);
        terms.adaptive = None;
        let terms = &terms;
        let role = Role {
            still: true,
            windows: Vec::new(),
        };
        let bars = Arc::new(OnceLock::new());
        let source = Source::Media(Box::new(media));
        let parts = framed(source, self.config.letterbox, bars, stage::decode())
            .map_ok(|framed| look(framed, role.clone(), terms))
            .try_buffered(1)
            .map_ok(|(_, parts)| stream::iter(parts.into_iter().map(Ok)))
            .try_flatten()
            .try_filter_map(|part| async move { Ok(part.pixels.is_some().then_some(part)) });
        parts
            .map_ok(|part| self.embedded(part, request, permit))
            .try_buffered(self.config.frames_in_flight)
            .try_collect()
            .await
    }

    async fn embedded(
        &self,
        part: Part,
        request: &Request,
        permit: &Permit,
    ) -> Result<Vec<f64>, AnalyzeError> {
        let group = request.views.groups.get(part.group);
        let model = group.and_then(|group| request.models.get(*group.members.first()?));
        let Some((group, model)) = group.zip(model) else {
            return Ok(Vec::new());
        };
        let backbone = Arc::clone(&group.backbone);
        let tensor = tokio::task::spawn_blocking(move || {
            let pixels: Vec<_> = part.pixels.iter().collect();
            backbone.preprocessor().tensor(&pixels)
        });
        let tensor = tensor.await??;
        let heads = [Arc::clone(model.head())];
        let scored = group
            .backbone
            .score_with_vectors(tensor, &heads, permit.lane());
        let vector = scored.await?.vectors.into_iter().flatten().next();
        Ok(vector.into_iter().flatten().map(f64::from).collect())
    }
}
