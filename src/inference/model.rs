//! A model that is loaded and warm.

use std::num::NonZeroUsize;
use std::time::Instant;

use ndarray::Array4;
use serde::Serialize;

use crate::domain::aggregation::Aggregation;
use crate::domain::calibration::Calibration;
use crate::domain::frame::Picture;
use crate::domain::verdict::Thresholds;

use super::bundle::manifest::Dtype;
use super::bundle::{Bundle, Status};
use super::config::{ModelsConfig, Provider};
use super::error::InferenceError;
use super::pool::{Pool, Scored};
use super::preprocess::Preprocessor;
use super::session::{Runtime, Session, SessionConfig, SharedWeights};
use super::tensor::Tensor;

/// What is known of a loaded model, for reports and `/v1/models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// SPDX expression of the weights.
    pub license: String,
    /// The execution provider that runs it, by ONNX Runtime's name.
    pub provider: Provider,
    /// Pictures that may share one run.
    pub max_batch: NonZeroUsize,
    /// Sessions, each on a thread of its own.
    pub sessions: usize,
    /// Threads that one session computes with.
    pub intra_threads: usize,
}

/// A bundle with its sessions, each warmed up.
#[derive(Debug)]
pub struct Model {
    info: ModelInfo,
    preprocessor: Preprocessor,
    calibration: Calibration,
    aggregation: Aggregation,
    thresholds: Thresholds,
    pool: Pool,
}

impl Model {
    /// Loads as many sessions as the configuration and the bundle ask for and runs each once.
    /// Blocks for seconds.
    pub fn start(
        runtime: &Runtime,
        bundle: &Bundle,
        config: &ModelsConfig,
        provider: Provider,
    ) -> Result<Self, InferenceError> {
        let begin = Instant::now();
        let manifest = &bundle.manifest;
        let preprocessor = Preprocessor::new(&manifest.input);
        let session_config = SessionConfig {
            provider,
            intra_threads: config.intra_threads_for(manifest.runtime.intra_threads),
        };
        let count = config.sessions_for(manifest.runtime.sessions);
        let sessions = warm_sessions(runtime, bundle, &preprocessor, session_config, count)?;
        let info = info(bundle, session_config, count);
        tracing::info!(
            model = info.name,
            version = info.version,
            provider = provider.name(),
            sessions = count,
            elapsed_ms = begin.elapsed().as_millis(),
            "model loaded"
        );
        Ok(Self {
            pool: Pool::start(&info.name, sessions, config.queue)?,
            info,
            preprocessor,
            calibration: manifest.calibration.clone(),
            aggregation: manifest.aggregation,
            thresholds: manifest.verdict,
        })
    }

    /// Who this is and how it runs.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The model's input for `picture`. Costs some milliseconds of computing: not for an async
    /// thread.
    pub fn prepare(&self, picture: &Picture) -> Result<Tensor, InferenceError> {
        self.preprocessor.prepare(picture)
    }

    /// The uncalibrated log-odds of one prepared picture; finite, or an error.
    pub async fn score(&self, tensor: Tensor) -> Result<Scored, InferenceError> {
        self.pool.run(tensor).await
    }

    /// How its frames become one value.
    pub fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// How its value becomes a probability.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// How its score becomes a verdict.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Pictures that wait for a session now.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }
}

/// `count` sessions of `bundle`, each run once; several share the weights that can be shared.
fn warm_sessions(
    runtime: &Runtime,
    bundle: &Bundle,
    preprocessor: &Preprocessor,
    config: SessionConfig,
    count: usize,
) -> Result<Vec<Session>, InferenceError> {
    let shape = preprocessor.shape();
    let blank = blank(bundle.manifest.input.dtype, shape);
    let weights = if count > 1 {
        SharedWeights::read(bundle)?
    } else {
        SharedWeights::default()
    };
    let warm = |_| {
        let mut session = Session::new(runtime, bundle, shape, config, &weights)?;
        session.run(&blank)?;
        Ok(session)
    };
    (0..count).map(warm).collect()
}

fn info(bundle: &Bundle, config: SessionConfig, sessions: usize) -> ModelInfo {
    let manifest = &bundle.manifest;
    ModelInfo {
        name: manifest.model.name.clone(),
        version: manifest.model.version.clone(),
        sha256: bundle.sha256.clone(),
        status: manifest.model.status,
        question: manifest.model.question.clone(),
        license: manifest.model.license.clone(),
        provider: config.provider,
        max_batch: manifest.runtime.max_batch,
        sessions,
        intra_threads: config.intra_threads,
    }
}

/// Mid-grey: an all-zero embedding would be no score.
fn blank(dtype: Dtype, shape: [usize; 4]) -> Tensor {
    match dtype {
        Dtype::Uint8 => Tensor::Uint8(Array4::from_elem(shape, 128)),
        Dtype::Float32 | Dtype::Float16 => Tensor::Float32(Array4::from_elem(shape, 0.5)),
    }
}
