//! From an opened upload to every model's frame outputs: decoding, preprocessing and inference
//! side by side, with a bound on what is in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, TryStreamExt};
use futures_util::{Stream, future};

use super::error::AnalyzeError;
use crate::domain::frame::Frame;
use crate::domain::score::Logit;
use crate::domain::segments::ScoredFrame;
use crate::inference::{InferenceError, Model, Tensor};
use crate::media::{Decoded, OpenMedia};

/// Whole pictures of one request in the server's memory, besides the one that is being received.
const PICTURES_IN_FLIGHT: usize = 2;

/// What all models made of the frames.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// Times of the frames that were decoded, ascending.
    pub(super) decoded_s: Vec<f64>,
    /// For each model of the request, its scored frames in order of time.
    pub(super) by_model: Vec<Vec<ScoredFrame>>,
    /// Sums over frames.
    pub(super) spent: Spent,
}

/// Time by stage.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    pub(super) decode: Duration,
    pub(super) preprocess: Duration,
    pub(super) queue: Duration,
    pub(super) inference: Duration,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.decode = self.decode.saturating_add(other.decode);
        self.preprocess = self.preprocess.saturating_add(other.preprocess);
        self.queue = self.queue.saturating_add(other.queue);
        self.inference = self.inference.saturating_add(other.inference);
    }
}

struct Prepared {
    time_s: f64,
    /// One a model; `None` where the picture can't be that model's input.
    tensors: Vec<Option<Tensor>>,
    spent: Spent,
}

struct Scored {
    time_s: f64,
    logits: Vec<Option<Logit>>,
    spent: Spent,
}

/// Runs `models` over all frames that `media` yields; at most `in_flight` prepared frames wait for
/// a session. Dropping the future stops everything.
pub(super) async fn score(
    media: OpenMedia,
    models: &[Arc<Model>],
    in_flight: usize,
) -> Result<Outputs, AnalyzeError> {
    let mut outputs = Outputs {
        by_model: models.iter().map(|_| Vec::new()).collect(),
        ..Outputs::default()
    };
    let scored = decoded(media)
        .map_ok(|(frame, waited)| prepare(frame, waited, models))
        .try_buffered(PICTURES_IN_FLIGHT)
        .map_ok(|prepared| infer(prepared, models))
        .try_buffered(in_flight);
    let mut scored = std::pin::pin!(scored);
    while let Some(frame) = scored.try_next().await? {
        outputs.spent += frame.spent;
        outputs.decoded_s.push(frame.time_s);
        for (list, logit) in outputs.by_model.iter_mut().zip(frame.logits) {
            list.extend(logit.map(|logit| ScoredFrame {
                time_s: frame.time_s,
                logit,
            }));
        }
    }
    Ok(outputs)
}

/// The frames that come out of the decoder, each with the time that was spent waiting for it.
fn decoded(media: OpenMedia) -> impl Stream<Item = Result<(Frame, Duration), AnalyzeError>> {
    stream::try_unfold(media, |mut media| async move {
        let begin = Instant::now();
        loop {
            match media.next().await? {
                Some(Decoded::Frame(frame)) => {
                    return Ok(Some(((frame, begin.elapsed()), media)));
                }
                Some(Decoded::Missed(index)) => tracing::debug!(index, "frame not decoded"),
                None => return Ok(None),
            }
        }
    })
}

async fn prepare(
    frame: Frame,
    waited: Duration,
    models: &[Arc<Model>],
) -> Result<Prepared, AnalyzeError> {
    let models = models.to_vec();
    let time_s = frame.time_s;
    let begin = Instant::now();
    let tensors = tokio::task::spawn_blocking(move || {
        models
            .iter()
            .map(|model| model.prepare(&frame.picture))
            .map(usable)
            .collect::<Result<_, _>>()
    })
    .await??;
    let spent = Spent {
        decode: waited,
        preprocess: begin.elapsed(),
        ..Spent::default()
    };
    Ok(Prepared {
        time_s,
        tensors,
        spent,
    })
}

async fn infer(prepared: Prepared, models: &[Arc<Model>]) -> Result<Scored, AnalyzeError> {
    let Prepared {
        time_s,
        tensors,
        mut spent,
    } = prepared;
    let runs = models
        .iter()
        .zip(tensors)
        .map(|(model, tensor)| async move {
            match tensor {
                Some(tensor) => usable(model.score(tensor).await),
                None => Ok(None),
            }
        });
    let mut logits = Vec::with_capacity(models.len());
    for scored in future::try_join_all(runs).await? {
        logits.push(scored.map(|s| s.answer));
        if let Some(scored) = scored {
            spent.queue = spent.queue.saturating_add(scored.queued);
            spent.inference = spent.inference.saturating_add(scored.computed);
        }
    }
    Ok(Scored {
        time_s,
        logits,
        spent,
    })
}

/// A picture that is no input, and an output that is no score, fail their frame, which coverage
/// shows; any other fault is the server's and fails the request.
fn usable<T>(result: Result<T, InferenceError>) -> Result<Option<T>, AnalyzeError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ (InferenceError::Preprocess { .. } | InferenceError::NoScore { .. })) => {
            tracing::warn!(%error, "frame not scored");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
