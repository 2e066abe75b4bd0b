//! What a caller gets: schema `jaga.report/1`. `docs/report.md` explains it line by line.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::adaptive::Stop;
use super::coverage::{Coverage, is_none};
use super::letterbox::Bars;
use super::media::MediaFacts;
use super::policy::Decision;
use super::quality::LeftOut;
use super::score::Probability;
use super::segments::Segment;
use super::verdict::Verdict;

/// The `schema` of every report.
pub const SCHEMA: &str = "jaga.report/1";

/// Questions that every report answers or says why not.
pub const STANDING_QUESTIONS: [&str; 2] = ["ai_generated", "face_manipulation"];

/// The answer to one upload.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// ULID of this report.
    pub id: String,
    /// RFC 3339, UTC, to the second.
    pub created_at: String,
    /// Id of the report that this one was made anew for; absent on first reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescored_of: Option<String>,
    /// The upload.
    pub media: MediaReport,
    /// Calibrated probability of the worst answered question: the one with the most severe
    /// verdict, of equal ones the one with the highest score. `None` when there is none.
    #[schema(required)]
    pub score: Option<Probability>,
    /// Of the same question.
    pub verdict: Verdict,
    /// How good the pictures are.
    pub quality: QualityReport,
    /// What was found of faces, one entry a finder that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faces: Vec<FacesReport>,
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
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MediaReport {
    /// BLAKE3 of the bytes, hex.
    pub blake3: String,
    /// Their number.
    pub bytes: u64,
    /// What the decoder found.
    #[serde(flatten)]
    pub facts: MediaFacts,
}

/// How good the pictures are: medians over the decoded frames, without their black bars.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QualityReport {
    /// Black bars that were cut off before scoring, in pixels of the shown picture; `None` when
    /// there are none.
    #[schema(required)]
    pub letterbox: Option<Bars>,
    /// See [`Measures`](super::quality::Measures); `None` when no frame was decoded.
    #[schema(required)]
    pub brightness: Option<f64>,
    /// As above.
    #[schema(required)]
    pub contrast: Option<f64>,
    /// As above.
    #[schema(required)]
    pub sharpness: Option<f64>,
    /// As above.
    #[schema(required)]
    pub blockiness: Option<f64>,
    /// As above.
    #[schema(required)]
    pub flatness: Option<f64>,
    /// Frames that are too poor for any model, by reason.
    pub left_out: BTreeMap<LeftOut, u32>,
}

/// What ran a graph, beyond the name of its provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PlacementReport {
    /// Nodes that each provider ran, by ONNX Runtime's name; absent where the CPU ran all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub provider_nodes: BTreeMap<String, usize>,
    /// Providers that were preferred and couldn't be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
}

/// What a finder found in all frames that it looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FacesReport {
    /// Its bundle.
    pub finder: String,
    /// The bundle's version.
    pub version: String,
    /// The bundle's content hash.
    pub sha256: String,
    /// Execution provider that ran it.
    pub provider: String,
    /// What ran where.
    #[serde(flatten)]
    pub placement: PlacementReport,
    /// Frames that it looked at.
    pub frames: u32,
    /// Faces in all of them.
    pub found: u32,
    /// Of these, faces beyond the number that is looked at in one frame; the smallest.
    pub over_limit: u32,
}

/// A question's answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Answer {
    /// The models' scores, joined as the policy says; `None` with a reason.
    #[schema(required)]
    pub score: Option<Probability>,
    /// On that score.
    pub verdict: Verdict,
    /// The policy's rule that joined them; `None` when no model was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// Models that were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// How many of them have a score.
    pub voted: u32,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<NoAnswer>,
}

/// Why a question, or a model, has no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// No model that answers it was asked.
    NoModel,
    /// Less than half of the planned frames could be scored.
    LowCoverage,
    /// The video is too short for one window.
    TooShort,
    /// There are faces, but none in as many frames as the model needs.
    ShortTracks,
    /// Fewer models have a score than the policy's vote asks for.
    TooFewVotes,
    /// What the model was shown is out of its scope, mostly for this reason.
    LeftOut(LeftOut),
}

impl NoAnswer {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::NoModel,
        Self::LowCoverage,
        Self::TooShort,
        Self::ShortTracks,
        Self::TooFewVotes,
        Self::LeftOut(LeftOut::NoFace),
        Self::LeftOut(LeftOut::FaceTooSmall),
        Self::LeftOut(LeftOut::TooSmall),
        Self::LeftOut(LeftOut::TooDark),
        Self::LeftOut(LeftOut::TooBright),
        Self::LeftOut(LeftOut::LowContrast),
        Self::LeftOut(LeftOut::Blurred),
        Self::LeftOut(LeftOut::Blocky),
        Self::LeftOut(LeftOut::Flat),
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoModel => "no_model",
            Self::LowCoverage => "low_coverage",
            Self::TooShort => "too_short",
            Self::ShortTracks => "short_tracks",
            Self::TooFewVotes => "too_few_votes",
            Self::LeftOut(reason) => reason.name(),
        }
    }
}

impl PartialSchema for NoAnswer {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.map(Self::name);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Why a question, or a model, has no score."))
            .enum_values(Some(names))
            .into()
    }
}

impl ToSchema for NoAnswer {}

impl Serialize for NoAnswer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One model's part of a report.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    /// What ran where.
    #[serde(flatten)]
    pub placement: PlacementReport,
    /// Calibrated; `None` when coverage is too low.
    #[schema(required)]
    pub score: Option<Probability>,
    /// By this model's thresholds.
    pub verdict: Verdict,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<NoAnswer>,
    /// Aggregated but not calibrated; `None` with the score.
    #[schema(required)]
    pub raw_score: Option<Probability>,
    /// Kind of calibration.
    pub calibration: &'static str,
    /// Kind of aggregation.
    pub aggregation: &'static str,
    /// What the score rests on.
    pub coverage: Coverage,
    /// Of the scored inputs, those that were the same as another to the pixel and share its score.
    #[serde(skip_serializing_if = "is_none")]
    pub repeated: u32,
    /// With adaptive sampling: why no more frames were scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stop>,
    /// Why frames, or windows, were left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<LeftOut, u32>,
    /// Stretches of the video that agree; of a model that looks at faces, those of the track that
    /// decided.
    pub segments: Vec<Segment>,
    /// The persons, for a model that looks at faces: those with the most frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracks: Option<Vec<TrackReport>>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracks_found: Option<u32>,
    /// Every frame, on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<Vec<FrameReport>>,
    /// Every window, on request, for a model that looks at time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<WindowReport>>,
}

/// One face followed over the sampled frames, as one model judges it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrackReport {
    /// The same for all models with the same finder.
    pub id: u32,
    /// Frames that it is in.
    pub frames: u32,
    /// Inputs (frames, or windows) that the model scored.
    pub scored: u32,
    /// Time of the first frame.
    pub start_s: f64,
    /// Time of the last frame.
    pub end_s: f64,
    /// Mean box: left, top, width, height in pixels of the shown picture.
    #[serde(rename = "box")]
    pub mean_box: [f64; 4],
    /// Aggregated and calibrated as the video's; `None` when nothing was scored.
    #[schema(required)]
    pub score: Option<Probability>,
    /// On that score.
    pub verdict: Verdict,
    /// Whether it has enough frames to count for the video's score.
    pub counts: bool,
    /// Means over its frames.
    pub quality: FaceQuality,
    /// Stretches that agree.
    pub segments: Vec<Segment>,
}

/// How good the pictures of a face are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct FaceQuality {
    /// The finder's, 0..=1.
    pub confidence: f64,
    /// As for whole pictures, of what is in the box.
    pub brightness: f64,
    /// As above.
    pub sharpness: f64,
    /// As above.
    pub blockiness: f64,
}

/// One frame's score.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FrameReport {
    /// Seconds after the first video frame.
    pub time_s: f64,
    /// Through the same calibration as the video's score, with several faces the highest; `None`
    /// when this frame failed or was left out.
    #[schema(required)]
    pub score: Option<Probability>,
    /// Time of the frame whose score this is, where it isn't its own: the two look the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_of_s: Option<f64>,
    /// Its faces, for a model that looks at faces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faces: Option<Vec<FaceReport>>,
}

/// One face in one frame.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FaceReport {
    /// The track that it belongs to.
    #[schema(required)]
    pub track: Option<u32>,
    /// Left, top, width, height in pixels of the shown picture.
    #[serde(rename = "box")]
    pub region: [f64; 4],
    /// As a frame's.
    #[schema(required)]
    pub score: Option<Probability>,
}

/// One window's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct WindowReport {
    /// Time of its first frame.
    pub start_s: f64,
    /// Time of its last frame.
    pub end_s: f64,
    /// The track whose face it shows; absent for whole pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<u32>,
    /// Through the same calibration as the video's score; `None` when it failed or was left out.
    #[schema(required)]
    pub score: Option<Probability>,
}

/// Hashes and versions from which the same report can be computed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
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
    /// BLAKE3 over this report without `id`, `created_at`, `rescored_of`, `timings_ms` and this field.
    pub report_blake3: String,
}

/// Milliseconds by stage. Stages overlap: `decode` is the time that the request waited for the
/// decoder, `preprocess`, `queue` and `inference` are sums over frames, `total` is wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Timings {
    /// Reading and hashing the upload.
    pub spool: f64,
    /// Waiting for the decoder child.
    pub decode: f64,
    /// Measuring, cutting, resizing and normalising, summed over frames.
    pub preprocess: f64,
    /// Finding faces, the wait for a session included, summed over frames.
    pub faces: f64,
    /// Waiting for a session, summed over frames.
    pub queue: f64,
    /// In ONNX Runtime, summed over frames.
    pub inference: f64,
    /// From the first byte to the report.
    pub total: f64,
}

impl Report {
    /// BLAKE3 over what two runs on the same upload with the same receipt inputs share: the
    /// report's JSON with sorted keys, without `id`, `created_at`, `rescored_of`, `timings_ms` and
    /// `receipt.report_blake3`.
    pub fn content_hash(&self) -> Result<String, serde_json::Error> {
        Ok(hash(serde_json::to_value(self)?))
    }
}

/// [`Report::content_hash`] of a report that is there as JSON.
pub fn content_hash(json: &str) -> Result<String, serde_json::Error> {
    Ok(hash(serde_json::from_str(json)?))
}

fn hash(mut report: Value) -> String {
    if let Some(object) = report.as_object_mut() {
        for key in ["id", "created_at", "rescored_of", "timings_ms"] {
            object.remove(key);
        }
        if let Some(receipt) = object.get_mut("receipt").and_then(Value::as_object_mut) {
            receipt.remove("report_blake3");
        }
    }
    report.sort_all_objects();
    let text = report.to_string();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new reason doesn't compile here until it has its place.
    #[test]
    fn every_reason_is_described() {
        let place = |reason| match reason {
            NoAnswer::NoModel => 0,
            NoAnswer::LowCoverage => 1,
            NoAnswer::TooShort => 2,
            NoAnswer::ShortTracks => 3,
            NoAnswer::TooFewVotes => 4,
            NoAnswer::LeftOut(LeftOut::NoFace) => 5,
            NoAnswer::LeftOut(LeftOut::FaceTooSmall) => 6,
            NoAnswer::LeftOut(LeftOut::TooSmall) => 7,
            NoAnswer::LeftOut(LeftOut::TooDark) => 8,
            NoAnswer::LeftOut(LeftOut::TooBright) => 9,
            NoAnswer::LeftOut(LeftOut::LowContrast) => 10,
            NoAnswer::LeftOut(LeftOut::Blurred) => 11,
            NoAnswer::LeftOut(LeftOut::Blocky) => 12,
            NoAnswer::LeftOut(LeftOut::Flat) => 13,
        };
        let places = NoAnswer::ALL.map(place);
        assert!(places.into_iter().eq(0..NoAnswer::ALL.len()));
    }
}
