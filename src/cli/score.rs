//! `jaga score`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use indicatif::ProgressBar;

use super::Outcome;
use super::args::ScoreArgs;
use super::output::{Item, Sheet};
use super::progress;
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::domain::report::Report;
use crate::inference::registry::Selection;
use crate::pipeline::{AnalyzeError, Options, Pipeline, Request, policies};
use crate::store::Upload;

/// Scores the files, several at a time, and prints them in the order in which they were named.
pub(super) fn run(
    mut config: Config,
    args: &ScoreArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    // Every file is admitted by this loop itself.
    config.analysis.queue = args.files.len();
    // The command ends before a report could be asked for again.
    config.analysis.recall.max_bytes = 0;
    let names = if args.models.is_empty() {
        &config.models.default
    } else {
        &args.models
    };
    let policy = args.policy.as_deref().map(policies::read).transpose()?;
    let pipeline = Pipeline::start(&config, Selection::Named(names))?;
    let options = Options {
        models: names.clone(),
        policy: None,
        frames: args.frames,
        sampling: args.sampling,
        frame_scores: args.frame_scores,
        adaptive: args.adaptive.then_some(true),
        region: args.region.clone(),
    };
    let request = match policy {
        Some(policy) => pipeline.request_with_policy(&options, Lane::Live, Arc::new(policy))?,
        None => pipeline.request(&options, Lane::Live)?,
    };
    let job = Job {
        pipeline,
        request,
        limit: config.data.max_upload_bytes,
    };
    let at_once = config.analysis.concurrency();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(score_all(&job, args, at_once, out))
}

/// What all files share.
struct Job {
    pipeline: Pipeline,
    request: Request,
    limit: u64,
}

async fn score_all(
    job: &Job,
    args: &ScoreArgs,
    at_once: usize,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let bar = bar(args.files.len());
    let mut sheet = Sheet::new(args.format, args.files.len());
    let mut results = stream::iter(&args.files)
        .map(|path| async move { (path, score_one(job, path).await) })
        .buffered(at_once);
    let mut outcome = Outcome::Done;
    while let Some((path, result)) = results.next().await {
        if result.is_err() {
            outcome = Outcome::SomeFailed;
        }
        bar.suspend(|| {
            sheet.add(
                &Item {
                    file: path,
                    result: &result,
                },
                out,
            )
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    sheet.finish(out)?;
    Ok(outcome)
}

async fn score_one(job: &Job, path: &Path) -> Result<Arc<Report>, AnalyzeError> {
    let (path, limit): (PathBuf, u64) = (path.to_owned(), job.limit);
    let ticket = job.pipeline.admission().enter(job.request.lane())?;
    let upload = tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await??;
    let permit = job.pipeline.admission().work(ticket).await?;
    job.pipeline.analyze(upload, &job.request, permit).await
}

/// One file needs no bar.
fn bar(files: usize) -> ProgressBar {
    if files < 2 {
        return ProgressBar::hidden();
    }
    progress::bar(files, "files")
}
