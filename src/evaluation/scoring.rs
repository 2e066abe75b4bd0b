//! Every video of a manifest through the pipeline that also serves.

use std::path::Path;

use super::asking::{Asking, Found};
use super::cache::{Answer, Entry};
use super::document::Programs;
use super::error::EvaluationError;
use super::manifest::Manifest;
use super::outcome::{Column, Outcome, Provenance, Results};
use crate::config::Config;
use crate::domain::report::{ModelReport, Report};
use crate::domain::sampling::Strategy;
use crate::pipeline::{AnalyzeError, Options, Pipeline, Request};

/// How videos are scored.
#[derive(Debug)]
pub struct Scoring<'a> {
    /// As for serving.
    pub config: &'a Config,
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
    scoring: &Scoring<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<(Results, Option<Programs>), EvaluationError> {
    let models = scoring.models;
    let asking = Asking {
        options: options(scoring),
        config: scoring.config.clone(),
        cache: scoring.cache,
        done,
    };
    let ask = async |pipeline: &Pipeline, request: &Request, upload, permit| {
        Ok(scored(&*pipeline.analyze(upload, request, permit).await?))
    };
    let found = asking.each::<_, EvaluationError>(manifest, &ask, failed)?;
    Ok(gather(manifest, models, found))
}

pub(super) fn options(scoring: &Scoring<'_>) -> Options {
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

pub(super) fn failed(error: &AnalyzeError) -> Entry {
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

pub(super) fn scored(report: &Report) -> Entry {
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
    found: Vec<Found<Entry>>,
) -> (Results, Option<Programs>) {
    let (contents, entries): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let entries: Vec<Entry> = entries.into_iter().flatten().collect();
    let column = |(place, model): (usize, &String)| {
        let answer = |entry: &Entry| entry.of(place).cloned();
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
