//! A file in memory, of a limited size: MP4's muxer goes back to what it wrote, and this process
//! has nothing to write to that can be gone back in.

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fault::{Fault, Stop};

/// The file. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    bytes: Cursor<Vec<u8>>,
    most: u64,
    full: bool,
}

impl Memory {
    pub(super) fn new(most: u64) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                bytes: Cursor::new(Vec::new()),
                most,
                full: false,
            })),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `result`, or that the file is full, where FFmpeg only knows that it could not write.
    pub(super) fn judged<T>(&self, result: Result<T, Stop>) -> Result<T, Stop> {
        if self.with(|inner| inner.full) {
            return Err(Fault::output_too_large().into());
        }
        result
    }

    /// Takes what was written.
    pub(super) fn judged_bytes(&self) -> Result<Vec<u8>, Stop> {
        let bytes = self.with(|inner| std::mem::take(inner.bytes.get_mut()));
        self.judged(Ok(bytes))
    }
}

impl Write for Memory {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.with(|inner| {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if inner.bytes.position().saturating_add(length) > inner.most {
                inner.full = true;
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            inner.bytes.write(piece)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.with(|inner| inner.bytes.seek(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_stays_full() {
        let mut memory = Memory::new(4);
        memory.write_all(b"abcd").unwrap();
        memory.seek(SeekFrom::Start(1)).unwrap();
        memory.write_all(b"x").unwrap();
        assert!(memory.judged(Ok(())).is_ok());
        assert!(memory.write_all(b"toolong").is_err());
        assert!(memory.judged(Ok(())).is_err());
        assert!(memory.judged_bytes().is_err());
    }

    #[test]
    fn what_was_gone_back_to_is_replaced() {
        let mut memory = Memory::new(9);
        memory.write_all(b"abcd").unwrap();
        memory.seek(SeekFrom::Start(1)).unwrap();
        memory.write_all(b"x").unwrap();
        assert_eq!(memory.judged_bytes().unwrap(), b"axcd");
    }
}
