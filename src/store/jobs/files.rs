//! Files of jobs: the one kind of upload that has a name, as it outlives the process.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, linkat, statvfs};

use super::super::error::StoreError;
use super::super::spool::Upload;

/// The folder with the content of jobs that aren't over.
#[derive(Debug, Clone)]
pub struct JobFiles {
    dir: PathBuf,
}

impl JobFiles {
    /// Makes the folder where it is missing.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let dir = data.join("jobs");
        fs::create_dir_all(&dir).map_err(StoreError::file("make the folder", &dir))?;
        Ok(Self { dir })
    }

    /// Bytes that may still be written to the folder's disk.
    pub fn free(&self) -> Result<u64, StoreError> {
        let disk = statvfs(&self.dir)
            .map_err(|errno| StoreError::file("ask the disk of", &self.dir)(errno.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The same for the manifests of batches of which lines are still to become jobs.
    pub fn of_manifests(data: &Path) -> Result<Self, StoreError> {
        let dir = data.join("batches");
        fs::create_dir_all(&dir).map_err(StoreError::file("make the folder", &dir))?;
        Ok(Self { dir })
    }

    /// Gives `upload` the name of job `id`, and returns when both are on disk. Blocks on it.
    pub fn keep(&self, id: &str, upload: &Upload) -> Result<(), StoreError> {
        let path = self.dir.join(id);
        upload
            .file
            .sync_all()
            .map_err(StoreError::file("write to disk", &path))?;
        let open = format!("/proc/self/fd/{}", upload.file.as_raw_fd());
        match linkat(CWD, &open, CWD, &path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => {}
            // A file system without unnamed files: the spool file had a name once and lost it.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::XDEV) => copy(&open, &path)?,
            Err(errno) => return Err(StoreError::file("name a job's file", &path)(errno.into())),
        }
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(StoreError::file("write to disk", &self.dir))
    }

    /// The content of job `id`, whose hash and size are known.
    pub fn open_job(&self, id: &str, blake3: &str, bytes: u64) -> Result<Upload, StoreError> {
        let path = self.dir.join(id);
        let file = File::open(&path).map_err(StoreError::file("open", &path))?;
        let found = file
            .metadata()
            .map_err(StoreError::file("look at", &path))?
            .len();
        if found != bytes {
            let text = format!("it has {found} bytes in place of {bytes}");
            let source = io::Error::new(io::ErrorKind::InvalidData, text);
            return Err(StoreError::file("use", &path)(source));
        }
        Ok(Upload {
            file,
            blake3: blake3.to_owned(),
            bytes,
            elapsed: Duration::ZERO,
        })
    }

    /// Deletes the content of job `id`, if it is there.
    pub fn delete(&self, id: &str) -> Result<(), StoreError> {
        let path = self.dir.join(id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::file("delete", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Deletes what belongs to none of `unfinished`: the files of requests that a kill kept from
    /// being accepted, and of jobs that ended just before one. Returns how many.
    pub fn sweep(&self, unfinished: &HashSet<String>) -> Result<u64, StoreError> {
        let mut swept: u64 = 0;
        let entries = fs::read_dir(&self.dir).map_err(StoreError::file("list", &self.dir))?;
        for entry in entries {
            let entry = entry.map_err(StoreError::file("list", &self.dir))?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| unfinished.contains(name)) {
                let path = entry.path();
                fs::remove_file(&path).map_err(StoreError::file("delete", &path))?;
                swept = swept.saturating_add(1);
            }
        }
        Ok(swept)
    }
}

/// A whole copy under a temporary name first.
fn copy(from: &str, path: &Path) -> Result<(), StoreError> {
    let part = path.with_extension("part");
    let copied = || -> io::Result<()> {
        fs::copy(from, &part)?;
        File::open(&part)?.sync_all()?;
        fs::rename(&part, path)
    };
    copied().map_err(StoreError::file("copy a spool file to", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Spool;
    use crate::store::config::StoreConfig;
    use std::io::Read;

    fn upload(dir: &Path, bytes: &[u8]) -> Upload {
        let config = StoreConfig {
            dir: dir.to_owned(),
            ..StoreConfig::default()
        };
        let mut writer = Spool::open(&config).unwrap().begin(None).unwrap();
        writer.write(bytes).unwrap();
        writer.finish()
    }

    #[test]
    fn an_upload_gets_a_name_and_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let files = JobFiles::open(dir.path()).unwrap();
        let sent = upload(dir.path(), b"abcdef");
        files.keep("01A", &sent).unwrap();
        drop(sent);
        let upload = files.open_job("01A", "hash", 6).unwrap();
        let mut text = String::new();
        File::from(upload.descriptor().unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "abcdef");
        assert!(files.open_job("01A", "hash", 5).is_err());
        files.delete("01A").unwrap();
        files.delete("01A").unwrap();
        assert!(files.open_job("01A", "hash", 6).is_err());
    }

    #[test]
    fn only_files_of_unfinished_jobs_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let files = JobFiles::open(dir.path()).unwrap();
        for id in ["01A", "01B", "01C"] {
            files.keep(id, &upload(dir.path(), id.as_bytes())).unwrap();
        }
        let unfinished = HashSet::from(["01B".to_owned()]);
        assert_eq!(files.sweep(&unfinished).unwrap(), 2);
        assert!(files.open_job("01B", "hash", 3).is_ok());
        assert!(files.open_job("01A", "hash", 3).is_err());
    }

    #[test]
    fn a_file_that_has_no_name_left_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let files = JobFiles::open(dir.path()).unwrap();
        let named = dir.path().join("named");
        fs::write(&named, b"xyz").unwrap();
        let upload = Upload::from_path(&named, 10).unwrap();
        fs::remove_file(&named).unwrap();
        files.keep("01A", &upload).unwrap();
        assert_eq!(fs::read(dir.path().join("jobs/01A")).unwrap(), b"xyz");
    }
}
