//! A real `jaga serve` process, and what the kernel says of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::inference::support::library;
use crate::server::{descriptors, eventually, resident_kib, tiny_model};

/// Decoder children that wait while nothing is asked.
pub(crate) const WARM: usize = 2;

/// A server in a process of its own, with the tiny model.
pub(crate) struct Service {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    log: Arc<Mutex<String>>,
}

/// What a server holds on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) descriptors: usize,
    pub(crate) children: usize,
    pub(crate) spooled: usize,
    pub(crate) inside: u64,
}

/// A status line's number and the JSON behind the head; 0 when the server closed without a word.
pub(crate) type Answer = (u16, Value);

impl Service {
    /// Ready to score; `None` without an ONNX Runtime. `settings` are environment variables.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let (library, folder) = (library()?, tempfile::tempdir().unwrap());
        tiny_model(&folder.path().join("models"));
        let mut process = Command::new(env!("CARGO_BIN_EXE_jaga"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env_clear()
            .env("JAGA_RUNTIME__LIBRARY", library)
            .env("JAGA_MODELS__DEFAULT", "tiny")
            .env("JAGA_ANALYSIS__QUALITY__MAX_BLOCKINESS", "100")
            .env("JAGA_ANALYSIS__RECALL__MAX_BYTES", "0")
            .env("JAGA_DATA_DIR", folder.path().join("data"))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "ended: {log:?}");
            log.lock().unwrap().push_str(&line);
            if let Some((_, address)) = line.split_once("listening address=") {
                break address.trim().parse().unwrap();
            }
        };
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let service = Self {
            process,
            address,
            folder,
            log,
        };
        eventually("the server is ready", || service.get("/readyz").0 == 200);
        Some(service)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends raw bytes and reads the answer to its end.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The server may answer and close before all is sent.
        let _refused_midway = stream.write_all(bytes);
        read_answer(&mut stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let head = format!("GET {path} HTTP/1.1\r\nhost: jaga\r\nconnection: close\r\n\r\n");
        self.exchange(head.as_bytes())
    }

    /// Posts `body` to `/v1/score`.
    pub(crate) fn score(&self, body: &[u8]) -> Answer {
        self.exchange(&[score_head(body.len(), "").as_bytes(), body].concat())
    }

    /// Resident memory.
    pub(crate) fn resident_bytes(&self) -> u64 {
        resident_kib(self.id()) * 1024
    }

    /// Ids of the processes that it started and that aren't reaped.
    pub(crate) fn children(&self) -> Vec<u32> {
        let parent = self.id().to_string();
        let processes = fs::read_dir("/proc").unwrap();
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|id: &u32| {
                let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
                let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
                after_name.split(' ').nth(1) == Some(parent.as_str())
            })
            .collect()
    }

    pub(crate) fn holdings(&self) -> Holdings {
        let count = |path: &Path| fs::read_dir(path).unwrap().count();
        let ready = self.get("/readyz").1;
        Holdings {
            descriptors: descriptors(self.id()),
            children: self.children().len(),
            spooled: count(&self.folder.path().join("data/spool")),
            inside: ready["requests_inside"].as_u64().unwrap_or(u64::MAX),
        }
    }

    /// Waits until it holds what it held `before`, and no more.
    pub(crate) fn settles(&self, before: Holdings) {
        eventually("the server holds no more than before", || {
            let now = self.holdings();
            // A connection that just ended may still be counted, here as before.
            now.descriptors <= before.descriptors + 1
                && (now.children, now.spooled, now.inside) == (WARM, 0, 0)
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _killed_or_dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The head of a `POST /v1/score` whose body has `length` bytes, with `more` header lines.
pub(crate) fn score_head(length: usize, more: &str) -> String {
    format!(
        "POST /v1/score HTTP/1.1\r\nhost: jaga\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}

/// The status and JSON of the first answer on `stream`.
pub(crate) fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // What came before a reset counts.
    let _reset = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (
        status.unwrap_or(0),
        serde_json::from_str(body).unwrap_or_default(),
    )
}
