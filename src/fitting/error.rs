//! What can be wrong with training data.

use std::io;
use std::path::PathBuf;

use crate::evaluation::EvaluationError;
use crate::pipeline::AnalyzeError;

/// Why there is no head.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A file that can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of arrays that can't be understood.
    #[error("{path}: the array {array:?} can't be read: {reason}")]
    Array {
        /// Which file.
        path: PathBuf,
        /// Which array.
        array: String,
        /// Why.
        reason: String,
    },
    /// A table that can't be understood.
    #[error("{path}: {reason}")]
    Table {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// Data that no head can be fitted to.
    #[error(
        "{groups} groups with {real} real and {synthetic} synthetic clips are too few for {folds} folds"
    )]
    TooFew {
        /// Groups in the table.
        groups: usize,
        /// Real clips.
        real: usize,
        /// Synthetic clips.
        synthetic: usize,
        /// Folds that were asked for.
        folds: usize,
    },
    /// Higher log-odds mean real.
    #[error("no calibration: on clips that the head never saw, higher log-odds mean real")]
    Upside,
    /// A number that is none.
    #[error("a score of a clip is not finite")]
    NotFinite,
    /// Arguments that don't go together.
    #[error("{0}")]
    Usage(String),
    /// A manifest that can't be read, or a folder of kept answers.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A pipeline that doesn't start, or a request that it refuses.
    #[error(transparent)]
    Pipeline(#[from] AnalyzeError),
    /// A fit that did not come to an end.
    #[error("the fit failed: {0}")]
    Solver(String),
    /// A bundle that can't serve as the pattern, or the new one.
    #[error("{path}: {reason}")]
    Bundle {
        /// Its folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl FitError {
    /// Whether what was typed, or a file that the caller wrote, is at fault.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Array { .. }
            | Self::Table { .. }
            | Self::TooFew { .. }
            | Self::Usage(_)
            | Self::Bundle { .. } => true,
            Self::Evaluation(error) => error.is_usage(),
            Self::File { .. }
            | Self::Upside
            | Self::NotFinite
            | Self::Pipeline(_)
            | Self::Solver(_) => false,
        }
    }
}
