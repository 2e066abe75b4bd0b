//! What can go wrong between a request and its report.

use std::path::PathBuf;

use crate::domain::plan::InvalidPlan;
use crate::domain::policy::PolicyError;
use crate::domain::sampling::FramesOutOfRange;
use crate::domain::score::NotAProbability;
use crate::inference::{InferenceError, InferenceErrorKind};
use crate::media::MediaError;
use crate::media::error::MediaErrorKind;
use crate::store::error::StoreErrorKind;
use crate::store::{KeptError, StoreError};

/// A fault of an analysis or of what it needs.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// From the decoder.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// From a model.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// From the spool.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A number of frames that can't be asked for.
    #[error(transparent)]
    Frames(#[from] FramesOutOfRange),
    /// Models that together want more than can be asked for.
    #[error(transparent)]
    Plan(#[from] InvalidPlan),
    /// A policy that isn't loaded.
    #[error("there is no policy {name:?}; there are: {known}")]
    UnknownPolicy {
        /// As asked.
        name: String,
        /// Names that there are.
        known: String,
    },
    /// A policy file that can't be read.
    #[error("can't read the policy {}", path.display())]
    PolicyFile {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A policy file that is no policy.
    #[error("{} is no policy", path.display())]
    Policy {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<PolicyError>,
    },
    /// Two policies of one name.
    #[error("the policy {0:?} is there twice")]
    PolicyTwice(String),
    /// Too many requests wait already.
    #[error("{waiting} requests wait already")]
    Overloaded {
        /// Requests that wait or run.
        waiting: usize,
    },
    /// The server takes no more work.
    #[error("the server is shutting down")]
    Draining,
    /// The time for this analysis is over.
    #[error("the analysis took longer than {limit_s} s")]
    Deadline {
        /// Seconds that it may take.
        limit_s: f64,
    },
    /// A blocking task that panicked.
    #[error("a worker task failed")]
    Task(#[from] tokio::task::JoinError),
    /// A calibration that gave no probability.
    #[error("the model {model:?} has a calibration that gives no probability")]
    Calibration {
        /// Which model.
        model: String,
        /// What it gave.
        #[source]
        source: NotAProbability,
    },
    /// Kept material that can't be used.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// No frames of a report are kept.
    #[error("no frames of the report {0} are kept")]
    NothingKept(String),
    /// Kept frames that aren't those that the models want.
    #[error("the kept frames are those of {kept}, and the models want {wanted}")]
    KeptPlan {
        /// The plan by which they were chosen.
        kept: String,
        /// That of the models.
        wanted: String,
    },
    /// A report that can't be written as JSON.
    #[error("the report can't be written")]
    Report(#[from] serde_json::Error),
}

/// Classes of faults, each with one code at the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnalyzeErrorKind {
    /// `bad_request`
    BadRequest,
    /// `not_found`
    NotFound,
    /// `too_large`
    TooLarge,
    /// `empty_media`
    Empty,
    /// `unsupported_media`
    Unsupported,
    /// `no_video_stream`
    NoVideoStream,
    /// `corrupt_media`
    Corrupt,
    /// `limit_exceeded`
    Limit,
    /// `unknown_model`
    UnknownModel,
    /// `overloaded`
    Overloaded,
    /// `draining`
    Draining,
    /// `deadline_exceeded`
    Deadline,
    /// A setting or a file of jaga's own; found at start-up.
    Configuration,
    /// `internal`
    Internal,
}

impl AnalyzeError {
    /// The class of this fault.
    pub fn kind(&self) -> AnalyzeErrorKind {
        match self {
            Self::Media(error) => media_kind(error.kind()),
            Self::Inference(error) => inference_kind(error.kind()),
            Self::Store(error) => match error.kind() {
                StoreErrorKind::TooLarge => AnalyzeErrorKind::TooLarge,
                StoreErrorKind::Input => AnalyzeErrorKind::NotFound,
                StoreErrorKind::Internal => AnalyzeErrorKind::Internal,
            },
            Self::Frames(_) | Self::Plan(_) | Self::UnknownPolicy { .. } => {
                AnalyzeErrorKind::BadRequest
            }
            Self::PolicyFile { .. } | Self::Policy { .. } | Self::PolicyTwice(_) => {
                AnalyzeErrorKind::Configuration
            }
            Self::Overloaded { .. } => AnalyzeErrorKind::Overloaded,
            Self::Draining => AnalyzeErrorKind::Draining,
            Self::Deadline { .. } => AnalyzeErrorKind::Deadline,
            Self::NothingKept(_) => AnalyzeErrorKind::NotFound,
            Self::KeptPlan { .. } => AnalyzeErrorKind::UnknownModel,
            Self::Task(_) | Self::Calibration { .. } | Self::Report(_) | Self::Kept(_) => {
                AnalyzeErrorKind::Internal
            }
        }
    }
}

fn media_kind(kind: MediaErrorKind) -> AnalyzeErrorKind {
    match kind {
        MediaErrorKind::Empty => AnalyzeErrorKind::Empty,
        MediaErrorKind::Unsupported => AnalyzeErrorKind::Unsupported,
        MediaErrorKind::NoVideoStream => AnalyzeErrorKind::NoVideoStream,
        MediaErrorKind::Corrupt => AnalyzeErrorKind::Corrupt,
        MediaErrorKind::Limit => AnalyzeErrorKind::Limit,
        MediaErrorKind::Deadline => AnalyzeErrorKind::Deadline,
        MediaErrorKind::Internal => AnalyzeErrorKind::Internal,
    }
}

fn inference_kind(kind: InferenceErrorKind) -> AnalyzeErrorKind {
    match kind {
        InferenceErrorKind::Configuration => AnalyzeErrorKind::Configuration,
        InferenceErrorKind::UnknownModel => AnalyzeErrorKind::UnknownModel,
        InferenceErrorKind::Internal => AnalyzeErrorKind::Internal,
        InferenceErrorKind::Draining => AnalyzeErrorKind::Draining,
    }
}

impl AnalyzeErrorKind {
    /// The code in problems and in the command line's output, as the contract names it.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::Empty => "empty_media",
            Self::Unsupported => "unsupported_media",
            Self::NoVideoStream => "no_video_stream",
            Self::Corrupt => "corrupt_media",
            Self::Limit => "limit_exceeded",
            Self::UnknownModel => "unknown_model",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::Deadline => "deadline_exceeded",
            Self::Configuration | Self::Internal => "internal",
        }
    }
}
