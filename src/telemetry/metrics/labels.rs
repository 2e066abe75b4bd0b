//! Labels of the metrics. Each value is one of a few: a route's template, a status, a code, the
//! name of a loaded bundle, a word of an enum. Never anything that a caller chose.

use prometheus_client::encoding::EncodeLabelSet;

/// No label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct None {}

/// Of an answered request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Answer {
    pub(super) route: String,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

/// Of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Route {
    pub(super) route: String,
}

/// Of a request that was not let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Refusal {
    pub(super) reason: &'static str,
}

/// Of a handshake, or of a new certificate or policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

/// Of an analysis.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Analysis {
    pub(super) lane: &'static str,
    pub(super) outcome: String,
}

/// Of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Lane {
    pub(super) lane: &'static str,
}

/// Of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Stage {
    pub(super) stage: &'static str,
}

/// Of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Model {
    pub(super) model: String,
    pub(super) provider: String,
}

/// Of a model, wherever it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Scorer {
    pub(super) model: String,
}

/// Of a bin of a model's scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Bin {
    pub(super) model: String,
    /// Its lower edge; it is 0.05 wide.
    pub(super) from: String,
}

/// Of a model's reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Reason {
    pub(super) model: String,
    pub(super) reason: &'static str,
}

/// Of a finder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Finder {
    pub(super) finder: String,
    pub(super) provider: String,
}

/// Of a backbone; `models` has the names of those that it runs, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Backbone {
    pub(super) models: String,
    pub(super) provider: &'static str,
}

/// Of a child's end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct End {
    pub(super) end: &'static str,
}

/// Of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Limit {
    pub(super) limit: String,
}

/// Of a wall.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Wall {
    pub(super) wall: &'static str,
}

/// Of the programs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Build {
    pub(super) version: &'static str,
    pub(super) onnxruntime: String,
    pub(super) ffmpeg: String,
}
