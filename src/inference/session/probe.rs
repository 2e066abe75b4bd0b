//! Whether a provider works at all here: a tiny graph, run once.

use std::path::Path;

use ndarray::ArrayD;

use super::super::error::InferenceError;
use super::super::providers::{Nodes, Target};
use super::super::tensor::Tensor;
use super::profile::Profile;
use super::{Runtime, Session, SessionConfig, builder, execution};

/// `logit` [1] = 1, 2 and 4 times the means of the channels of `x` float32 [1, 3, 2, 2]; written by
/// `tests/models/make.py` as `single.onnx`.
const PROBE: &[u8] = include_bytes!("probe.onnx");

/// Its name in errors.
const NAME: &str = "probe";

impl Runtime {
    /// Runs a tiny graph on the target; what of it ran where. An error says why that can't be.
    pub fn probe(&self, target: &Target) -> Result<Nodes, InferenceError> {
        let config = SessionConfig {
            target,
            intra_threads: 1,
        };
        let failed = |reason: String| InferenceError::Load {
            model: NAME.to_owned(),
            path: Path::new("probe.onnx").to_owned(),
            reason,
        };
        let profile = Profile::of(target).map_err(failed)?;
        let builder =
            builder(self, config, profile.as_ref()).map_err(|e| failed(e.message().to_owned()))?;
        let inner = execution::register(builder, self, config, None)?
            .commit_from_memory(PROBE)
            .map_err(|e| failed(e.message().to_owned()))?;
        let mut session = Session {
            inner,
            options: Vec::new(),
            shrink: false,
            model: NAME.to_owned(),
            input: "x".to_owned(),
            profile,
        };
        let ones = ArrayD::from_elem(vec![1, 3, 2, 2], 1.0);
        session.run(&Tensor::Float32(ones), &["logit"])?;
        session.placed()
    }
}
