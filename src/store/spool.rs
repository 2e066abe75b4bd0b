//! Uploads on their way in: written to a file that has no name, hashed while they pass.
//!
//! A spool file is unlinked from its birth (`O_TMPFILE` where the file system has it), so nothing
//! can be left behind, whatever ends the request or the server.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::config::StoreConfig;
use super::error::StoreError;

/// An upload that is complete, with its identity.
#[derive(Debug)]
pub struct Upload {
    /// The bytes; the file's position means nothing.
    pub file: File,
    /// BLAKE3 of the bytes, hex.
    pub blake3: String,
    /// Their number.
    pub bytes: u64,
    /// Time that reading, writing and hashing took.
    pub elapsed: Duration,
}

/// The folder that spool files are made in.
#[derive(Debug, Clone)]
pub struct Spool {
    dir: PathBuf,
    limit: u64,
}

/// A spool file that is being written. Dropping it leaves nothing.
#[derive(Debug)]
pub struct SpoolWriter {
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
    limit: u64,
    dir: PathBuf,
    begin: Instant,
}

impl Spool {
    /// Makes the folder where it is missing, and tries that a file can be written there.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let dir = config.dir.join("spool");
        fs::create_dir_all(&dir).map_err(StoreError::file("make the folder", &dir))?;
        let spool = Self {
            dir,
            limit: config.max_upload_bytes,
        };
        spool.begin(None)?;
        Ok(spool)
    }

    /// The same folder, for uploads of at most `limit` bytes.
    #[must_use]
    pub fn limited(&self, limit: u64) -> Self {
        Self {
            dir: self.dir.clone(),
            limit,
        }
    }

    /// Largest upload in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Starts an upload. `declared` is the length that the sender announced: one over the limit is
    /// refused before a byte is read.
    pub fn begin(&self, declared: Option<u64>) -> Result<SpoolWriter, StoreError> {
        if declared.is_some_and(|bytes| bytes > self.limit) {
            return Err(StoreError::TooLarge {
                limit: self.limit,
                declared,
            });
        }
        let file = tempfile::tempfile_in(&self.dir)
            .map_err(StoreError::file("make a spool file in", &self.dir))?;
        Ok(SpoolWriter {
            file,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            limit: self.limit,
            dir: self.dir.clone(),
            begin: Instant::now(),
        })
    }
}

impl SpoolWriter {
    /// Adds a piece. Blocks on the disk.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.bytes > self.limit {
            return Err(StoreError::TooLarge {
                limit: self.limit,
                declared: None,
            });
        }
        self.file
            .write_all(piece)
            .map_err(StoreError::file("write a spool file in", &self.dir))?;
        self.hasher.update(piece);
        Ok(())
    }

    /// The whole upload.
    pub fn finish(self) -> Upload {
        Upload {
            file: self.file,
            blake3: self.hasher.finalize().to_hex().to_string(),
            bytes: self.bytes,
            elapsed: self.begin.elapsed(),
        }
    }
}

impl Upload {
    /// A descriptor of the file for the decoder child: opened anew, for reading only, so that a
    /// child that was taken over can't change what it was given. Needs `/proc`.
    pub fn descriptor(&self) -> Result<OwnedFd, StoreError> {
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        let file = File::open(&path).map_err(StoreError::file("open for reading", &path))?;
        Ok(file.into())
    }

    /// Takes a file where it lies: hashed, not copied. Blocks on the disk.
    pub fn from_path(path: &Path, limit: u64) -> Result<Self, StoreError> {
        let begin = Instant::now();
        let unreadable = |reason| StoreError::Input {
            path: path.to_owned(),
            reason,
        };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(unreadable(source));
        }
        if metadata.len() > limit {
            return Err(StoreError::TooLarge {
                limit,
                declared: Some(metadata.len()),
            });
        }
        let mut hasher = blake3::Hasher::new();
        let bytes = io::copy(&mut (&file).take(limit.saturating_add(1)), &mut hasher)
            .map_err(unreadable)?;
        if bytes > limit {
            return Err(StoreError::TooLarge {
                limit,
                declared: None,
            });
        }
        let blake3 = hasher.finalize().to_hex().to_string();
        Ok(Self {
            file,
            blake3,
            bytes,
            elapsed: begin.elapsed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(limit: u64) -> (tempfile::TempDir, Spool) {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            dir: dir.path().to_owned(),
            max_upload_bytes: limit,
            ..StoreConfig::default()
        };
        (dir, Spool::open(&config).unwrap())
    }

    #[test]
    fn counts_and_hashes_what_passes() {
        let (_dir, spool) = spool(10);
        let mut writer = spool.begin(Some(6)).unwrap();
        writer.write(b"abc").unwrap();
        writer.write(b"def").unwrap();
        let upload = writer.finish();
        assert_eq!(upload.bytes, 6);
        assert_eq!(upload.blake3, blake3::hash(b"abcdef").to_hex().to_string());
    }

    #[test]
    fn too_large_by_declaration_and_by_count() {
        let (_dir, spool) = spool(4);
        assert!(matches!(
            spool.begin(Some(5)),
            Err(StoreError::TooLarge { .. })
        ));
        let mut writer = spool.begin(None).unwrap();
        writer.write(b"abcd").unwrap();
        assert!(matches!(
            writer.write(b"e"),
            Err(StoreError::TooLarge { .. })
        ));
    }

    #[test]
    fn an_upload_never_has_a_name() {
        let (dir, spool) = spool(10);
        let mut writer = spool.begin(None).unwrap();
        writer.write(b"abc").unwrap();
        let left = fs::read_dir(dir.path().join("spool")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn the_child_may_only_read() {
        let (_dir, spool) = spool(10);
        let mut writer = spool.begin(None).unwrap();
        writer.write(b"abc").unwrap();
        let mut shared = File::from(writer.finish().descriptor().unwrap());
        assert!(shared.write_all(b"x").is_err());
        let mut text = String::new();
        shared.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }

    #[test]
    fn a_file_on_disk_is_hashed_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clip");
        fs::write(&path, b"abcdef").unwrap();
        let upload = Upload::from_path(&path, 6).unwrap();
        assert_eq!(upload.blake3, blake3::hash(b"abcdef").to_hex().to_string());
        assert!(matches!(
            Upload::from_path(&path, 5),
            Err(StoreError::TooLarge { .. })
        ));
        let error = Upload::from_path(dir.path(), 5).unwrap_err().to_string();
        assert!(error.starts_with("can't read "), "{error}");
    }
}
