//! What is written of each report that is scored again.

use serde::{Deserialize, Serialize};

use crate::domain::score::Probability;
use crate::domain::verdict::Verdict;
use crate::store::reports::Mark;

/// One report's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The stored report.
    pub id: String,
    /// Its place in the store: a run that goes on begins behind it.
    pub mark: Mark,
    /// Hash of what scored and decided: models, policies and the day.
    pub by: String,
    /// What came of it.
    #[serde(flatten)]
    pub result: Outcome,
}

/// What came of one report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It has a new score.
    Rescored(Rescored),
    /// It has none.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// Old and new, side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescored {
    /// BLAKE3 of the upload, hex.
    pub content: String,
    /// What the new score was made of.
    pub from: Source,
    /// As stored.
    pub old: Stand,
    /// As it is now.
    pub new: Stand,
    /// The models that were asked.
    pub models: Vec<Asked>,
}

/// What a new score was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The stored scores: only the policy is another one.
    Report,
    /// Kept vectors.
    Embeddings,
    /// Kept frames.
    Frames,
}

/// A score with what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stand {
    /// Of the worst question.
    pub score: Option<Probability>,
    /// On that score.
    pub verdict: Verdict,
    /// What the policy asks for.
    pub action: String,
    /// `receipt.report_blake3`, of a whole report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_blake3: Option<String>,
}

/// One model's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its bundle.
    pub name: String,
    /// The bundle's content hash.
    pub sha256: String,
    /// What it answers.
    pub question: String,
    /// Calibrated.
    pub score: Option<Probability>,
    /// On that score.
    pub verdict: Verdict,
    /// Units of the plan that it scored, of those that there were.
    pub scored: [u32; 2],
}

/// Why there is no new score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What to test for: `content_gone`, or a code of the API.
    pub code: String,
    /// For people.
    pub detail: String,
}
