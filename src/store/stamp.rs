//! Whether files changed since they were looked at.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells one version of a file from the next; a replaced file has another inode. Links are
/// followed, so that a link that is pointed elsewhere is a change too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
    bytes: u64,
}

impl Stamp {
    /// Of the file at `path`; `None` when it can't be seen.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
            bytes: metadata.len(),
        }
    }
}

/// Files that are read again when they change.
#[derive(Debug)]
pub struct Followed<const N: usize> {
    /// As they were read last.
    seen: [Option<Stamp>; N],
    /// As they were when a fault of theirs was told.
    told: Option<[Option<Stamp>; N]>,
}

impl<const N: usize> Followed<N> {
    /// Files that have been read as they were at `seen`.
    pub fn new(seen: [Option<Stamp>; N]) -> Self {
        Self { seen, told: None }
    }

    /// Whether the files, which are as `now`, have to be read again.
    pub fn changed(&self, now: [Option<Stamp>; N]) -> bool {
        self.seen != now
    }

    /// What `read` made of the files as they are `now`. After a fault they are read again each time,
    /// as its cause may have been a passing one, and it is told once: `None` from then on.
    pub fn settle<T, E>(
        &mut self,
        now: [Option<Stamp>; N],
        read: Result<T, E>,
    ) -> Result<Option<T>, E> {
        match read {
            Ok(value) => {
                *self = Self::new(now);
                Ok(Some(value))
            }
            Err(_) if self.told == Some(now) => Ok(None),
            Err(error) => {
                self.told = Some(now);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_once_for_each_version_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let stamp = |text: &str| {
            fs::write(&path, text).unwrap();
            [Stamp::at(&path)]
        };
        let first = stamp("a");
        let mut followed = Followed::new(first);
        assert!(!followed.changed(first));
        let bad = stamp("bb");
        for told in [Err("bad"), Ok(None), Ok(None)] {
            assert!(followed.changed(bad));
            assert_eq!(followed.settle(bad, Err::<(), _>("bad")), told);
        }
        let worse = stamp("ccc");
        assert_eq!(followed.settle(worse, Err::<(), _>("worse")), Err("worse"));
        assert_eq!(followed.settle(worse, Ok::<_, &str>(7)), Ok(Some(7)));
        assert!(!followed.changed(worse));
    }

    #[test]
    fn a_file_that_is_written_replaced_or_removed_has_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert_eq!(Stamp::at(&path), None);
        fs::write(&path, "one").unwrap();
        let first = Stamp::at(&path);
        assert_eq!(Stamp::at(&path), first);
        fs::write(&path, "longer").unwrap();
        let second = Stamp::at(&path);
        assert_ne!(first, second);
        // Of the same length, and perhaps of the same moment.
        let other = dir.path().join("other");
        fs::write(&other, "LONGER").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_ne!(Stamp::at(&path), second);
    }
}
