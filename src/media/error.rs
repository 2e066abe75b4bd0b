//! What can go wrong between a spooled file and its frames.

use std::io;
use std::path::PathBuf;

use super::limits::LimitExceeded;
use super::protocol::ProtocolError;

/// A fault of the media stage. The file's own faults and the server's are apart: see
/// [`MediaError::kind`].
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The upload has no byte.
    #[error("the file is empty")]
    Empty,
    /// No allowed container or image format.
    #[error("no container or image format that is allowed: {0}")]
    UnsupportedFormat(String),
    /// An allowed container, a codec that is not allowed.
    #[error("no codec that is allowed: {0}")]
    UnsupportedCodec(String),
    /// The container marks its video as encrypted.
    #[error("the video is encrypted")]
    Encrypted,
    /// Nothing that moves: audio only, or cover art only.
    #[error("the file has no video stream")]
    NoVideoStream,
    /// A video stream without a single frame.
    #[error("the video stream has no frame that can be decoded: {0}")]
    NoFrames(String),
    /// Data that contradicts its format.
    #[error("the file is damaged: {0}")]
    Corrupt(String),
    /// A limit was passed.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// What a perturber child makes of a file is larger than it may be.
    #[error("perturb.max_output_bytes is {limit}, the perturbed video would have more")]
    OutputTooLarge {
        /// Bytes that it may have.
        limit: u64,
    },
    /// The request's time was over.
    #[error("decoding took longer than the request may take")]
    Deadline,
    /// The child said something that it may not say, or stopped before its end mark; treated as
    /// the work of the file.
    #[error("the decoder child broke its protocol")]
    Protocol(#[from] ProtocolError),
    /// The child died; a hostile file is the likeliest cause.
    #[error("the decoder child ended early ({status}): {log}")]
    ChildDied {
        /// How it ended, such as `signal: 9`.
        status: String,
        /// Last line of its log.
        log: String,
    },
    /// The child made a system call that it may not make, and was killed for it: a hostile file
    /// that got as far as running code of its own is the likeliest cause.
    #[error("decoding the file was stopped: it made the decoder do what it may not do")]
    SandboxViolation,
    /// Walls around the child that can't be built on this machine.
    #[error(
        "the decoder child can't be locked down here ({missing}); change that (docs/security.md), or set media.sandbox = \"best-effort\" to go without"
    )]
    Sandbox {
        /// Which, and why not.
        missing: String,
    },
    /// The child's program can't be started.
    #[error("can't start the decoder {}", program.display())]
    Spawn {
        /// What was to be started.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A fault of jaga's own in the child.
    #[error("the decoder child failed: {0}")]
    ChildInternal(String),
    /// Talking to the child failed for a reason of the operating system's.
    #[error("can't talk to the decoder child")]
    Io(#[source] io::Error),
}

/// Classes of media faults, for the doors to turn into codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaErrorKind {
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
    /// `deadline_exceeded`
    Deadline,
    /// `internal`
    Internal,
}

impl MediaError {
    /// The class of this fault.
    pub fn kind(&self) -> MediaErrorKind {
        match self {
            Self::Empty => MediaErrorKind::Empty,
            Self::UnsupportedFormat(_) | Self::UnsupportedCodec(_) | Self::Encrypted => {
                MediaErrorKind::Unsupported
            }
            Self::NoVideoStream => MediaErrorKind::NoVideoStream,
            Self::NoFrames(_)
            | Self::Corrupt(_)
            | Self::Protocol(_)
            | Self::ChildDied { .. }
            | Self::SandboxViolation => MediaErrorKind::Corrupt,
            Self::Limit(_) | Self::OutputTooLarge { .. } => MediaErrorKind::Limit,
            Self::Deadline => MediaErrorKind::Deadline,
            Self::Spawn { .. } | Self::Sandbox { .. } | Self::ChildInternal(_) | Self::Io(_) => {
                MediaErrorKind::Internal
            }
        }
    }
}
