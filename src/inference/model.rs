//! A model that is loaded and warm.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::aggregation::Aggregation;
use crate::domain::calibration::Calibration;
use crate::domain::frame::Picture;
use crate::domain::lanes::Lane;
use crate::domain::quality::Bounds;
use crate::domain::score::Logit;
use crate::domain::verdict::Thresholds;

use super::backbone::{self, Backbone, Family};
use super::bundle::{Bundle, InputKind, Look, Scorer, Status};
use super::config::ModelsConfig;
use super::error::InferenceError;
use super::pool::Timed;
use super::preprocess::Pixels;
use super::provider::Provider;
use super::providers::{Placement, Providers};
use super::readout::Readout;
use super::session::Runtime;
use super::space::Space;
use super::tensor::Tensor;

/// What is known of a loaded model, for reports and `/v1/models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelInfo {
    /// The bundle's name.
    pub name: String,
    /// The bundle's version.
    pub version: String,
    /// Identity of the bundle's content, see [`Bundle::sha256`].
    pub sha256: String,
    /// How far it may be trusted.
    pub status: Status,
    /// What it answers, such as `ai_generated`.
    pub question: String,
    /// What one input shows.
    pub kind: InputKind,
    /// SPDX expression of the weights.
    pub license: String,
    /// SHA-256 of the graph. Models with the same one share a backbone where their inputs agree.
    pub backbone: String,
    /// The execution provider that runs it, by ONNX Runtime's name.
    #[schema(value_type = String)]
    pub provider: Provider,
    /// What ran where, and what was passed over.
    #[serde(flatten)]
    pub placement: Placement,
    /// Inputs that may share one run.
    #[schema(value_type = usize, minimum = 1)]
    pub max_batch: NonZeroUsize,
    /// Sessions of its backbone, each on a thread of its own.
    pub sessions: usize,
    /// Threads that one session computes with.
    pub intra_threads: usize,
}

/// A scorer with the backbone that runs it.
#[derive(Debug)]
pub struct Model {
    info: ModelInfo,
    scorer: Scorer,
    head: Arc<Readout>,
    space: Option<Arc<Space>>,
    backbone: Arc<Backbone>,
}

impl Model {
    /// Loads one bundle with a backbone of its own. Blocks for seconds.
    pub fn start(
        runtime: &Runtime,
        bundle: &Bundle<Scorer>,
        config: &ModelsConfig,
        providers: impl Into<Providers>,
    ) -> Result<Self, InferenceError> {
        let family = Family::of(bundle.clone());
        let backbone = Backbone::start(runtime, &family, config, providers)?;
        Ok(Self::new(bundle, &Arc::new(backbone)))
    }

    /// Loads the bundles of `family` on one backbone, in its order. Blocks for seconds.
    pub fn start_family(
        runtime: &Runtime,
        family: &Family,
        config: &ModelsConfig,
        providers: impl Into<Providers>,
    ) -> Result<Vec<Self>, InferenceError> {
        let backbone = Arc::new(Backbone::start(runtime, family, config, providers)?);
        let model = |bundle| Self::new(bundle, &backbone);
        Ok(family.bundles().map(model).collect())
    }

    fn new(bundle: &Bundle<Scorer>, backbone: &Arc<Backbone>) -> Self {
        Self {
            info: info(bundle, backbone),
            scorer: bundle.task.clone(),
            head: backbone::readout(bundle),
            space: bundle.space().map(Arc::new),
            backbone: Arc::clone(backbone),
        }
    }

    /// Who this is and how it runs.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What runs its graph.
    pub fn backbone(&self) -> &Arc<Backbone> {
        &self.backbone
    }

    /// Whether one run can answer for both. It takes the same pictures for that too: two models
    /// that cut faces differently ([`Model::look`]) still need a run each.
    pub fn same_backbone(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.backbone, &other.backbone)
    }

    /// What reads its answer from the backbone's outputs.
    pub fn head(&self) -> &Arc<Readout> {
        &self.head
    }

    /// The space of the vectors that its head reads; `None` where there are none to be kept.
    pub fn space(&self) -> Option<&Arc<Space>> {
        self.space.as_ref()
    }

    /// What it looks at.
    pub fn look(&self) -> &Look {
        &self.scorer.look
    }

    /// What it can judge.
    pub fn scope(&self) -> &Bounds {
        &self.scorer.scope
    }

    /// `picture`, or a face cut out of one, as the model sees it. Costs some milliseconds of
    /// computing: not for an async thread.
    pub fn pixels(&self, picture: &Picture) -> Pixels {
        self.backbone.preprocessor().pixels(picture)
    }

    /// The model's input: of one picture for frames and faces, of exactly [`Look::pictures`] in
    /// order of time for windows. An error for another count.
    pub fn tensor(&self, pictures: &[&Pixels]) -> Result<Tensor, InferenceError> {
        self.backbone.preprocessor().tensor(pictures)
    }

    /// The input of a model that takes one picture: both of the above.
    pub fn prepare(&self, picture: &Picture) -> Result<Tensor, InferenceError> {
        self.backbone.preprocessor().prepare(picture)
    }

    /// The uncalibrated log-odds of one prepared input, in the live lane; finite, or an error.
    pub async fn score(&self, tensor: Tensor) -> Result<Timed<Logit>, InferenceError> {
        let heads = [Arc::clone(&self.head)];
        let scored = self.backbone.score(tensor, &heads, Lane::Live).await?;
        let closed = || InferenceError::Closed {
            model: self.info.name.clone(),
        };
        Ok(Timed {
            answer: scored.logits.into_iter().next().ok_or_else(closed)??,
            queued: scored.queued,
            computed: scored.computed,
        })
    }

    /// How its frames become one value.
    pub fn aggregation(&self) -> Aggregation {
        self.scorer.aggregation
    }

    /// How its value becomes a probability.
    pub fn calibration(&self) -> &Calibration {
        &self.scorer.calibration
    }

    /// How its score becomes a verdict.
    pub fn thresholds(&self) -> Thresholds {
        self.scorer.verdict
    }

    /// Inputs that wait for a session of its backbone now.
    pub fn waiting(&self) -> usize {
        self.backbone.waiting()
    }
}

fn info(bundle: &Bundle<Scorer>, backbone: &Backbone) -> ModelInfo {
    let (identity, runs) = (&bundle.identity, backbone.info());
    ModelInfo {
        name: identity.name.clone(),
        version: identity.version.clone(),
        sha256: bundle.sha256.clone(),
        status: identity.status,
        question: bundle.task.question.clone(),
        kind: bundle.task.look.kind(),
        license: identity.license.clone(),
        backbone: runs.sha256.clone(),
        provider: runs.placement.provider,
        placement: runs.placement.clone(),
        max_batch: runs.max_batch,
        sessions: runs.sessions,
        intra_threads: runs.intra_threads,
    }
}
