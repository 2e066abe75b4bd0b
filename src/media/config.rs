//! Settings of the decoder child.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::limits::MediaLimits;
use super::sandbox::{ChildConfig, SandboxMode};

/// `[media]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaConfig {
    /// The child's program; `None` means `jaga-decoder` beside the running program.
    pub decoder: Option<PathBuf>,
    /// Children that wait, linked and ready, for the next upload.
    pub warm_children: usize,
    /// Decoder threads of one child; 0 means twice the number of cores, at most 4.
    pub decoder_threads: u32,
    /// What to do where a wall around the child can't be built.
    pub sandbox: SandboxMode,
    /// What one child may use.
    pub child: ChildConfig,
    /// What a file may have.
    pub limits: MediaLimits,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            decoder: None,
            warm_children: 2,
            decoder_threads: 0,
            sandbox: SandboxMode::default(),
            child: ChildConfig::default(),
            limits: MediaLimits::default(),
        }
    }
}

/// `[perturb]` in `jaga.toml`: the perturber child of `jaga eval --perturb`. What is set for the
/// decoder child ([`MediaConfig::child`], [`MediaConfig::limits`], [`MediaConfig::sandbox`]) holds
/// for it too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PerturbConfig {
    /// The child's program; `None` means `jaga-perturber` beside the running program.
    pub program: Option<PathBuf>,
    /// Seconds that one perturbed video may take to make.
    pub deadline_s: f64,
    /// Bytes that one may have.
    pub max_output_bytes: u64,
}

impl Default for PerturbConfig {
    fn default() -> Self {
        Self {
            program: None,
            deadline_s: 120.0,
            max_output_bytes: 256 << 20,
        }
    }
}
