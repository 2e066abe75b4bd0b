//! The upload as a seekable stream with a position of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::FileType;

use crate::fault::{Fault, Stop};

/// Bytes that are enough to tell an image by its signature.
pub(crate) const SNIFF_BYTES: usize = 16;

/// The upload. A clone reads the same file from its start; the descriptor's own offset, which the
/// server shares, is never used.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    file: Arc<File>,
    bytes: u64,
    position: u64,
}

impl Upload {
    pub(crate) fn new(file: File) -> Result<Self, Stop> {
        // Not `File::metadata`: it asks by `statx`, which can name any file and is refused.
        let stat = rustix::fs::fstat(&file)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Fault::internal("the upload is not a regular file").into());
        }
        Ok(Self {
            file: Arc::new(file),
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            position: 0,
        })
    }

    /// The file's size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first bytes, fewer where the file is shorter.
    pub(crate) fn head(&self, most: usize) -> Result<Vec<u8>, Stop> {
        let mut head = Vec::new();
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        self.rewound().take(most).read_to_end(&mut head)?;
        Ok(head)
    }

    /// The same file, read from its start.
    pub(crate) fn rewound(&self) -> Self {
        Self {
            position: 0,
            ..self.clone()
        }
    }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.position)?;
        self.position = self
            .position
            .saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
        Ok(got)
    }
}

impl Seek for Upload {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
        };
        // Positions past i64 can't be read and would look like error codes to FFmpeg.
        self.position = target
            .filter(|position| i64::try_from(*position).is_ok())
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
