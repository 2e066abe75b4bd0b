//! Whether a file changed since it was looked at.

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

#[cfg(test)]
mod tests {
    use super::*;

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
