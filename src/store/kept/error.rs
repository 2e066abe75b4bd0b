//! What can go wrong with kept material.

use std::path::PathBuf;

use super::super::error::StoreError;

/// A fault of kept material.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A file can't be written or read.
    #[error(transparent)]
    File(#[from] StoreError),
    /// One video alone has more than all may take.
    #[error("one video's frames have more than the {limit} bytes that all kept material may take")]
    TooLarge {
        /// `keep.max_bytes`
        limit: u64,
    },
    /// A file is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What doesn't fit.
        what: &'static str,
    },
    /// A picture that can't be packed or unpacked.
    #[error("a kept picture is damaged: {what}")]
    Picture {
        /// What doesn't fit.
        what: &'static str,
    },
}
