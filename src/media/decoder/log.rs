//! A child's standard error: into the server's log, bounded, with the last line kept.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

/// Longest line that is kept.
const LINE_BYTES: usize = 400;
/// Lines of one child that are logged; a hostile file can make FFmpeg write without end.
const MOST_LINES: u32 = 20;
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

async fn read(pipe: pipe::Receiver, last: Arc<Mutex<String>>) {
    let mut reader = BufReader::new(pipe);
    let mut line = String::new();
    let mut lines = 0;
    while let Ok(byte) = reader.read_u8().await {
        match byte {
            b'\n' => {
                keep(&line, &last, &mut lines);
                line.clear();
            }
            b' '..=b'~' if line.len() < LINE_BYTES => line.push(char::from(byte)),
            _ => {}
        }
    }
    keep(&line, &last, &mut lines);
}

fn keep(line: &str, last: &Mutex<String>, lines: &mut u32) {
    if line.is_empty() {
        return;
    }
    line.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
    *lines = lines.saturating_add(1);
    if *lines <= MOST_LINES {
        tracing::debug!(target: "jaga::decoder_child", "{line}");
    }
}
