//! Model bundles: a folder with a `model.toml` that says everything about one model.
//!
//! Strict on purpose: an unknown key, a missing file, a wrong hash or a value out of range is an
//! error that names the file, the key and what was expected.

mod check;
mod external;
mod files;
pub mod manifest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::head::Head;
pub use external::ExternalTensor;
pub(super) use external::{MAX_DEPTH, external_tensors};
pub use files::BundleFile;
pub(super) use files::hexadecimal;
pub use manifest::{Manifest, Status};

/// The file that makes a folder a bundle.
pub const MANIFEST: &str = "model.toml";

/// Largest `model.toml` or head that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// A checked bundle; its graph is not loaded yet.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// What `model.toml` says.
    pub manifest: Manifest,
    /// Identity of the content: SHA-256 over the bytes of `model.toml` and then, in the order
    /// listed, each file's hash (64 hexadecimal digits). Everything that can move a score is in it.
    pub sha256: String,
    /// Path of `model.toml`.
    pub manifest_path: PathBuf,
    /// The ONNX graph.
    pub graph: BundleFile,
    /// Weights of the graph that lie in other listed files.
    pub external: Vec<ExternalTensor>,
    /// The linear head, for an embedding.
    pub head: Option<Head>,
}

/// What makes a bundle unusable.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file that can't be read.
    #[error("can't read {}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// TOML or JSON that doesn't parse, a missing key, an unknown one.
    #[error("{}: {reason}", file.display())]
    Syntax {
        /// Which file.
        file: PathBuf,
        /// Place, key and what was expected.
        reason: String,
    },
    /// A value that may not be.
    #[error("{}: {key} must be {expected}; it is {found}", file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// The key, with its section.
        key: String,
        /// What would be right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A listed file that is nowhere.
    #[error(
        "the file {key:?} is missing; looked for {}\nhint: `./scripts/jaga` sets up the weights \
         of the models that come with jaga",
        list(looked_in)
    )]
    Missing {
        /// As listed.
        key: String,
        /// The places.
        looked_in: Vec<PathBuf>,
    },
    /// A listed file that is a link to elsewhere.
    #[error("{} is a link that leaves its folder", file.display())]
    Escapes {
        /// Which.
        file: PathBuf,
    },
    /// A file that isn't the pinned one.
    #[error("{}: sha256 must be {expected}; it is {found}", file.display())]
    Hash {
        /// Which.
        file: PathBuf,
        /// As pinned.
        expected: String,
        /// As computed.
        found: String,
    },
    /// A graph that takes weights from a file that the bundle doesn't list.
    #[error(
        "{}: the weight {tensor:?} lies in {location:?}, which is no [[file]] of the bundle in the \
         same folder", graph.display()
    )]
    Unlisted {
        /// The graph.
        graph: PathBuf,
        /// The weight.
        tensor: String,
        /// The file it names.
        location: String,
    },
    /// A file that is too big for what it is.
    #[error("{} has {bytes} bytes, more than the {limit} that are read", file.display())]
    TooBig {
        /// Which.
        file: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    shown.join(" and ")
}

impl Bundle {
    /// Reads and checks the bundle in `folder`; files that are not in it are looked for in
    /// `<weights_dir>/<name>/`.
    pub fn open(folder: &Path, weights_dir: &Path) -> Result<Self, BundleError> {
        let manifest_path = folder.join(MANIFEST);
        let text = read_text(&manifest_path)?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| BundleError::Syntax {
            file: manifest_path.clone(),
            reason: error.to_string(),
        })?;
        check::check(&manifest_path, &folder_name(folder)?, &manifest)?;
        let card = folder.join(&manifest.model.card);
        if !card.is_file() {
            return Err(BundleError::Missing {
                key: manifest.model.card,
                looked_in: vec![card],
            });
        }
        let weights = weights_dir.join(&manifest.model.name);
        let files = manifest
            .file
            .iter()
            .map(|entry| files::locate(folder, &weights, entry))
            .collect::<Result<Vec<_>, _>>()?;
        let named = |wanted: &dyn Fn(&str) -> bool| files.iter().find(|f| wanted(&f.name)).cloned();
        let graph = named(&check::is_graph).ok_or_else(|| BundleError::Missing {
            key: "*.onnx".to_owned(),
            looked_in: vec![folder.to_owned()],
        })?;
        let head = manifest
            .output
            .head
            .as_deref()
            .and_then(|head| named(&|name| name == head));
        let head = head
            .map(|file| Head::parse(&file.path, &read_text(&file.path)?))
            .transpose()?;
        Ok(Self {
            sha256: identity(&text, &manifest),
            external: listed_weights(&graph, &files)?,
            manifest,
            manifest_path,
            graph,
            head,
        })
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.manifest.model.name
    }
}

/// The graph's external weights; an error when one lies in a file that is not checked by hash.
fn listed_weights(
    graph: &BundleFile,
    files: &[BundleFile],
) -> Result<Vec<ExternalTensor>, BundleError> {
    let bytes = fs::read(&graph.path).map_err(|source| BundleError::Read {
        file: graph.path.clone(),
        source,
    })?;
    let weights = external::external_tensors(&bytes).map_err(|error| BundleError::Syntax {
        file: graph.path.clone(),
        reason: error.to_string(),
    })?;
    for weight in &weights {
        let place = graph.path.with_file_name(&weight.location);
        if !files.iter().any(|file| file.path == place) {
            return Err(BundleError::Unlisted {
                graph: graph.path.clone(),
                tensor: weight.name.clone(),
                location: weight.location.clone(),
            });
        }
    }
    Ok(weights)
}

fn identity(text: &str, manifest: &Manifest) -> String {
    let mut hash = Sha256::new();
    hash.update(text.as_bytes());
    for entry in &manifest.file {
        hash.update(entry.sha256.as_bytes());
    }
    files::hexadecimal(&hash.finalize())
}

fn folder_name(folder: &Path) -> Result<String, BundleError> {
    // Canonical, so that `models/x/.` and `.` have a name.
    let real = folder.canonicalize().map_err(|source| BundleError::Read {
        file: folder.to_owned(),
        source,
    })?;
    Ok(real
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default())
}

fn read_text(file: &Path) -> Result<String, BundleError> {
    let failed = |source| BundleError::Read {
        file: file.to_owned(),
        source,
    };
    let bytes = fs::metadata(file).map_err(failed)?.len();
    if bytes > MAX_TEXT_BYTES {
        return Err(BundleError::TooBig {
            file: file.to_owned(),
            bytes,
            limit: MAX_TEXT_BYTES,
        });
    }
    fs::read_to_string(file).map_err(failed)
}

#[cfg(test)]
mod tests;
