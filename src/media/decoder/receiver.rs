//! Asynchronous reading of a child's output.

use std::io;
use std::os::fd::OwnedFd;

use bytes::BufMut;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// The read end of a child's standard output.
#[derive(Debug)]
pub(super) struct Receiver {
    pipe: pipe::Receiver,
}

impl Receiver {
    /// Must be called within a runtime.
    pub(super) fn new(output: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: pipe::Receiver::from_owned_fd(output)?,
        })
    }

    /// Exactly `N` bytes.
    pub(super) async fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.pipe.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Exactly `length` bytes, into memory that is not zeroed first.
    pub(super) async fn vec(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let left = length.saturating_sub(bytes.len());
            let got = self.pipe.read_buf(&mut (&mut bytes).limit(left)).await?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(bytes)
    }
}
