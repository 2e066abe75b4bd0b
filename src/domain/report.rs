//! What a caller gets: schema `jaga.report/1`. `docs/report.md` explains it line by line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::coverage::Coverage;
use super::media::MediaFacts;
use super::policy::Decision;
use super::score::Probability;
use super::segments::Segment;
use super::verdict::Verdict;

/// The `schema` of every report.
pub const SCHEMA: &str = "jaga.report/1";

/// Questions that every report answers or says why not.
pub const STANDING_QUESTIONS: [&str; 2] = ["ai_generated", "face_manipulation"];

/// The answer to one upload.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// ULID of this report.
    pub id: String,
    /// RFC 3339, UTC, to the second.
    pub created_at: String,
    /// The upload.
    pub media: MediaReport,
    /// Calibrated probability of the worst answered question; `None` when there is none.
    pub score: Option<Probability>,
    /// Of the same model as the score.
    pub verdict: Verdict,
    /// By name of the question.
    pub questions: BTreeMap<String, Answer>,
    /// In the order of the request.
    pub models: Vec<ModelReport>,
    /// What the policy asks for.
    pub policy: Decision,
    /// How to compute the same again.
    pub receipt: Receipt,
    /// Where the time went.
    pub timings_ms: Timings,
}

/// The upload's identity and facts.
#[derive(Debug, Clone, Serialize)]
pub struct MediaReport {
    /// BLAKE3 of the bytes, hex.
    pub blake3: String,
    /// Their number.
    pub bytes: u64,
    /// What the decoder found.
    #[serde(flatten)]
    pub facts: MediaFacts,
}

/// A question's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Score of the worst model that answered; `None` with a reason.
    pub score: Option<Probability>,
    /// Models that were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<NoAnswer>,
}

/// Why a question has no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoAnswer {
    /// No model that answers it was asked.
    NoModel,
    /// Less than half of the planned frames could be scored.
    LowCoverage,
}

/// One model's part of a report.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReport {
    /// Bundle name.
    pub name: String,
    /// Bundle version.
    pub version: String,
    /// Content hash of the bundle.
    pub sha256: String,
    /// `experimental` or `validated`.
    pub status: &'static str,
    /// The question that it answers.
    pub question: String,
    /// Execution provider that ran it, by ONNX Runtime's name.
    pub provider: String,
    /// Calibrated; `None` when coverage is too low.
    pub score: Option<Probability>,
    /// By this model's thresholds.
    pub verdict: Verdict,
    /// Aggregated but not calibrated; `None` with the score.
    pub raw_score: Option<Probability>,
    /// Kind of calibration.
    pub calibration: &'static str,
    /// Kind of aggregation.
    pub aggregation: &'static str,
    /// What the score rests on.
    pub coverage: Coverage,
    /// Stretches of the video that agree.
    pub segments: Vec<Segment>,
    /// Every frame, on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<Vec<FrameReport>>,
}

/// One frame's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrameReport {
    /// Seconds after the first video frame.
    pub time_s: f64,
    /// Through the same calibration as the video's score; `None` when this frame failed.
    pub score: Option<Probability>,
}

/// Hashes and versions from which the same report can be computed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// jaga and its version.
    pub program: String,
    /// ONNX Runtime's version.
    pub onnxruntime: String,
    /// FFmpeg's version, as the child says.
    pub ffmpeg: String,
    /// Strategy and number of frames, such as `keyframe/16`.
    pub plan: String,
    /// BLAKE3 over all settings that can move a score or a decision.
    pub config_blake3: String,
    /// BLAKE3 over this report without `id`, `created_at`, `timings_ms` and this field.
    pub report_blake3: String,
}

/// Milliseconds by stage. Stages overlap: `decode` is the time that the request waited for the
/// decoder, `preprocess`, `queue` and `inference` are sums over frames, `total` is wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Reading and hashing the upload.
    pub spool: f64,
    /// Waiting for the decoder child.
    pub decode: f64,
    /// Resizing and normalising, summed over frames.
    pub preprocess: f64,
    /// Waiting for a session, summed over frames.
    pub queue: f64,
    /// In ONNX Runtime, summed over frames.
    pub inference: f64,
    /// From the first byte to the report.
    pub total: f64,
}

impl Report {
    /// BLAKE3 over what two runs on the same upload with the same receipt inputs share: the
    /// report's JSON with sorted keys, without `id`, `created_at`, `timings_ms` and
    /// `receipt.report_blake3`.
    pub fn content_hash(&self) -> Result<String, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        if let Some(object) = value.as_object_mut() {
            for key in ["id", "created_at", "timings_ms"] {
                object.remove(key);
            }
            if let Some(receipt) = object.get_mut("receipt").and_then(|r| r.as_object_mut()) {
                receipt.remove("report_blake3");
            }
        }
        value.sort_all_objects();
        Ok(blake3::hash(value.to_string().as_bytes())
            .to_hex()
            .to_string())
    }
}
