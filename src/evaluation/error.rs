//! What can be wrong with an evaluation.

use std::io;
use std::path::PathBuf;

use crate::pipeline::AnalyzeError;

/// Why there is no evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// A file that can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A table that is no CSV.
    #[error("{path} is no CSV table with a header")]
    Csv {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A column that has to be there.
    #[error("{path}: no column {column:?}; found {found}")]
    Column {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        column: &'static str,
        /// The columns that there are.
        found: String,
    },
    /// A value that can't be understood.
    #[error("{path}, line {line}: {column} must be {expected}, not {found:?}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// In which column.
        column: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A video that comes twice, of one model.
    #[error("{path}, line {line}: {video:?} is there twice")]
    Twice {
        /// Which file.
        path: PathBuf,
        /// Line of the second, counted from 1.
        line: u64,
        /// The video's path.
        video: String,
    },
    /// A table without rows, or none in the wanted split.
    #[error("{path} has no rows{}", split.as_ref().map(|s| format!(" of the split {s:?}")).unwrap_or_default())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// The split that was asked for.
        split: Option<String>,
    },
    /// A pipeline that doesn't start, or a request that it refuses.
    #[error(transparent)]
    Pipeline(#[from] AnalyzeError),
    /// A document that can't be written as JSON.
    #[error("the results can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A drawing that failed.
    #[error("a plot can't be drawn: {0}")]
    Plot(String),
}

impl EvaluationError {
    /// Whether what was typed, or a table that the caller wrote, is at fault.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Csv { .. }
            | Self::Column { .. }
            | Self::Value { .. }
            | Self::Twice { .. }
            | Self::Empty { .. } => true,
            Self::File { .. } | Self::Pipeline(_) | Self::Json(_) | Self::Plot(_) => false,
        }
    }
}
