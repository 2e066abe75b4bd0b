//! How long many stored reports take. Not run by itself:
//!
//!     cargo test --lib -- --ignored --nocapture --test-threads=1 at_scale
//!
//! `docs/benchmarks.md` has the figures.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::*;
use crate::domain::policy::DEFAULT_POLICY;
use crate::domain::quality::Measures;
use crate::pipeline::simulation::Simulation;
use crate::store::kept::{Record, VectorFrame};
use crate::store::reports::filling::{fill, id};
use crate::store::reports::{ReportStore, Span};
use crate::store::{KeepConfig, SqliteJobs};

const DIM: usize = 768;

/// How many, or what the variable says.
fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: a million reports in a database of 3 GB"]
async fn simulation_at_scale() {
    let number = number("JAGA_TEST_REPORTS", 1_000_000);
    let data = tempfile::tempdir().unwrap();
    let store = SqliteJobs::open(data.path()).await.unwrap();
    fill(&store, number).await.unwrap();
    for round in 1..=2 {
        let wanted = Simulation {
            policy: Arc::new(Policy::parse(DEFAULT_POLICY).unwrap()),
            span: Span::of_days(None, None),
            decided_by: None,
            on: None,
            examples: 10,
        };
        let begin = Instant::now();
        let found = wanted.run(&store).await.unwrap();
        println!(
            "round {round}: {number} reports in {:.1} s",
            begin.elapsed().as_secs_f64()
        );
        assert_eq!((found.transitions.reports(), found.unreadable), (number, 0));
    }
}

/// Writes a bundle whose head reads `DIM` numbers; its graph is never looked at.
fn bundle(models: &Path) {
    let folder = models.join("head");
    std::fs::create_dir_all(&folder).unwrap();
    let graph = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/models/tokens.onnx"
    ));
    let graph = graph.unwrap();
    let head = serde_json::json!({
        "schema": "jaga.head/1", "kind": "linear", "dim": DIM, "bias": 0.1,
        "weights": (0..DIM).map(|n| (n as f64).sin()).collect::<Vec<f64>>(),
    });
    let head = head.to_string().into_bytes();
    let hash = |bytes: &[u8]| -> String {
        let digest = Sha256::digest(bytes);
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .map(|digit| char::from_digit(digit.into(), 16).unwrap())
            .collect()
    };
    let manifest = format!(
        "[model]\nname = \"head\"\nversion = \"1\"\nstatus = \"experimental\"\n\
         question = \"ai_generated\"\nlicense = \"MIT\"\ncard = \"CARD.md\"\n\
         [[file]]\npath = \"tokens.onnx\"\nsha256 = \"{}\"\n\
         [[file]]\npath = \"head.json\"\nsha256 = \"{}\"\n\
         [input]\nkind = \"frame\"\nname = \"x\"\ncolor = \"RGB\"\nlayout = \"NCHW\"\n\
         dtype = \"float32\"\n\
         resize = {{ mode = \"stretch\", size = 2, filter = \"bilinear\" }}\n\
         [output]\nname = \"tokens\"\nkind = \"embedding\"\npool = \"cls\"\nhead = \"head.json\"\n\
         [calibration]\nkind = \"none\"\n[aggregation]\nkind = \"mean_logit\"\n\
         [runtime]\nmax_batch = 1\n",
        hash(&graph),
        hash(&head),
    );
    std::fs::write(folder.join("tokens.onnx"), graph).unwrap();
    std::fs::write(folder.join("head.json"), head).unwrap();
    std::fs::write(folder.join("CARD.md"), "# head").unwrap();
    std::fs::write(folder.join("model.toml"), manifest).unwrap();
}

fn record(n: u64, frames: usize) -> Record {
    let shift = usize::try_from(n).unwrap() * 31;
    let frame = |frame: usize| VectorFrame {
        time_s: frame as f64,
        measures: Measures {
            side: 480,
            brightness: 100.0,
            contrast: 50.0,
            sharpness: 900.0,
            blockiness: 0.0,
            flatness: 0.1,
        },
        vector: (0..DIM)
            .map(|place| ((shift + frame * 7 + place) % 101) as f32 - 50.0)
            .collect(),
    };
    Record {
        report: id(n),
        planned: 16,
        decoded: 16,
        unfit: 0,
        duration_s: 16.0,
        frames: (0..frames).map(frame).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: vectors of 100,000 videos are 5 GB"]
async fn another_head_at_scale() {
    let number = number("JAGA_TEST_VIDEOS", 100_000);
    let data = tempfile::tempdir().unwrap();
    let store = SqliteJobs::open(data.path()).await.unwrap();
    fill(&store, number).await.unwrap();
    let models = data.path().join("models");
    bundle(&models);
    let mut config = Config::default();
    config.models.dirs = vec![models.clone()];
    let opened = Bundle::open(&models.join("head"), Path::new("nowhere")).unwrap();
    let Sorted::Scorer(opened) = opened.sort() else {
        panic!("a finder");
    };
    let space = opened.space().unwrap();
    let archive = Shelf::open(data.path(), KeepConfig::default()).unwrap();
    let day = Date::constant(2026, 11, 25);
    for n in 0..number {
        archive.fill(&space.blake3, day, &record(n, 16)).unwrap();
    }
    for round in 1..=2 {
        let begin = Instant::now();
        let names = ["head".to_owned()];
        let wanted = Wanted {
            models: &names,
            ..Wanted::default()
        };
        let rescorer = Arc::new(Rescorer::open(&config, data.path(), &wanted).unwrap());
        let read = SqliteJobs::read(data.path()).await.unwrap();
        let file = std::fs::File::create(data.path().join("results.jsonl")).unwrap();
        let (mut out, mut after, mut count) = (BufWriter::new(file), None, 0_u64);
        loop {
            let page = read
                .page(&Span::of_days(None, None), after, 256)
                .await
                .unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.mark);
            for line in rescorer.page(page).await.unwrap() {
                let Outcome::Rescored(found) = &line.result else {
                    panic!("{line:?}");
                };
                assert_eq!(
                    (found.from, found.models[0].scored),
                    (Source::Embeddings, [16, 16])
                );
                count += 1;
                serde_json::to_writer(&mut out, &line).unwrap();
                out.write_all(b"\n").unwrap();
            }
        }
        out.flush().unwrap();
        println!(
            "round {round}: {count} videos in {:.1} s",
            begin.elapsed().as_secs_f64()
        );
        assert_eq!(count, number);
    }
}
