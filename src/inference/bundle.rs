//! Model bundles: a folder with a `model.toml` that says everything about one model.
//!
//! Strict on purpose: an unknown key, a missing file, a wrong hash or a value out of range is an
//! error that names the file, the key and what was expected.

mod check;
mod external;
mod files;
pub mod manifest;
pub mod task;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::golden::{Golden, GoldenSection};
use super::head::Head;
pub use external::ExternalTensor;
pub(super) use external::{MAX_DEPTH, MEMORY_TAG, external_tensors};
pub use files::BundleFile;
pub(super) use files::hexadecimal;
pub use manifest::{FaceScore, FaceSection, InputKind, Status};
use manifest::{FileEntry, Manifest, RuntimeSection};
pub use task::{FinderTask, Identity, Look, Scorer, Task};

/// The file that makes a folder a bundle.
pub const MANIFEST: &str = "model.toml";

/// Largest `model.toml` or head that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// A checked bundle; its graph is not loaded yet. `T` is what it is for, where that is known.
#[derive(Debug, Clone)]
pub struct Bundle<T = Task> {
    /// Who this is.
    pub identity: Identity,
    /// What it is for, and how that is done.
    pub task: T,
    /// The listed files.
    pub files: Vec<FileEntry>,
    /// How to run it.
    pub runtime: RuntimeSection,
    /// Identity of the content: SHA-256 over the bytes of `model.toml` and then, in the order
    /// listed, each file's hash (64 hexadecimal digits). Everything that can move a score is in it.
    pub sha256: String,
    /// Path of `model.toml`.
    pub manifest_path: PathBuf,
    /// The ONNX graph.
    pub graph: BundleFile,
    /// Weights of the graph that lie in other listed files.
    pub external: Vec<ExternalTensor>,
    /// Those files, each once, in the order of the places that the graph names.
    pub weights: Vec<BundleFile>,
    /// What every session of it is checked against.
    pub golden: Option<Golden>,
}

/// A bundle whose task is known.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a bundle, made at the start"
)]
pub enum Sorted {
    /// It answers a question.
    Scorer(Bundle<Scorer>),
    /// It finds faces.
    Finder(Bundle<FinderTask>),
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
        let (manifest, text) = read_manifest(&manifest_path)?;
        let weights_folder = weights_dir.join(&manifest.model.name);
        let locate = |entry: &FileEntry| files::locate(folder, &weights_folder, entry);
        let head = |entry: &FileEntry| {
            let file = locate(entry)?;
            Head::parse(&file.path, &read_text(&file.path)?)
        };
        let name = folder_name(folder)?;
        let (identity, task) = check::check(&manifest_path, &name, &manifest, &head)?;
        let card = folder.join(&identity.card);
        if !card.is_file() {
            return Err(BundleError::Missing {
                key: identity.card,
                looked_in: vec![card],
            });
        }
        let files = manifest
            .file
            .iter()
            .map(locate)
            .collect::<Result<Vec<_>, _>>()?;
        let graph = files.iter().find(|file| check::is_graph(&file.name));
        let graph = graph.cloned().ok_or_else(|| BundleError::Missing {
            key: "*.onnx".to_owned(),
            looked_in: vec![folder.to_owned()],
        })?;
        let (external, weights) = listed_weights(&graph, &files)?;
        let golden = golden(&manifest_path, manifest.golden.as_ref(), &files)?;
        Ok(Self {
            sha256: content_hash(&text, &manifest),
            external,
            weights,
            golden,
            identity,
            task,
            files: manifest.file,
            runtime: manifest.runtime,
            manifest_path,
            graph,
        })
    }

    /// The same, told apart by what it is for.
    pub fn sort(self) -> Sorted {
        match self.task.clone() {
            Task::Scorer(scorer) => Sorted::Scorer(self.with(scorer)),
            Task::Finder(finder) => Sorted::Finder(self.with(finder)),
        }
    }
}

impl<T> Bundle<T> {
    /// The model's name.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// The same, with another task.
    fn with<U>(self, task: U) -> Bundle<U> {
        Bundle {
            task,
            identity: self.identity,
            files: self.files,
            runtime: self.runtime,
            sha256: self.sha256,
            manifest_path: self.manifest_path,
            graph: self.graph,
            external: self.external,
            weights: self.weights,
            golden: self.golden,
        }
    }
}

fn read_manifest(file: &Path) -> Result<(Manifest, String), BundleError> {
    let text = read_text(file)?;
    let manifest = toml::from_str(&text).map_err(|error| BundleError::Syntax {
        file: file.to_owned(),
        reason: error.to_string(),
    })?;
    Ok((manifest, text))
}

fn golden(
    manifest_path: &Path,
    section: Option<&GoldenSection>,
    files: &[BundleFile],
) -> Result<Option<Golden>, BundleError> {
    let Some(section) = section else {
        return Ok(None);
    };
    match Golden::read(section, files)? {
        Ok(golden) => Ok(Some(golden)),
        Err([key, expected, found]) => Err(BundleError::Value {
            file: manifest_path.to_owned(),
            key,
            expected,
            found,
        }),
    }
}

/// The graph's external weights and their files; an error when one lies in a file that is not
/// checked by hash.
fn listed_weights(
    graph: &BundleFile,
    files: &[BundleFile],
) -> Result<(Vec<ExternalTensor>, Vec<BundleFile>), BundleError> {
    let bytes = fs::read(&graph.path).map_err(|source| BundleError::Read {
        file: graph.path.clone(),
        source,
    })?;
    let weights = external::external_tensors(&bytes).map_err(|error| BundleError::Syntax {
        file: graph.path.clone(),
        reason: error.to_string(),
    })?;
    let mut places = BTreeMap::new();
    for weight in &weights {
        let place = graph.path.with_file_name(&weight.location);
        let listed = files.iter().find(|file| file.path == place);
        let Some(file) = listed.filter(|_| !weight.location.contains(MEMORY_TAG)) else {
            return Err(BundleError::Unlisted {
                graph: graph.path.clone(),
                tensor: weight.name.clone(),
                location: weight.location.clone(),
            });
        };
        places.insert(weight.location.clone(), file.clone());
    }
    Ok((weights, places.into_values().collect()))
}

fn content_hash(text: &str, manifest: &Manifest) -> String {
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
