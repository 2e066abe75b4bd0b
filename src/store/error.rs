//! What can go wrong with files of jaga's own.

use std::io;
use std::path::{Path, PathBuf};

/// A fault of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The upload is larger than allowed, by its declaration or by count.
    #[error("the upload has more than {limit} bytes")]
    TooLarge {
        /// Bytes that are allowed.
        limit: u64,
        /// Bytes that were declared, if any were.
        declared: Option<u64>,
    },
    /// A file that a caller named can't be read.
    #[error("can't read {}: {reason}", path.display())]
    Input {
        /// As named.
        path: PathBuf,
        /// Why not; part of the message, since a caller sees no more than that.
        reason: io::Error,
    },
    /// A file of jaga's own can't be written or read.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Classes of store faults, for the doors to turn into codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// `too_large`
    TooLarge,
    /// `not_found`
    Input,
    /// `internal`
    Internal,
}

impl StoreError {
    /// Makes the error of doing `action` with `path`.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// The class of this fault.
    pub fn kind(&self) -> StoreErrorKind {
        match self {
            Self::TooLarge { .. } => StoreErrorKind::TooLarge,
            Self::Input { .. } => StoreErrorKind::Input,
            Self::File { .. } => StoreErrorKind::Internal,
        }
    }
}
