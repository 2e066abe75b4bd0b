//! Limits and defaults of one analysis, and the policies.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::recall::RecallConfig;
use crate::config::ConfigError;
use crate::domain::lanes::Lane;
use crate::domain::quality::Bounds;
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
    /// The same for single lanes.
    pub deadline_s_of: BTreeMap<Lane, f64>,
    /// Requests that may wait; one more is answered `overloaded`.
    pub queue: usize,
    /// Analyses at the same time; 0 means one a core.
    pub concurrency: usize,
    /// Prepared inputs of one request that may wait for a session.
    pub frames_in_flight: usize,
    /// Black bars are cut off before anything is scored.
    pub letterbox: bool,
    /// Whole frames are scored once whose pixels, at the model's input, differ by no more than this
    /// in any block of 16×16, in levels of 0 to 255 on average; 0 for identical ones only.
    pub same_within: f64,
    /// How good a frame must be for any model.
    pub quality: Bounds,
    /// Faces, for the models that look at them.
    pub faces: FacesConfig,
    /// Reports that are given again.
    pub recall: RecallConfig,
}

/// `[analysis.faces]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FacesConfig {
    /// Longest side, in pixels, of the picture in which faces are looked for and from which they
    /// are cut; larger frames are scaled down to it.
    pub max_side: u32,
    /// Faces that are looked at in one frame, the largest first; 1..=64, as joining them to tracks
    /// costs the cube.
    pub max_per_frame: usize,
}

impl Default for FacesConfig {
    fn default() -> Self {
        Self {
            max_side: 1280,
            max_per_frame: 32,
        }
    }
}

impl Default for AnalysisConfig {
    fn default() -> Self {
        Self {
            frames: SamplingPlan::DEFAULT_FRAMES,
            sampling: Strategy::default(),
            deadline_s: 120.0,
            deadline_s_of: BTreeMap::new(),
            queue: 64,
            concurrency: 0,
            frames_in_flight: 16,
            letterbox: true,
            same_within: 0.0,
            quality: Bounds::DEFAULT_GATE,
            faces: FacesConfig::default(),
            recall: RecallConfig::default(),
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
        let times = self.deadline_s_of.values();
        let keys = std::iter::once("analysis.deadline_s")
            .chain(std::iter::repeat("analysis.deadline_s_of"));
        for (key, seconds) in keys.zip(std::iter::once(&self.deadline_s).chain(times)) {
            if !(*seconds > 0.0 && *seconds <= 86_400.0) {
                return Err(ConfigError::Value {
                    key,
                    expected: "more than 0 and at most 86400",
                    got: seconds.to_string(),
                });
            }
        }
        if self.frames_in_flight == 0 {
            return Err(ConfigError::Value {
                key: "analysis.frames_in_flight",
                expected: "at least 1",
                got: "0".to_owned(),
            });
        }
        if !(0.0..=16.0).contains(&self.same_within) {
            return Err(ConfigError::Value {
                key: "analysis.same_within",
                expected: "0 to 16",
                got: self.same_within.to_string(),
            });
        }
        if let Err(error) = self.quality.validate() {
            return Err(ConfigError::Value {
                key: "analysis.quality",
                expected: "bounds that a picture can meet",
                got: error.to_string(),
            });
        }
        self.recall.validate()?;
        self.faces.validate()
    }

    /// Time that an analysis of `lane` may take once its upload is complete.
    pub fn deadline(&self, lane: Lane) -> Duration {
        let own = self.deadline_s_of.get(&lane).copied();
        Duration::from_secs_f64(own.unwrap_or(self.deadline_s))
    }

    /// Analyses at the same time.
    pub fn concurrency(&self) -> usize {
        if self.concurrency > 0 {
            return self.concurrency;
        }
        std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
    }
}

impl FacesConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if !(64..=8192).contains(&self.max_side) {
            return Err(ConfigError::Value {
                key: "analysis.faces.max_side",
                expected: "64..=8192",
                got: self.max_side.to_string(),
            });
        }
        if !(1..=64).contains(&self.max_per_frame) {
            return Err(ConfigError::Value {
                key: "analysis.faces.max_per_frame",
                expected: "1..=64",
                got: self.max_per_frame.to_string(),
            });
        }
        Ok(())
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
