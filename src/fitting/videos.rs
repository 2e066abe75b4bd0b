//! What a backbone or a model makes of labelled videos, by the pipeline that serves, and kept by
//! content hash.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::FitError;
use crate::config::Config;
use crate::domain::sampling::Strategy;
use crate::domain::score::Probability;
use crate::evaluation::{Asking, Manifest};
use crate::pipeline::{AnalyzeError, Options, Permit, Pipeline, Request};
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
    footage: Footage<'_>,
    wanted: Wanted,
    done: &(dyn Fn() + Sync),
) -> Result<Gathered, FitError> {
    let kind = match wanted {
        Wanted::Embedding => "embeddings",
        Wanted::LogOdds => "log-odds",
    };
    let asking = Asking {
        options: options(&footage),
        config: footage.config,
        cache: &footage.cache.join(kind),
        done,
    };
    let ask = async |pipeline: &Pipeline, request: &Request, upload, permit| {
        one(wanted, (pipeline, request), upload, permit).await
    };
    let found = asking.each::<_, FitError>(footage.manifest, &ask, failed)?;
    let mut hasher = blake3::Hasher::new();
    for (content, _) in &found {
        hasher.update(content.as_deref().unwrap_or("-").as_bytes());
    }
    Ok(Gathered {
        answers: found.into_iter().filter_map(|(_, answer)| answer).collect(),
        blake3: hasher.finalize().to_hex().to_string(),
    })
}

fn options(footage: &Footage<'_>) -> Options {
    Options {
        models: vec![footage.model.to_owned()],
        policy: None,
        frames: footage.frames,
        sampling: footage.sampling,
        frame_scores: false,
        // All planned frames count, whatever a policy would be content with.
        adaptive: Some(false),
        region: None,
    }
}

fn failed(error: &AnalyzeError) -> Answer {
    Answer::Failed {
        code: error.kind().code().to_owned(),
        detail: error.to_string(),
    }
}

async fn one(
    wanted: Wanted,
    (pipeline, request): (&Pipeline, &Request),
    upload: Upload,
    permit: Permit,
) -> Result<Answer, AnalyzeError> {
    let values = match wanted {
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
