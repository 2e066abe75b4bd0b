//! A child's standard error: into the server's log, bounded, with the last line kept.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

/// Longest line that is kept.
const LINE_BYTES: usize = 400;
/// Lines of one child that are logged; a hostile file can make FFmpeg write without end.
const MOST_LINES: u32 = 20;
/// Most that is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that are read as they come. A pause before each chunk beyond them holds a child that
/// writes without end to some megabytes a second, and the server's work on them to nothing much.
const FREE_BYTES: usize = 256 * 1024;
const PAUSE: Duration = Duration::from_millis(10);
/// How long the rest of a dead child's log may take to arrive.
const SETTLE: Duration = Duration::from_millis(500);

/// The last line of a child's log, and the task that reads it.
#[derive(Debug)]
pub(super) struct LastLine {
    line: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl LastLine {
    /// Reads to the end, so that the child never blocks on a full pipe. Must be called within a
    /// runtime.
    pub(super) fn drain(log: OwnedFd) -> io::Result<Self> {
        let pipe = pipe::Receiver::from_owned_fd(log)?;
        let line = Arc::new(Mutex::new(String::new()));
        let task = tokio::spawn(read(pipe, line.clone()));
        Ok(Self { line, task })
    }

    /// The last line, once the child is dead.
    pub(super) async fn settle(&mut self) -> String {
        let _late_lines_are_lost = tokio::time::timeout(SETTLE, &mut self.task).await;
        self.line
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for LastLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(mut pipe: pipe::Receiver, last: Arc<Mutex<String>>) {
    let mut lines = Lines::new(&last);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0_usize;
    while let Ok(got @ 1..) = pipe.read(&mut chunk).await {
        for byte in chunk.get(..got).unwrap_or_default() {
            lines.take(*byte);
        }
        total = total.saturating_add(got);
        if total > FREE_BYTES {
            tokio::time::sleep(PAUSE).await;
        }
    }
    lines.end();
}

/// Bytes on their way to lines, of which the last one is kept.
struct Lines<'a> {
    line: String,
    count: u32,
    last: &'a Mutex<String>,
}

impl<'a> Lines<'a> {
    fn new(last: &'a Mutex<String>) -> Self {
        Self {
            line: String::new(),
            count: 0,
            last,
        }
    }

    fn take(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end(),
            b' '..=b'~' if self.line.len() < LINE_BYTES => self.line.push(char::from(byte)),
            _ => {}
        }
    }

    fn end(&mut self) {
        if self.line.is_empty() {
            return;
        }
        self.count = self.count.saturating_add(1);
        if self.count <= MOST_LINES {
            tracing::debug!(target: "jaga::decoder_child", "{}", self.line);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut self.line, &mut last);
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::io::Write;

    async fn last_of(text: &[u8]) -> String {
        let (log, child) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut last = LastLine::drain(log).unwrap();
        let text = text.to_vec();
        let writer = std::thread::spawn(move || {
            std::fs::File::from(child).write_all(&text).unwrap();
        });
        let line = last.settle().await;
        writer.join().unwrap();
        line
    }

    #[tokio::test]
    async fn the_last_line_is_kept_cut_and_cleaned() {
        assert_eq!(last_of(b"one\ntwo\n\n").await, "two");
        assert_eq!(last_of(b"one\nno end").await, "no end");
        assert_eq!(last_of(b"a\x1b[31mb\xff\x00c\n").await, "a[31mbc");
        assert_eq!(last_of(&[b'x'; 10_000]).await.len(), LINE_BYTES);
    }

    #[tokio::test]
    async fn a_flood_is_read_slowly_and_its_lines_are_no_longer() {
        let mut flood = b"noise\n".repeat(FREE_BYTES / 3);
        flood.extend_from_slice(b"the end\n");
        assert_eq!(last_of(&flood).await, "the end");
    }
}
