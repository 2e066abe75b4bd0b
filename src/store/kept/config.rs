//! What is kept of videos that were scored.

use serde::{Deserialize, Serialize};

/// `[keep]` in `jaga.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepConfig {
    /// What is kept.
    pub material: Material,
    /// Days for which it is kept, 1..=3650; at most `jobs.keep_days`.
    pub days: u32,
    /// Bytes that it may take; the oldest goes first.
    pub max_bytes: u64,
}

/// Material for scoring a report again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Material {
    /// None.
    #[default]
    None,
    /// The decoded frames, losslessly: any model can be asked again.
    Frames,
    /// The backbones' embeddings of whole frames: another head on the same backbone can be asked.
    Embeddings,
}

impl Default for KeepConfig {
    fn default() -> Self {
        Self {
            material: Material::None,
            days: 30,
            max_bytes: 64 << 30,
        }
    }
}
