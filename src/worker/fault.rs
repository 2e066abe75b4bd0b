//! Why an attempt failed, and whether another one may do better.

use std::time::Duration;

use crate::outbound::{OutboundError, OutboundErrorKind};
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind};
use crate::store::{JobsError, StoreError};

/// A fault of one attempt.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// From the pipeline.
    #[error(transparent)]
    Analysis(#[from] AnalyzeError),
    /// From the way to the content.
    #[error(transparent)]
    Fetch(#[from] OutboundError),
    /// From the job store.
    #[error(transparent)]
    Store(#[from] JobsError),
    /// What the store holds of the caller's wishes can't be read.
    #[error("the job's wishes can't be read")]
    Wishes(#[from] serde_json::Error),
}

impl Fault {
    /// Time after which whoever was asked wants to be asked again, if that was told.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch(error) => error.retry_after(),
            Self::Analysis(_) | Self::Store(_) | Self::Wishes(_) => None,
        }
    }

    /// Whether it may be gone at the next attempt. What is wrong with the media stays wrong.
    pub fn can_pass(&self) -> bool {
        match self {
            Self::Analysis(error) => is_of_the_moment(error.kind()),
            Self::Fetch(error) => error.kind() == OutboundErrorKind::Transient,
            Self::Store(JobsError::File(StoreError::TooLarge { .. })) | Self::Wishes(_) => false,
            Self::Store(_) => true,
        }
    }
}

fn is_of_the_moment(kind: AnalyzeErrorKind) -> bool {
    use AnalyzeErrorKind as Kind;
    match kind {
        Kind::Internal | Kind::Deadline | Kind::Overloaded | Kind::Draining => true,
        Kind::BadRequest
        | Kind::NotFound
        | Kind::TooLarge
        | Kind::Empty
        | Kind::Unsupported
        | Kind::NoVideoStream
        | Kind::Corrupt
        | Kind::Limit
        | Kind::UnknownModel
        | Kind::Configuration => false,
    }
}
