//! What came of each video.

use serde::{Deserialize, Serialize};

use super::manifest::Video;

/// One model's answer to one video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It has a score.
    Scored {
        /// Calibrated where jaga made it.
        score: f64,
        /// Share of the planned frames that it rests on, where known.
        coverage: Option<f64>,
        /// Time in seconds and score of each frame or window, where known.
        frames: Vec<(f64, f64)>,
    },
    /// The model could not tell.
    Inconclusive {
        /// Why, where known.
        reason: Option<String>,
        /// As above.
        coverage: Option<f64>,
    },
    /// The file could not be scored.
    Failed {
        /// As in jaga's problems.
        code: String,
        /// For people.
        detail: String,
    },
}

impl Outcome {
    /// The score, where there is one.
    pub fn score(&self) -> Option<f64> {
        match self {
            Self::Scored { score, .. } => Some(*score),
            Self::Inconclusive { .. } | Self::Failed { .. } => None,
        }
    }

    /// The share of planned frames that were scored, where known.
    pub fn coverage(&self) -> Option<f64> {
        match self {
            Self::Scored { coverage, .. } | Self::Inconclusive { coverage, .. } => *coverage,
            Self::Failed { .. } => None,
        }
    }

    /// Scores over time; empty where unknown.
    pub fn frames(&self) -> &[(f64, f64)] {
        match self {
            Self::Scored { frames, .. } => frames,
            Self::Inconclusive { .. } | Self::Failed { .. } => &[],
        }
    }
}

/// What made a model's scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The bundle's version.
    pub version: String,
    /// The bundle's content hash.
    pub sha256: String,
    /// `experimental` or `validated`.
    pub status: String,
    /// What it answers.
    pub question: String,
    /// Execution provider, by ONNX Runtime's name.
    pub provider: String,
}

/// One model's answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The model's name.
    pub model: String,
    /// Absent for scores of other tools, and where no file could be scored.
    pub provenance: Option<Provenance>,
    /// One a video, in the order of [`Results::videos`].
    pub outcomes: Vec<Outcome>,
}

/// What all models said of all videos.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// In the table's order.
    pub videos: Vec<Video>,
    /// BLAKE3 of each video's bytes, where known.
    pub contents: Vec<Option<String>>,
    /// In the order in which the models were named.
    pub columns: Vec<Column>,
}
