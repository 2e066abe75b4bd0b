//! `jaga serve` as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::inference::support::library;
use crate::server::{eventually, tiny_model};

/// A server that logs JSON. Killed when it goes.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    /// `None`: somebody else's.
    folder: Option<TempDir>,
}

impl Process {
    /// Ready with the tiny model; `None` without an ONNX Runtime.
    pub(crate) fn start(change: impl FnOnce(&mut Command)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Self::start_in(folder.path(), change)?;
        process.folder = Some(folder);
        Some(process)
    }

    /// The same in a folder that outlives it.
    pub(crate) fn start_in(folder: &Path, change: impl FnOnce(&mut Command)) -> Option<Self> {
        Self::start_under(&[], folder, change)
    }

    /// The same by a `wrapper` that becomes the program behind its own words.
    pub(crate) fn start_under(
        wrapper: &[&str],
        folder: &Path,
        change: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        let library = library()?;
        if !folder.join("models").exists() {
            tiny_model(&folder.join("models"));
        }
        let mut words = wrapper.to_vec();
        words.push(env!("CARGO_BIN_EXE_jaga"));
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .env_clear()
            .env("JAGA_RUNTIME__LIBRARY", &library)
            .env("JAGA_MODELS__DEFAULT", "tiny")
            .env("JAGA_DATA_DIR", folder.join("data"))
            .env("JAGA_ANALYSIS__QUALITY__MAX_BLOCKINESS", "100")
            .env("JAGA_ANALYSIS__RECALL__MAX_BYTES", "0")
            .env("JAGA_LOG__FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (log, kept) = (child.stderr.take().unwrap(), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(log).lines() {
                kept.lock().unwrap().push(line.unwrap());
            }
        });
        let mut process = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            child,
            lines,
            reader: Some(reader),
            folder: None,
        };
        eventually("the log says ready", || !process.said("ready").is_empty());
        let listening = process.said("listening").remove(0);
        process.address = listening["address"].as_str().unwrap().parse().unwrap();
        Some(process)
    }

    /// The log so far. Every line is an object.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        let parse = |line: &String| {
            let parsed: Value = serde_json::from_str(line).expect(line);
            assert!(parsed.is_object(), "{line}");
            parsed
        };
        lines.iter().map(parse).collect()
    }

    /// Lines with this message.
    pub(crate) fn said(&self, message: &str) -> Vec<Value> {
        let mut log = self.log();
        log.retain(|line| line["message"] == message);
        log
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// The exit code, once it has ended, and its whole log.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
