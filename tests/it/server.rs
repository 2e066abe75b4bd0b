//! A real server on a free port, with a tiny model.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jaga::config::Config;
use jaga::domain::quality::Bounds;
use jaga::http::ServeError;
use reqwest::blocking::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::decoder;
use crate::inference::support::{Tiny, library};

/// The tiny model: logit = scaled r + 2g + 4b, so that any picture has a score that can be worked
/// out.
pub(crate) const TINY: Tiny = Tiny {
    graph: "logit_nchw.onnx",
    input: "layout = \"NCHW\"\ndtype = \"float32\"\nscale = 0.002\nmean = [0.25, 0.25, 0.25]\nstd = [1.0, 1.0, 1.0]\n",
    output: "name = \"logit\"\nkind = \"logit\"",
    max_batch: 4,
    more: &[],
};

/// Writes it as the only model.
pub(crate) fn tiny_model(models: &Path) {
    TINY.bundle(&models.join("tiny"));
}

/// A model that has no answer on a black picture: its embedding is zero.
pub(crate) fn blind_model(models: &Path) {
    let tiny = Tiny {
        graph: "tokens.onnx",
        input: "layout = \"NCHW\"\ndtype = \"float32\"\n",
        output: "name = \"tokens\"\nkind = \"embedding\"\npool = \"cls\"\nhead = \"head.json\"",
        max_batch: 4,
        more: &[],
    };
    tiny.bundle(&models.join("tiny"));
}

/// A server in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) data: TempDir,
    pub(crate) client: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    _models: TempDir,
}

impl Server {
    /// Ready to score with the tiny model; `None` without an ONNX Runtime.
    pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Option<Self> {
        Self::start_with(tiny_model, change)
    }

    /// The same with a model of `make`'s.
    pub(crate) fn start_with(
        make: impl FnOnce(&Path),
        change: impl FnOnce(&mut Config),
    ) -> Option<Self> {
        let library = library()?;
        let (models, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make(models.path());
        let mut config = Config::default();
        config.media = decoder::config();
        config.runtime.library = Some(library);
        config.models.dirs = vec![models.path().to_owned()];
        config.models.default = vec!["tiny".to_owned()];
        data.path().clone_into(&mut config.data.dir);
        // Most clips of these tests are of one colour.
        config.analysis.quality = Bounds::default();
        // Tests that send a clip twice want it looked at twice.
        config.analysis.recall.max_bytes = 0;
        change(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                let shutdown = async { drop(stopped.await) };
                jaga::http::run(config, listener, shutdown).await
            })
        });
        let client = Client::builder()
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap();
        let server = Self {
            address: address.recv().unwrap(),
            data,
            client,
            stop: Some(stop),
            thread: Some(thread),
            _models: models,
        };
        eventually("the server is ready", || {
            server.get("/readyz").status() == 200
        });
        Some(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().unwrap()
    }

    /// Posts a file as the body.
    pub(crate) fn score(&self, query: &str, file: &Path) -> (u16, Value) {
        self.score_bytes(query, std::fs::read(file).unwrap())
    }

    /// Posts bytes as the body.
    pub(crate) fn score_bytes(&self, query: &str, body: Vec<u8>) -> (u16, Value) {
        let url = self.url(&format!("/v1/score{query}"));
        answer(self.client.post(url).body(body).send().unwrap())
    }

    /// Requests that are inside now.
    pub(crate) fn inside(&self) -> u64 {
        self.get("/readyz").json::<Value>().unwrap()["requests_inside"]
            .as_u64()
            .unwrap()
    }

    /// Files in the spool that have a name.
    pub(crate) fn spooled(&self) -> usize {
        std::fs::read_dir(self.data.path().join("spool"))
            .unwrap()
            .count()
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
    }

    /// Waits for the end.
    pub(crate) fn join(mut self) -> Result<(), ServeError> {
        self.thread.take().unwrap().join().unwrap()
    }
}

/// Status and JSON body.
pub(crate) fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().unwrap_or_default())
}

/// Waits until `is_so`; fails after a minute.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Open descriptors of a process.
pub(crate) fn descriptors(process: u32) -> usize {
    let folder = format!("/proc/{process}/fd");
    std::fs::read_dir(folder).unwrap().count()
}

/// Resident memory of a process.
pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let figure = line.unwrap().trim().trim_end_matches(" kB");
    figure.parse().unwrap()
}
