//! Why the child stops early.

use std::fmt;
use std::io;

use jaga::media::limits::{LimitExceeded, LimitName};
use jaga::media::protocol::{Failure, FailureReason};

/// A fault that the server is told of. The detail is the child's own text, never the file's.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    reason: FailureReason,
    detail: String,
}

/// Reasons to stop: a fault, or nobody left to talk to.
#[derive(Debug)]
pub(crate) enum Stop {
    /// To be sent as a failure.
    Fault(Fault),
    /// The server closed its end; exit quietly.
    PeerGone,
}

impl Fault {
    fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    pub(crate) fn empty() -> Self {
        Self::new(FailureReason::Empty, "no byte")
    }

    pub(crate) fn unsupported_format(detail: impl Into<String>) -> Self {
        Self::new(FailureReason::UnsupportedFormat, detail)
    }

    pub(crate) fn unsupported_codec(detail: impl Into<String>) -> Self {
        Self::new(FailureReason::UnsupportedCodec, detail)
    }

    pub(crate) fn encrypted() -> Self {
        Self::new(FailureReason::Encrypted, "the container says so")
    }

    pub(crate) fn no_video_stream() -> Self {
        Self::new(FailureReason::NoVideoStream, "no stream of moving pictures")
    }

    pub(crate) fn no_frames(detail: impl Into<String>) -> Self {
        Self::new(FailureReason::NoFrames, detail)
    }

    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self::new(FailureReason::Corrupt, detail)
    }

    pub(crate) fn deadline() -> Self {
        Self::new(FailureReason::Deadline, "the time was over")
    }

    #[allow(dead_code, reason = "of the perturber alone")]
    pub(crate) fn output_too_large() -> Self {
        Self::new(FailureReason::OutputTooLarge, "the output is full")
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(FailureReason::Internal, detail)
    }

    /// This fault, or the limit on memory where `ran_out` says that an allocation was refused and
    /// the fault may come of it.
    pub(crate) fn or_out_of_memory(self, ran_out: bool, memory_bytes: u64) -> Self {
        let may_come_of_it = match self.reason {
            FailureReason::UnsupportedFormat
            | FailureReason::UnsupportedCodec
            | FailureReason::NoVideoStream
            | FailureReason::NoFrames
            | FailureReason::Corrupt
            | FailureReason::Internal => true,
            FailureReason::Empty
            | FailureReason::Encrypted
            | FailureReason::Limit(_)
            | FailureReason::OutputTooLarge
            | FailureReason::Deadline => false,
        };
        if !(ran_out && may_come_of_it) {
            return self;
        }
        let allowed = memory_bytes as f64;
        LimitExceeded {
            limit: LimitName::Memory,
            allowed,
            actual: allowed,
        }
        .into()
    }

    pub(crate) fn into_failure(self) -> Failure {
        Failure {
            reason: self.reason,
            detail: self.detail,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.reason, self.detail)
    }
}

impl From<LimitExceeded> for Fault {
    fn from(limit: LimitExceeded) -> Self {
        Self::new(FailureReason::Limit(limit), limit.to_string())
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LimitExceeded> for Stop {
    fn from(limit: LimitExceeded) -> Self {
        Self::Fault(limit.into())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        if gone.contains(&error.kind()) {
            return Self::PeerGone;
        }
        Self::Fault(Fault::internal(error.to_string()))
    }
}

impl From<rustix::io::Errno> for Stop {
    fn from(errno: rustix::io::Errno) -> Self {
        io::Error::from(errno).into()
    }
}
