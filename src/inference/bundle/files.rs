//! The files that a bundle lists: where they lie, and whether they are what was pinned.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::BundleError;
use super::manifest::FileEntry;

/// Read at once while hashing, in bytes.
const CHUNK: usize = 1 << 20;

/// A listed file that is there and is what was pinned.
#[derive(Debug, Clone)]
pub struct BundleFile {
    /// As `model.toml` names it.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Of its content, lower-case hexadecimal.
    pub sha256: String,
}

/// Finds `entry` in the bundle's folder or else in `weights`, and checks its hash.
pub(super) fn locate(
    folder: &Path,
    weights: &Path,
    entry: &FileEntry,
) -> Result<BundleFile, BundleError> {
    let path = find(&[folder, weights], entry)?;
    let found = sha256_of(&path).map_err(|source| BundleError::Read {
        file: path.clone(),
        source,
    })?;
    if found != entry.sha256 {
        return Err(BundleError::Hash {
            file: path,
            expected: entry.sha256.clone(),
            found,
        });
    }
    Ok(BundleFile {
        name: entry.path.clone(),
        path,
        sha256: found,
    })
}

fn find(roots: &[&Path], entry: &FileEntry) -> Result<PathBuf, BundleError> {
    for root in roots {
        let path = root.join(&entry.path);
        if !path.exists() {
            continue;
        }
        let real = |p: &Path| {
            p.canonicalize().map_err(|source| BundleError::Read {
                file: p.to_owned(),
                source,
            })
        };
        // A link that leaves would let a bundle read any file of the server's.
        if !real(&path)?.starts_with(real(root)?) {
            return Err(BundleError::Escapes { file: path });
        }
        return Ok(path);
    }
    Err(BundleError::Missing {
        key: entry.path.clone(),
        looked_in: roots.iter().map(|root| root.join(&entry.path)).collect(),
    })
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            count => hash.update(chunk.get(..count).unwrap_or_default()),
        }
    }
}

/// Lower-case hexadecimal.
pub(in crate::inference) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
