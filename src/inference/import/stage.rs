//! Writing the bundle: in a hidden folder first, in its place when it is complete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::error::ImportError;
use super::manifest::{self, Listed};
use super::plan::Plan;
use super::source::MAX_GRAPH_BYTES;
use super::weights::MAX_WEIGHTS_BYTES;
use super::{CARD, card};
use crate::inference::bundle::{Bundle, MANIFEST, Scorer, Sorted, hexadecimal};

/// Copied at once, in bytes.
const CHUNK: usize = 1 << 20;

/// A complete bundle that isn't in its place yet; dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    bundle: Bundle<Scorer>,
    // Before `out`: what lies in a folder goes before the folder.
    place: TempDir,
    out: Out,
    name: String,
}

impl Plan {
    /// Writes the bundle beside its place in `out`, the folder of bundles, which is made when it
    /// isn't there, and opens it as the loader does. `weights_dir` is the loader's.
    pub fn stage(&self, out: &Path, weights_dir: &Path) -> Result<Staged, ImportError> {
        let name = &self.decided.name;
        refuse_taken(&out.join(name))?;
        let out = Out::make(out)?;
        let place = tempfile::Builder::new()
            .prefix(".import-")
            .tempdir_in(&out.path)
            .map_err(failed(&out.path))?;
        let folder = place.path().join(name);
        fs::create_dir(&folder).map_err(failed(&folder))?;
        self.write(&folder)?;
        Ok(Staged {
            bundle: open(&folder, weights_dir)?,
            name: name.clone(),
            place,
            out,
        })
    }

    fn write(&self, folder: &Path) -> Result<(), ImportError> {
        let graph = self.graph.bytes.as_slice();
        let mut files = vec![copy(graph, MAX_GRAPH_BYTES, folder, &self.graph.name)?];
        for weights in &self.weights {
            let from = File::open(&weights.path).map_err(|source| ImportError::Read {
                file: weights.shown.clone(),
                source,
            })?;
            files.push(copy(from, MAX_WEIGHTS_BYTES, folder, &weights.listed)?);
        }
        let manifest =
            manifest::text(&self.decided, &files).map_err(|error| ImportError::Write {
                file: folder.join(MANIFEST),
                source: io::Error::other(error),
            })?;
        let card = card::text(&self.decided);
        for (name, text) in [(CARD, card), (MANIFEST, manifest)] {
            copy(text.as_bytes(), u64::MAX, folder, name)?;
        }
        Ok(())
    }
}

impl Staged {
    /// The bundle as the loader sees it, to be tried before it is published.
    pub fn bundle(&self) -> &Bundle<Scorer> {
        &self.bundle
    }

    /// Moves the bundle to its place; gives the path. Nothing is replaced.
    pub fn publish(mut self) -> Result<PathBuf, ImportError> {
        let (from, to) = (
            self.place.path().join(&self.name),
            self.out.path.join(&self.name),
        );
        match renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(ImportError::Exists { path: to }),
            // A file system without that flag: a folder that isn't empty is not replaced either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                refuse_taken(&to)?;
                fs::rename(&from, &to).map_err(failed(&to))?;
            }
            Err(error) => return Err(failed(&to)(error.into())),
        }
        self.out.made = false;
        Ok(to)
    }
}

/// The bundle in `folder` as the loader reads it.
fn open(folder: &Path, weights_dir: &Path) -> Result<Bundle<Scorer>, ImportError> {
    match Bundle::open(folder, weights_dir)?.sort() {
        Sorted::Scorer(bundle) => Ok(bundle),
        Sorted::Finder(bundle) => Err(ImportError::Value {
            file: bundle.manifest_path,
            key: "input.kind".to_owned(),
            expected: "\"frame\"".to_owned(),
            found: "\"finder\"".to_owned(),
        }),
    }
}

/// The folder of bundles; goes with a failed import that made it.
#[derive(Debug)]
struct Out {
    path: PathBuf,
    made: bool,
}

impl Out {
    fn make(path: &Path) -> Result<Self, ImportError> {
        let made = match fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(path)(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            made,
        })
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if self.made {
            // Only an empty folder can be removed so; whatever else is in it stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn refuse_taken(path: &Path) -> Result<(), ImportError> {
    if path.symlink_metadata().is_ok() {
        return Err(ImportError::Exists {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// Writes at most `limit` bytes of `from` into the new file `name` of `folder` and hashes them.
fn copy(from: impl Read, limit: u64, folder: &Path, name: &str) -> Result<Listed, ImportError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed(parent))?;
    }
    let sha256 = hashed_copy(from.take(limit), &path).map_err(failed(&path))?;
    Ok(Listed {
        path: name.to_owned(),
        sha256,
    })
}

fn hashed_copy(mut from: impl Read, path: &Path) -> io::Result<String> {
    let mut to = File::create_new(path)?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        let count = from.read(&mut chunk)?;
        let Some(part) = chunk.get(..count).filter(|part| !part.is_empty()) else {
            break;
        };
        hash.update(part);
        to.write_all(part)?;
    }
    to.sync_all()?;
    Ok(hexadecimal(&hash.finalize()))
}

fn failed(file: &Path) -> impl Fn(io::Error) -> ImportError {
    let file = file.to_owned();
    move |source| ImportError::Write {
        file: file.clone(),
        source,
    }
}
