//! What a backbone or a model makes of labelled videos, by the pipeline that serves, and kept by
//! content hash.

use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};

use super::error::FitError;
use crate::config::Config;
use crate::domain::lanes::Lane;
use crate::domain::sampling::Strategy;
use crate::domain::score::Probability;
use crate::evaluation::{Cache, Manifest, is_of_the_file};
use crate::inference::registry::Selection;
use crate::pipeline::{AnalyzeError, Options, Pipeline, Request};
use crate::store::Upload;

/// Videos, and how they are looked at.
#[derive(Debug)]
pub struct Footage<'a> {
    /// Which.
    pub manifest: &'a Manifest,
    /// As for serving.
    pub config: Config,
    /// The model, or the backbone's.
    pub model: &'a str,
    /// Frames to look at; the configured number when absent.
    pub frames: Option<u32>,
    /// How they are chosen; as configured when absent.
    pub sampling: Option<Strategy>,
    /// Folder that answers are kept in.
    pub cache: &'a Path,
}

/// What is wanted of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The mean of its frames' L2-normalised embeddings.
    Embedding,
    /// One number: its uncalibrated log-odds.
    LogOdds,
}

/// What came of one video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Answer {
    /// What was wanted.
    Numbers {
        /// One or more, finite.
        values: Vec<f64>,
    },
    /// There is none.
    Failed {
        /// Why, as in jaga's problems.
        code: String,
        /// For people.
        detail: String,
    },
}

/// What came of all videos.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// In the order of the manifest.
    pub answers: Vec<Answer>,
    /// BLAKE3, hex, of the videos' hashes in the order of the manifest.
    pub blake3: String,
}

/// A video that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// As in the manifest.
    pub path: String,
    /// As in jaga's problems.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl Gathered {
    /// The videos that came to nothing.
    pub fn failures(&self, manifest: &Manifest) -> Vec<Failure> {
        let both = manifest.videos.iter().zip(&self.answers);
        let failed = both.filter_map(|(video, answer)| match answer {
            Answer::Numbers { .. } => None,
            Answer::Failed { code, detail } => Some(Failure {
                path: video.path.clone(),
                code: code.clone(),
                detail: detail.clone(),
            }),
        });
        failed.collect()
    }
}

/// Asks for `wanted` of every video; `done` is called after each. Answers that are kept already cost
/// a hash of the file; where all are, no model is loaded. A video that fails is an answer too.
pub fn gather(
    mut footage: Footage<'_>,
    wanted: Wanted,
    done: &(dyn Fn() + Sync),
) -> Result<Gathered, FitError> {
    let models = [footage.model.to_owned()];
    let kind = match wanted {
        Wanted::Embedding => "embeddings",
        Wanted::LogOdds => "log-odds",
    };
    let cache = Cache::open(
        footage.cache.join(kind),
        &footage.config,
        &models,
        footage.frames,
        footage.sampling,
    )?;
    // Every file is admitted by this loop itself, and asked for once.
    footage.config.analysis.queue = footage.manifest.videos.len();
    footage.config.analysis.recall.max_bytes = 0;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|source| FitError::File {
        path: PathBuf::from("threads"),
        source,
    })?;
    let run = Run {
        limit: footage.config.data.max_upload_bytes,
        at_once: footage.config.analysis.concurrency().max(1),
        wanted,
        cache: &cache,
    };
    let videos = footage.manifest.videos.iter();
    let files: Vec<PathBuf> = videos.map(|v| footage.manifest.locate(v)).collect();
    let mut found: Vec<Found> = files.iter().map(|path| run.recall(path)).collect();
    found
        .iter()
        .filter(|f| f.answer.is_some())
        .for_each(|_| done());
    if found.iter().any(|video| video.answer.is_none()) {
        let pipeline = Pipeline::start(&footage.config, Selection::Named(&models))?;
        let request = pipeline.request(&options(&footage, &models), Lane::Backfill)?;
        runtime.block_on(run.ask(&files, &mut found, (&pipeline, &request), done))?;
    }
    let mut hasher = blake3::Hasher::new();
    for video in &found {
        hasher.update(video.content.as_deref().unwrap_or("-").as_bytes());
    }
    Ok(Gathered {
        answers: found.into_iter().filter_map(|video| video.answer).collect(),
        blake3: hasher.finalize().to_hex().to_string(),
    })
}

fn options(footage: &Footage<'_>, models: &[String]) -> Options {
    Options {
        models: models.to_vec(),
        policy: None,
        frames: footage.frames,
        sampling: footage.sampling,
        frame_scores: false,
        // All planned frames count, whatever a policy would be content with.
        adaptive: Some(false),
        region: None,
    }
}

/// Content hash and answer of one file, as far as they are known.
struct Found {
    content: Option<String>,
    answer: Option<Answer>,
}

struct Run<'a> {
    limit: u64,
    at_once: usize,
    wanted: Wanted,
    cache: &'a Cache,
}

impl Run<'_> {
    /// What is kept of a file.
    fn recall(&self, path: &Path) -> Found {
        let content = Upload::from_path(path, self.limit).ok();
        let content = content.map(|upload| upload.blake3);
        Found {
            answer: content.as_ref().and_then(|hash| self.cache.find(hash)),
            content,
        }
    }

    /// Asks for the rest, and keeps what a second try would not change.
    async fn ask(
        &self,
        files: &[PathBuf],
        found: &mut [Found],
        (pipeline, request): (&Pipeline, &Request),
        done: &(dyn Fn() + Sync),
    ) -> Result<(), FitError> {
        let rest = files.iter().zip(found.iter_mut());
        let rest = rest.filter(|(_, video)| video.answer.is_none());
        let one = |(path, slot): (&PathBuf, _)| {
            let path = path.clone();
            async move { (slot, self.one(path, pipeline, request).await) }
        };
        let mut answers = stream::iter(rest.map(one)).buffer_unordered(self.at_once);
        while let Some((slot, result)) = answers.next().await {
            let slot: &mut Found = slot;
            let lasting = result.as_ref().err().is_none_or(is_of_the_file);
            let answer = match result {
                Ok(answer) => answer,
                Err(error) => Answer::Failed {
                    code: error.kind().code().to_owned(),
                    detail: error.to_string(),
                },
            };
            if let Some(content) = slot.content.as_ref().filter(|_| lasting) {
                self.cache.keep(content, &answer)?;
            }
            slot.answer = Some(answer);
            done();
        }
        Ok(())
    }

    async fn one(
        &self,
        path: PathBuf,
        pipeline: &Pipeline,
        request: &Request,
    ) -> Result<Answer, AnalyzeError> {
        let limit = self.limit;
        let ticket = pipeline.admission().enter(request.lane())?;
        let upload = tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await??;
        let permit = pipeline.admission().work(ticket).await?;
        let values = match self.wanted {
            Wanted::Embedding => mean(&pipeline.embed(upload, request, permit).await?),
            Wanted::LogOdds => {
                let report = pipeline.analyze(upload, request, permit).await?;
                let raw = report.models.first().and_then(|model| model.raw_score);
                raw.map(Probability::logit).map(|logit| vec![logit.get()])
            }
        };
        Ok(match values {
            Some(values) => Answer::Numbers { values },
            None => Answer::Failed {
                code: "inconclusive".to_owned(),
                detail: "too few frames could be scored".to_owned(),
            },
        })
    }
}

/// The mean of the embeddings, each brought to length 1; `None` where one can't be, or of none.
fn mean(embeddings: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut sums = vec![0.0; embeddings.first()?.len()];
    for embedding in embeddings {
        let norm = embedding.iter().map(|x| x * x).sum::<f64>().sqrt();
        if !(norm.is_finite() && norm > 0.0) || embedding.len() != sums.len() {
            return None;
        }
        for (sum, value) in sums.iter_mut().zip(embedding) {
            *sum += value / norm;
        }
    }
    let count = embeddings.len() as f64;
    Some(sums.into_iter().map(|sum| sum / count).collect())
}
