//! Why a folder can't become a bundle.

use std::io;
use std::path::PathBuf;

use super::super::bundle::BundleError;

/// A fault of an import; each names the file and, where there is one, the key.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder that can't be read.
    #[error("can't read {}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something that has to be a plain file.
    #[error("{} is no regular file", file.display())]
    NotAFile {
        /// Which.
        file: PathBuf,
    },
    /// A link, or a path with `..`, that leads out of the folder.
    #[error(
        "{} leaves the folder {}\nhint: copy the files themselves into one folder (cp -rL)",
        file.display(), folder.display()
    )]
    Escapes {
        /// Which.
        file: PathBuf,
        /// The folder that is imported.
        folder: PathBuf,
    },
    /// A file, or all weights together, beyond a limit.
    #[error("{} has {bytes} bytes, more than the {limit} that are imported", file.display())]
    TooBig {
        /// Which.
        file: PathBuf,
        /// Its size, or that of the weights up to and with it.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file that the import needs.
    #[error("{} has no {needed}", folder.display())]
    Absent {
        /// The folder that is imported.
        folder: PathBuf,
        /// What is missing, and what would do.
        needed: &'static str,
    },
    /// JSON that doesn't parse.
    #[error("{}: {reason}", file.display())]
    Syntax {
        /// Which file.
        file: PathBuf,
        /// Place and fault.
        reason: String,
    },
    /// A key, or something of a graph, that isn't what an import can work with.
    #[error("{}: {key} must be {expected}; it is {found}", file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// The key, or the part of the graph.
        key: String,
        /// What would be right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Several graphs, none of them named `model.onnx`.
    #[error(
        "{} has several graphs: {}\nhint: choose one with --file", folder.display(),
        files.join(", ")
    )]
    SeveralGraphs {
        /// The folder that is imported.
        folder: PathBuf,
        /// The graphs.
        files: Vec<String>,
    },
    /// Weights that lie where the import doesn't follow.
    #[error(
        "{}: the weight {tensor:?} lies in {location:?}, which {fault}", graph.display()
    )]
    ExternalData {
        /// The graph.
        graph: PathBuf,
        /// The weight.
        tensor: String,
        /// The file that the graph names.
        location: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Labels from which can't be told what the score is to mean.
    #[error("{reason}; the labels are:\n{labels}hint: --synthetic-label NAME or INDEX says it")]
    SyntheticLabel {
        /// Why not.
        reason: String,
        /// One line a label.
        labels: String,
    },
    /// A flag that is needed, or has a value that can't be.
    #[error("--{flag} {reason}")]
    Flag {
        /// The flag, without its dashes.
        flag: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A bundle, or whatever else, that is there already.
    #[error("{} is there already\nhint: choose another name with --name", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// A file of the new bundle that can't be written.
    #[error("can't write {}", file.display())]
    Write {
        /// Which.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The new bundle is refused by the loader.
    #[error("the imported bundle can't be used")]
    Bundle(#[from] BundleError),
}

/// Classes of import faults, for exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportErrorKind {
    /// Another flag would do: what was asked for is incomplete or can't be.
    Usage,
    /// The folder, or the disk, is at fault.
    Failed,
}

impl ImportError {
    /// The class of this fault.
    pub fn kind(&self) -> ImportErrorKind {
        match self {
            Self::SeveralGraphs { .. }
            | Self::SyntheticLabel { .. }
            | Self::Flag { .. }
            | Self::Exists { .. } => ImportErrorKind::Usage,
            Self::Read { .. }
            | Self::NotAFile { .. }
            | Self::Escapes { .. }
            | Self::TooBig { .. }
            | Self::Absent { .. }
            | Self::Syntax { .. }
            | Self::Value { .. }
            | Self::ExternalData { .. }
            | Self::Write { .. }
            | Self::Bundle(_) => ImportErrorKind::Failed,
        }
    }
}
