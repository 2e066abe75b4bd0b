//! Graphs that are kept on disk for the next start.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use jaga::inference::session::{Prepared, SessionConfig};
use jaga::inference::{CacheConfig, GraphCache, Provider, Runtime};

use super::support::{PLAIN_NCHW, Tiny, logit, runtime, scorer, small};

const SLOW: Tiny = Tiny {
    graph: "slow.onnx",
    input: PLAIN_NCHW,
    output: "name = \"logit\"\nkind = \"logit\"",
    max_batch: 4,
    more: &[],
};

/// The same with its weights in a file of their own, which several sessions share.
const EXTERNAL: Tiny = Tiny {
    graph: "external.onnx",
    more: &["external.data"],
    ..SLOW
};

fn caching(runtime: &Runtime, dir: &Path) -> Runtime {
    let limits = CacheConfig {
        max_bytes: 1 << 20,
        ..CacheConfig::default()
    };
    let cache = GraphCache::open(dir, limits).unwrap();
    runtime.clone().caching(Some(cache))
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// What `tiny` says of some pictures, to the bit.
async fn answers(runtime: &Runtime, tiny: &Tiny, sessions: usize) -> Vec<u64> {
    let model = tiny.start(runtime, sessions).unwrap();
    let mut answers = Vec::new();
    for seed in 0..8 {
        let tensor = model.prepare(&small(seed)).unwrap();
        answers.push(logit(&model, tensor).await.unwrap().to_bits());
    }
    answers
}

#[tokio::test]
async fn a_cached_graph_answers_as_the_bundles_own() {
    let Some(runtime) = runtime() else { return };
    for (tiny, sessions) in [(&SLOW, 1), (&SLOW, 2), (&EXTERNAL, 1), (&EXTERNAL, 3)] {
        let dir = tempfile::tempdir().unwrap();
        let own = answers(&runtime, tiny, sessions).await;
        for start in ["first", "second"] {
            let runtime = caching(&runtime, dir.path());
            assert_eq!(answers(&runtime, tiny, sessions).await, own, "{start}");
            assert_eq!(entries(dir.path()).len(), 1, "{start}");
        }
        let graph = entries(dir.path()).remove(0).join("graph.onnx");
        let rewritten = fs::read(&graph).unwrap();
        // Half of it is another graph. It is made anew, and nobody is told a wrong answer.
        fs::write(&graph, &rewritten[..rewritten.len() / 2]).unwrap();
        let runtime = caching(&runtime, dir.path());
        assert_eq!(answers(&runtime, tiny, sessions).await, own);
        assert_eq!(fs::read(&graph).unwrap(), rewritten);
    }
}

#[test]
fn sessions_share_the_weights_of_a_cached_graph_too() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let bundle = scorer(EXTERNAL.bundle(&place.path().join("tiny")));
    let config = SessionConfig {
        target: &Provider::Cpu.into(),
        intra_threads: 1,
    };
    let runtime = caching(&runtime, &place.path().join("graphs"));
    let prepared = Prepared::new(&runtime, &bundle, config, 3).unwrap();
    assert!(prepared.shared() > 0);
}

#[test]
fn several_may_start_at_once() {
    let Some(runtime) = runtime() else { return };
    let dir = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            let runtime = caching(&runtime, dir.path());
            scope.spawn(move || drop(EXTERNAL.start(&runtime, 2).unwrap()));
        }
    });
    assert_eq!(entries(dir.path()).len(), 1);
}
