//! Graphs as ONNX Runtime rewrote them, or as a provider compiled them, kept for the next start.
//!
//! An entry is a folder with a manifest of what it was made for and of its files' hashes. It comes
//! into being whole, by a rename, and is verified before each use: what is damaged, or was made for
//! something else, is thrown away with a line in the log and made anew. Processes may share a
//! cache: each makes its own copy, and the first to finish is kept.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::config::CacheConfig;
use super::tuning::Optimization;

const SCHEMA: &str = "jaga.graph/1";
const MANIFEST: &str = "manifest.json";

/// Largest manifest that is read, in bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Begin of the names of folders that are no entries yet, or none any more.
const PASSING: &str = ".passing-";

/// Age at which such a folder is one of a process that was killed.
const STALE: Duration = Duration::from_hours(1);

/// The cache in one folder.
#[derive(Debug, Clone)]
pub struct GraphCache {
    dir: PathBuf,
    limits: CacheConfig,
}

/// All that makes a cached graph another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    /// SHA-256 of the graph and of its weights' files.
    pub(super) files: Vec<String>,
    /// Version and size of the library: two builds of a version aren't the same.
    pub(super) onnxruntime: (String, u64),
    pub(super) provider: String,
    pub(super) options: Vec<(String, String)>,
    pub(super) optimization: Optimization,
    pub(super) intra_threads: usize,
    /// BLAKE3 of what the system says of the processor: layouts depend on it.
    pub(super) processor: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: String,
    key: Key,
    files: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    name: String,
    bytes: u64,
    blake3: String,
}

impl Key {
    /// Name of its folder.
    fn name(&self) -> io::Result<String> {
        let text = serde_json::to_vec(self)?;
        Ok(blake3::hash(&text)
            .to_hex()
            .as_str()
            .split_at(32)
            .0
            .to_owned())
    }
}

/// BLAKE3 of what Linux says of the first processor's model and features; of nothing elsewhere.
pub(super) fn processor() -> String {
    let mut text = String::new();
    // A file that can't be read counts as one without a word.
    let _ =
        File::open("/proc/cpuinfo").and_then(|file| file.take(1 << 16).read_to_string(&mut text));
    let first = text.split("\n\n").next().unwrap_or_default();
    let told = ["vendor_id", "cpu family", "model", "flags", "Features"];
    let lines = first
        .lines()
        .filter(|line| told.iter().any(|key| line.starts_with(key)));
    let lines: Vec<&str> = lines.collect();
    blake3::hash(lines.join("\n").as_bytes())
        .to_hex()
        .to_string()
}

impl GraphCache {
    /// Opens the cache in `dir`, which only this user may enter from then on; removes what a killed
    /// process left there.
    pub fn open(dir: &Path, limits: CacheConfig) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let cache = Self {
            dir: dir.canonicalize()?,
            limits,
        };
        for entry in fs::read_dir(&cache.dir)?.flatten() {
            let age = entry.metadata().and_then(|m| m.modified()).ok();
            let old = age
                .and_then(|at| at.elapsed().ok())
                .is_some_and(|age| age > STALE);
            if old && entry.file_name().to_string_lossy().starts_with(PASSING) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(cache)
    }

    /// The folder of what was kept for `key`, verified.
    pub(super) fn find(&self, key: &Key) -> Option<PathBuf> {
        let folder = self.dir.join(key.name().ok()?);
        match verify(&folder, key) {
            Ok(found) => found.then_some(folder),
            Err(error) => {
                let shown = folder.display();
                tracing::warn!(folder = %shown, %error, "a cached graph is thrown away");
                self.forget(&folder);
                None
            }
        }
    }

    /// A folder to make something in, gone when it is dropped.
    pub(super) fn stage(&self) -> io::Result<TempDir> {
        tempfile::Builder::new()
            .prefix(PASSING)
            .tempdir_in(&self.dir)
    }

    /// Keeps the files of `folder` for `key`, where there is room for them and nobody was faster.
    /// The files stay where they are as well.
    pub(super) fn keep(&self, key: &Key, folder: &Path) -> io::Result<()> {
        let staged = self.stage()?;
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let (entry, name) = entry.map(|e| (e.path(), e.file_name()))?;
            let place = staged.path().join(&name);
            fs::hard_link(&entry, &place).or_else(|_| fs::copy(&entry, &place).map(|_| ()))?;
            files.push(listed(&place, &name.to_string_lossy())?);
        }
        let bytes = files.iter().map(|file| file.bytes).sum();
        if files.is_empty() || bytes > self.limits.max_bytes {
            tracing::info!(bytes, "nothing that the cache of graphs has room for");
            return Ok(());
        }
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            key: key.clone(),
            files,
        };
        fs::write(staged.path().join(MANIFEST), serde_json::to_vec(&manifest)?)?;
        self.make_room(bytes)?;
        let place = self.dir.join(key.name()?);
        match fs::rename(staged.path(), &place) {
            Err(error) if !place.is_dir() => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes an entry; at once for those who look for it.
    pub(super) fn forget(&self, folder: &Path) {
        let gone = self.stage().and_then(|passing| {
            let place = passing.path().join("entry");
            // Dropping the folder that it lies in removes it.
            fs::rename(folder, place)
        });
        if let Err(error) = gone
            && error.kind() != io::ErrorKind::NotFound
        {
            let folder = folder.display().to_string();
            tracing::warn!(folder, %error, "can't remove a cached graph");
        }
    }

    /// Removes the entries that were used longest ago until one of `bytes` fits.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PASSING) {
                continue;
            }
            let manifest = entry.path().join(MANIFEST);
            let Ok(used) = manifest.metadata().and_then(|m| m.modified()) else {
                continue;
            };
            let files = fs::read_dir(entry.path())?.flatten();
            let sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
            entries.push((used, sizes.sum(), entry.path()));
        }
        entries.sort();
        let mut total = entries.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        let mut count = entries.len();
        for (_, freed, folder) in entries {
            let fits = total.saturating_add(bytes) <= self.limits.max_bytes;
            if fits && count < self.limits.max_entries {
                break;
            }
            self.forget(&folder);
            total = total.saturating_sub(freed);
            count = count.saturating_sub(1);
        }
        Ok(())
    }
}

/// Whether there is an entry in `folder` for `key`; an error where it isn't what it should be.
fn verify(folder: &Path, key: &Key) -> io::Result<bool> {
    let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    let manifest = match File::open(folder.join(MANIFEST)) {
        Err(_) if !folder.exists() => return Ok(false),
        opened => opened?,
    };
    let mut text = Vec::new();
    (&manifest)
        .take(MAX_MANIFEST_BYTES)
        .read_to_end(&mut text)?;
    let listing: Manifest = serde_json::from_slice(&text)?;
    if listing.schema != SCHEMA || listing.key != *key {
        return wrong("it was made for something else".to_owned());
    }
    for file in &listing.files {
        if Path::new(&file.name).file_name() != Some(file.name.as_ref()) {
            return wrong(format!("{:?} is no name of a file", file.name));
        }
        let found = listed(&folder.join(&file.name), &file.name)?;
        if (found.bytes, found.blake3) != (file.bytes, file.blake3.clone()) {
            return wrong(format!("{} isn't what was kept", file.name));
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != MANIFEST && !listing.files.iter().any(|file| name == file.name.as_str()) {
            tracing::warn!(file = %folder.join(&name).display(), "an unlisted file is removed");
            fs::remove_file(folder.join(&name))?;
        }
    }
    // For the order of removal only: who can't set it can still read.
    let _ = manifest.set_modified(SystemTime::now());
    Ok(true)
}

/// Size and hash of a regular file.
fn listed(path: &Path, name: &str) -> io::Result<Listed> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{name} is no file"),
        ));
    }
    let file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&file)?;
    Ok(Listed {
        name: name.to_owned(),
        bytes: file.metadata()?.len(),
        blake3: hasher.finalize().to_hex().to_string(),
    })
}

#[cfg(test)]
mod tests;
