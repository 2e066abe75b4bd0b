//! Limits and defaults of one analysis, and the policies.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::domain::sampling::{SamplingPlan, Strategy};

/// `[analysis]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnalysisConfig {
    /// Frames when a request says nothing, 1..=256.
    pub frames: u32,
    /// Sampling when a request says nothing.
    pub sampling: Strategy,
    /// Seconds that an analysis may take once its upload is complete.
    pub deadline_s: f64,
    /// Requests that may wait; one more is answered `overloaded`.
    pub queue: usize,
    /// Analyses at the same time; 0 means one a core.
    pub concurrency: usize,
    /// Prepared frames of one request that may wait for a session.
    pub frames_in_flight: usize,
}

impl Default for AnalysisConfig {
    fn default() -> Self {
        Self {
            frames: SamplingPlan::DEFAULT_FRAMES,
            sampling: Strategy::default(),
            deadline_s: 120.0,
            queue: 64,
            concurrency: 0,
            frames_in_flight: 16,
        }
    }
}

impl AnalysisConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if SamplingPlan::new(self.sampling, self.frames).is_err() {
            return Err(ConfigError::Value {
                key: "analysis.frames",
                expected: "1..=256",
                got: self.frames.to_string(),
            });
        }
        if !(self.deadline_s > 0.0 && self.deadline_s <= 86_400.0) {
            return Err(ConfigError::Value {
                key: "analysis.deadline_s",
                expected: "more than 0 and at most 86400",
                got: self.deadline_s.to_string(),
            });
        }
        if self.frames_in_flight == 0 {
            return Err(ConfigError::Value {
                key: "analysis.frames_in_flight",
                expected: "at least 1",
                got: "0".to_owned(),
            });
        }
        Ok(())
    }

    /// Analyses at the same time.
    pub fn concurrency(&self) -> usize {
        if self.concurrency > 0 {
            return self.concurrency;
        }
        std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
    }
}

/// `[policy]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Policy files, besides the built-in `default`.
    pub files: Vec<PathBuf>,
    /// Name of the policy that decides when a request names none.
    pub default: String,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            default: "default".to_owned(),
        }
    }
}
