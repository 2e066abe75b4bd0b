//! `jaga bench`: parts of the pipeline, measured here.

mod engine;
mod faces;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use super::Outcome;
use super::args::{BenchArgs, BenchPart};
use crate::config::Config;
use crate::domain::sampling::SamplingPlan;
use crate::inference::bundle::Task;
use crate::inference::preprocess::Preprocessor;
use crate::media::{Decoded, Decoder};
use crate::pipeline::AnalyzeError;
use crate::store::Upload;

/// Measures one part.
pub(super) fn run(
    config: &Config,
    args: &BenchArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match &args.part {
        BenchPart::Engine(args) => engine::run(config, args, out),
        BenchPart::Faces(args) => faces::run(config, args, out),
        BenchPart::Decode {
            file,
            frames,
            sampling,
            repeat,
        } => {
            let plan = SamplingPlan::new(*sampling, *frames).map_err(AnalyzeError::from)?;
            decode(config, file, plan, *repeat, out)
        }
    }
}

/// Decoding and resizing alone, each run with a child that waits ready, as in a server.
fn decode(
    config: &Config,
    file: &Path,
    plan: SamplingPlan,
    repeat: u32,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let preprocessor = preprocessor(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let decoder = Decoder::start(&config.media).map_err(AnalyzeError::from)?;
    let mut times_ms = Vec::new();
    let mut frames = 0;
    let limit = Duration::from_secs_f64(config.analysis.deadline_s);
    for _ in 0..repeat {
        let upload = Upload::from_path(file, config.data.max_upload_bytes)?;
        // Whatever the run before left to do, such as starting the next child, is over.
        std::thread::sleep(Duration::from_millis(200));
        let begin = Instant::now();
        frames = runtime.block_on(one(&decoder, &upload, plan, limit, &preprocessor))?;
        times_ms.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times_ms.sort_by(f64::total_cmp);
    let median = times_ms.get(times_ms.len() / 2).context("no run")?;
    let result = json!({ "median_ms": median, "runs_ms": times_ms, "frames": frames, "plan": plan.to_string() });
    writeln!(out, "{result}")?;
    Ok(Outcome::Done)
}

async fn one(
    decoder: &Decoder,
    upload: &Upload,
    plan: SamplingPlan,
    limit: Duration,
    preprocessor: &Preprocessor,
) -> Result<usize, AnalyzeError> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut media = decoder.open(upload.descriptor()?, deadline).await?;
    media.choose(&plan.into()).await?;
    let mut frames = 0_usize;
    let mut pending: Option<tokio::task::JoinHandle<_>> = None;
    while let Some(next) = media.next().await? {
        if let Decoded::Frame(frame) = next {
            frames = frames.saturating_add(1);
            if let Some(before) = pending.take() {
                before.await??;
            }
            let preprocessor = preprocessor.clone();
            pending = Some(tokio::task::spawn_blocking(move || {
                preprocessor.prepare(&frame.picture).map(|_| ())
            }));
        }
    }
    if let Some(last) = pending {
        last.await??;
    }
    Ok(frames)
}

fn preprocessor(config: &Config) -> anyhow::Result<Preprocessor> {
    let name = config
        .models
        .default
        .first()
        .context("no default model is configured")?;
    match super::models::open(config, name)?.task {
        Task::Scorer(scorer) => Ok(Preprocessor::new(&scorer.input, 1)),
        Task::Finder(_) => anyhow::bail!("the default model {name:?} is a finder"),
    }
}
