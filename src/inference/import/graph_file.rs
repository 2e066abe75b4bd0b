//! The graph's file, read once: what is examined is what is written.

use std::path::{Path, PathBuf};

use super::error::ImportError;
use super::graph::{self, Graph};
use super::source::{MAX_GRAPH_BYTES, Source};
use crate::inference::bundle::{ExternalTensor, external_tensors};
use crate::inference::protobuf::NotOnnx;

/// A graph and its file.
#[derive(Debug, Clone)]
pub(super) struct GraphFile {
    /// Within the folder that is imported.
    pub(super) relative: PathBuf,
    /// As errors name it.
    pub(super) shown: PathBuf,
    /// Its name in the bundle.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) borders: Graph,
}

impl GraphFile {
    pub(super) fn read(source: &Source, relative: PathBuf) -> Result<Self, ImportError> {
        let shown = source.shown(&relative);
        let absent = || ImportError::Absent {
            folder: source.folder().to_owned(),
            needed: ".onnx file",
        };
        let bytes = source
            .bytes(&relative, MAX_GRAPH_BYTES)?
            .ok_or_else(absent)?;
        let borders = graph::borders(&bytes).map_err(broken(&shown))?;
        let name = relative
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name: name.ok_or_else(absent)?,
            relative,
            shown,
            bytes,
            borders,
        })
    }

    /// The operator that makes the numbers of an output.
    pub(super) fn origin(&self, output: &str) -> Result<Option<String>, ImportError> {
        graph::origin(&self.bytes, output).map_err(broken(&self.shown))
    }

    /// Weights that lie in other files.
    pub(super) fn external(&self) -> Result<Vec<ExternalTensor>, ImportError> {
        external_tensors(&self.bytes).map_err(broken(&self.shown))
    }
}

fn broken(file: &Path) -> impl FnOnce(NotOnnx) -> ImportError {
    let file = file.to_owned();
    move |error| ImportError::Syntax {
        file,
        reason: error.to_string(),
    }
}
