//! The folder that is imported, read without following anything out of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::error::ImportError;

/// Largest JSON file that is read, in bytes: 20,000 labels take two MiB.
pub const MAX_JSON_BYTES: u64 = 8 << 20;

/// Start of `README.md` in which its front matter has to lie, in bytes.
const README_BYTES: u64 = 64 << 10;

/// Largest graph, in bytes: protobuf's own limit on a message.
pub const MAX_GRAPH_BYTES: u64 = 2 << 30;

/// Folders, relative, in which graphs are looked for.
const GRAPH_FOLDERS: [&str; 2] = ["", "onnx"];

/// The name that exporters give the graph that isn't quantised.
const GRAPH: &str = "model.onnx";

/// A folder with an export.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// As it was named.
    folder: PathBuf,
    /// Canonical.
    root: PathBuf,
}

impl Source {
    /// The folder must be there.
    pub(super) fn open(folder: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Read {
            file: folder.to_owned(),
            source,
        };
        let root = folder.canonicalize().map_err(failed)?;
        if !root.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        Ok(Self {
            folder: folder.to_owned(),
            root,
        })
    }

    /// The folder's own name.
    pub(super) fn name(&self) -> Option<&str> {
        self.root.file_name().and_then(|name| name.to_str())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `relative` as it is named in errors.
    pub(super) fn shown(&self, relative: &Path) -> PathBuf {
        self.folder.join(relative)
    }

    /// The regular file `relative`, with no link left in its path; `None` when there is none.
    pub(super) fn find(&self, relative: &Path) -> Result<Option<PathBuf>, ImportError> {
        let shown = self.shown(relative);
        let escapes = || ImportError::Escapes {
            file: shown.clone(),
            folder: self.folder.clone(),
        };
        let inside = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            return Err(escapes());
        }
        let path = self.root.join(relative);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let real = path.canonicalize().map_err(|source| ImportError::Read {
            file: shown.clone(),
            source,
        })?;
        if !real.starts_with(&self.root) {
            return Err(escapes());
        }
        if real.is_file() {
            Ok(Some(real))
        } else {
            Err(ImportError::NotAFile { file: shown })
        }
    }

    /// The text of the JSON file `relative`; `None` when there is none.
    pub(super) fn json(&self, relative: &str) -> Result<Option<String>, ImportError> {
        let Some(bytes) = self.bytes(Path::new(relative), MAX_JSON_BYTES)? else {
            return Ok(None);
        };
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|error| ImportError::Syntax {
                file: self.shown(Path::new(relative)),
                reason: error.to_string(),
            })
    }

    /// The content of `relative`, of at most `limit` bytes.
    pub(super) fn bytes(
        &self,
        relative: &Path,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, ImportError> {
        let Some(path) = self.find(relative)? else {
            return Ok(None);
        };
        let failed = |source| ImportError::Read {
            file: self.shown(relative),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes > limit {
            return Err(ImportError::TooBig {
                file: self.shown(relative),
                bytes,
                limit,
            });
        }
        let mut content = Vec::new();
        // Whatever is written to it meanwhile.
        file.take(limit).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(content))
    }

    /// The start of the model card.
    pub(super) fn readme(&self) -> Result<Option<String>, ImportError> {
        let relative = Path::new("README.md");
        let Some(path) = self.find(relative)? else {
            return Ok(None);
        };
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(README_BYTES).read_to_end(&mut start))
            .map_err(|source| ImportError::Read {
                file: self.shown(relative),
                source,
            })?;
        Ok(Some(String::from_utf8_lossy(&start).into_owned()))
    }

    /// The graph to import, relative: `choice`, else `model.onnx`, else the only one.
    pub(super) fn graph(&self, choice: Option<&Path>) -> Result<PathBuf, ImportError> {
        if let Some(choice) = choice {
            let chosen = self.find(choice)?.is_some();
            return if chosen && is_graph(choice) {
                Ok(choice.to_owned())
            } else {
                Err(ImportError::Flag {
                    flag: "file",
                    reason: format!("must name an .onnx file in {}", self.folder.display()),
                })
            };
        }
        let found = self.graphs()?;
        let named: Vec<&PathBuf> = found.iter().filter(|path| path.ends_with(GRAPH)).collect();
        let all: Vec<&PathBuf> = found.iter().collect();
        match (named.as_slice(), all.as_slice()) {
            ([one], _) | ([], [one]) => Ok(PathBuf::clone(one)),
            ([], []) => Err(ImportError::Absent {
                folder: self.folder.clone(),
                needed: ".onnx file, nor has its folder onnx",
            }),
            _ => Err(ImportError::SeveralGraphs {
                folder: self.folder.clone(),
                files: all.iter().map(|path| path.display().to_string()).collect(),
            }),
        }
    }

    fn graphs(&self) -> Result<BTreeSet<PathBuf>, ImportError> {
        let mut found = BTreeSet::new();
        for folder in GRAPH_FOLDERS.map(Path::new) {
            let place = self.root.join(folder);
            if !place.is_dir() {
                continue;
            }
            let failed = |source| ImportError::Read {
                file: self.shown(folder),
                source,
            };
            for entry in fs::read_dir(&place).map_err(failed)? {
                let relative = folder.join(entry.map_err(failed)?.file_name());
                if is_graph(&relative) && !self.root.join(&relative).is_dir() {
                    found.insert(relative);
                }
            }
        }
        Ok(found)
    }
}

/// Whether a file's name is that of a graph.
pub(super) fn is_graph(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "onnx")
}
