//! Every video of a manifest through the pipeline that also serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use super::cache::{Answer, Cache, Entry};
use super::document::Programs;
use super::error::EvaluationError;
use super::manifest::Manifest;
use super::outcome::{Column, Outcome, Provenance, Results};
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::domain::report::{ModelReport, Report};
use crate::domain::sampling::Strategy;
use crate::inference::registry::Selection;
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind, Options, Pipeline, Request};
use crate::store::Upload;

/// How videos are scored.
#[derive(Debug)]
pub struct Scoring<'a> {
    /// As for serving.
    pub config: Config,
    /// Names of models, at least one.
    pub models: &'a [String],
    /// Frames to look at; the configured number when absent.
    pub frames: Option<u32>,
    /// How they are chosen; as configured when absent.
    pub sampling: Option<Strategy>,
    /// Folder that answers are kept in.
    pub cache: &'a Path,
}

/// What the videos' answers are, and what made them; `done` is called after each video. Answers
/// that are kept already cost a hash of the file; where all are, no model is loaded. A file that
/// fails is an answer too.
pub fn score(
    manifest: &Manifest,
    mut scoring: Scoring<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<(Results, Option<Programs>), EvaluationError> {
    let Scoring {
        models,
        frames,
        sampling,
        ..
    } = scoring;
    let cache = scoring.cache.to_owned();
    let cache = Cache::open(cache, &scoring.config, models, frames, sampling)?;
    // Every file is admitted by this loop itself, and asked for once.
    scoring.config.analysis.queue = manifest.videos.len();
    scoring.config.analysis.recall.max_bytes = 0;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|source| EvaluationError::File {
        path: PathBuf::from("threads"),
        source,
    })?;
    let files: Vec<PathBuf> = manifest.videos.iter().map(|v| manifest.locate(v)).collect();
    let run = Run {
        limit: scoring.config.data.max_upload_bytes,
        at_once: scoring.config.analysis.concurrency().max(1),
        cache: Arc::new(cache),
        done,
    };
    let mut found = runtime.block_on(run.recall(&files));
    if found.iter().any(|(_, entry)| entry.is_none()) {
        let pipeline = Pipeline::start(&scoring.config, Selection::Named(models))?;
        let request = pipeline.request(&options(&scoring), Lane::Backfill)?;
        runtime.block_on(run.analyze(&files, &mut found, &pipeline, &request))?;
    }
    Ok(gather(manifest, models, found))
}

fn options(scoring: &Scoring<'_>) -> Options {
    Options {
        models: scoring.models.to_vec(),
        policy: None,
        frames: scoring.frames,
        sampling: scoring.sampling,
        frame_scores: true,
        // All planned frames count, whatever a policy would be content with.
        adaptive: Some(false),
        region: None,
    }
}

/// Content hash and answers of one file, as far as they are known.
type Found = (Option<String>, Option<Entry>);

struct Run<'a> {
    limit: u64,
    at_once: usize,
    cache: Arc<Cache>,
    done: &'a (dyn Fn() + Sync),
}

impl Run<'_> {
    /// What is kept of each file.
    async fn recall(&self, files: &[PathBuf]) -> Vec<Found> {
        let look = |path: &PathBuf| {
            let (path, limit, cache) = (path.clone(), self.limit, Arc::clone(&self.cache));
            async move {
                let look = move || {
                    let content = Upload::from_path(&path, limit).ok()?.blake3;
                    let entry = cache.find(&content);
                    Some((Some(content), entry))
                };
                let found = tokio::task::spawn_blocking(look).await;
                found.ok().flatten().unwrap_or_default()
            }
        };
        let mut found = Vec::with_capacity(files.len());
        let mut looks = stream::iter(files.iter().map(look)).buffered(self.at_once);
        while let Some(entry) = looks.next().await {
            if entry.1.is_some() {
                (self.done)();
            }
            found.push(entry);
        }
        found
    }

    /// Scores the rest, and keeps what a second try would not change.
    async fn analyze(
        &self,
        files: &[PathBuf],
        found: &mut [Found],
        pipeline: &Pipeline,
        request: &Request,
    ) -> Result<(), EvaluationError> {
        let rest = files.iter().zip(found.iter_mut());
        let rest = rest.filter(|(_, (_, entry))| entry.is_none());
        let one = |(path, slot): (&PathBuf, _)| {
            let path = path.clone();
            async move { (slot, self.one(path, pipeline, request).await) }
        };
        let mut results = stream::iter(rest.map(one)).buffer_unordered(self.at_once);
        while let Some((slot, result)) = results.next().await {
            let (lasting, entry) = match result {
                Ok(report) => (true, scored(&report)),
                Err(error) => (is_of_the_file(&error), failed(&error)),
            };
            let (content, kept): &mut Found = slot;
            if let Some(content) = content.as_ref().filter(|_| lasting) {
                self.cache.keep(content, &entry)?;
            }
            *kept = Some(entry);
            (self.done)();
        }
        Ok(())
    }

    async fn one(
        &self,
        path: PathBuf,
        pipeline: &Pipeline,
        request: &Request,
    ) -> Result<Arc<Report>, AnalyzeError> {
        let limit = self.limit;
        let ticket = pipeline.admission().enter(request.lane())?;
        let upload = tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await??;
        let permit = pipeline.admission().work(ticket).await?;
        pipeline.analyze(upload, request, permit).await
    }
}

/// Whether the file's bytes are at fault, so that a second try fails too.
pub(crate) fn is_of_the_file(error: &AnalyzeError) -> bool {
    matches!(
        error.kind(),
        AnalyzeErrorKind::Empty
            | AnalyzeErrorKind::Unsupported
            | AnalyzeErrorKind::NoVideoStream
            | AnalyzeErrorKind::Corrupt
            | AnalyzeErrorKind::Limit
    )
}

fn failed(error: &AnalyzeError) -> Entry {
    Entry {
        programs: None,
        answers: vec![Answer {
            provenance: None,
            outcome: Outcome::Failed {
                code: error.kind().code().to_owned(),
                detail: error.to_string(),
            },
        }],
    }
}

fn scored(report: &Report) -> Entry {
    let receipt = &report.receipt;
    Entry {
        programs: Some(Programs {
            program: receipt.program.clone(),
            onnxruntime: receipt.onnxruntime.clone(),
            ffmpeg: receipt.ffmpeg.clone(),
            plan: receipt.plan.clone(),
            config_blake3: receipt.config_blake3.clone(),
        }),
        answers: report.models.iter().map(answer).collect(),
    }
}

fn answer(model: &ModelReport) -> Answer {
    let coverage = Some(model.coverage.ratio());
    let outcome = match model.score {
        Some(score) => Outcome::Scored {
            score: score.get(),
            coverage,
            frames: frames(model),
        },
        None => Outcome::Inconclusive {
            reason: model.reason.map(|reason| reason.name().to_owned()),
            coverage,
        },
    };
    Answer {
        provenance: Some(Provenance {
            version: model.version.clone(),
            sha256: model.sha256.clone(),
            status: model.status.to_owned(),
            question: model.question.clone(),
            provider: model.provider.clone(),
        }),
        outcome,
    }
}

/// Of windows, for a model that looks at time, the time of the first frame.
fn frames(model: &ModelReport) -> Vec<(f64, f64)> {
    let windows = model.windows.iter().flatten();
    let windows: Vec<_> = windows
        .filter_map(|window| Some((window.start_s, window.score?.get())))
        .collect();
    if !windows.is_empty() {
        return windows;
    }
    let frames = model.frames.iter().flatten();
    frames
        .filter_map(|frame| Some((frame.time_s, frame.score?.get())))
        .collect()
}

fn gather(
    manifest: &Manifest,
    models: &[String],
    found: Vec<Found>,
) -> (Results, Option<Programs>) {
    let (contents, entries): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let entries: Vec<Entry> = entries.into_iter().flatten().collect();
    let column = |(place, model): (usize, &String)| {
        // A file that failed has one answer for all models.
        let answer = |entry: &Entry| entry.answers.get(place).or(entry.answers.first()).cloned();
        let answers: Vec<Answer> = entries.iter().filter_map(answer).collect();
        Column {
            model: model.clone(),
            provenance: answers.iter().find_map(|answer| answer.provenance.clone()),
            outcomes: answers.into_iter().map(|answer| answer.outcome).collect(),
        }
    };
    let columns = models.iter().enumerate().map(column).collect();
    let programs = entries.into_iter().find_map(|entry| entry.programs);
    let results = Results {
        videos: manifest.videos.clone(),
        contents,
        columns,
    };
    (results, programs)
}
