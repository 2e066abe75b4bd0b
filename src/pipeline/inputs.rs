//! One input of a backbone, from pixels to what each model of its group says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::AnalyzeError;
use super::frames::{Outcome, Place};
use super::repeats::Said;
use super::sight::{Part, Terms};
use super::spent::Spent;
use super::views::Group;
use super::windows::Ready;
use crate::domain::quality::LeftOut;
use crate::domain::score::Logit;
use crate::inference::{InferenceError, Pixels};

/// An input for a group's backbone.
pub(super) struct Job {
    group: usize,
    place: Place,
    /// For each member of the group, why it isn't asked.
    left_out: Vec<Option<LeftOut>>,
    pixels: Vec<Pixels>,
    /// The frame whose pixels these are, where it isn't its own.
    of: Option<usize>,
}

/// What became of it, for each member of the group.
pub(super) struct Done {
    pub(super) group: usize,
    pub(super) place: Place,
    pub(super) outcomes: Vec<Outcome>,
    /// What the members' heads read, where it is kept and there is anything to read.
    pub(super) vectors: Vectors,
    /// The outcomes are those of another input with the same pixels, or nearly the same.
    pub(super) repeated: bool,
    /// The frame whose outcomes these are, where it isn't its own.
    pub(super) of: Option<usize>,
    pub(super) spent: Spent,
}

/// By place in the group; shared by inputs with the same pixels.
pub(super) type Vectors = Arc<[(usize, Arc<[f32]>)]>;

impl Job {
    /// One picture of `frame`, with the pixels of the frame `of` where there is one.
    pub(super) fn single(frame: usize, part: Part, of: Option<usize>) -> Self {
        Self {
            group: part.group,
            place: Place {
                window: None,
                frame,
                face: part.face,
            },
            left_out: part.left_out,
            pixels: part.pixels.into_iter().collect(),
            of,
        }
    }

    pub(super) fn window(ready: Ready) -> Self {
        Self {
            group: ready.group,
            place: Place {
                window: Some(ready.window),
                frame: ready.first_frame,
                face: ready.face,
            },
            left_out: ready.left_out,
            pixels: ready.pixels,
            of: None,
        }
    }

    /// Why `member` of the group isn't asked.
    pub(super) fn left_out(&self, member: usize) -> Option<LeftOut> {
        self.left_out.get(member).copied().flatten()
    }

    /// Whether any model is to be asked, and there is something to ask it about.
    pub(super) fn asks(&self) -> bool {
        !self.pixels.is_empty() && self.left_out.iter().any(Option::is_none)
    }

    /// What comes of it when it isn't run.
    pub(super) fn spared(self) -> Done {
        self.done(Outcome::Spared)
    }

    /// With `outcome` for all that would have been asked.
    fn done(&self, outcome: Outcome) -> Done {
        let each = self.left_out.iter();
        Done {
            group: self.group,
            place: self.place,
            outcomes: each
                .map(|reason| reason.map_or(outcome, Outcome::LeftOut))
                .collect(),
            vectors: Vectors::default(),
            repeated: false,
            of: None,
            spent: Spent::default(),
        }
    }

    /// Runs the backbone once for all members that are asked; or not at all where the same pixels
    /// have been asked about.
    pub(super) async fn run(self, terms: &Terms) -> Result<Done, AnalyzeError> {
        let mut done = self.done(Outcome::Failed);
        let Some(group) = terms.views.groups.get(self.group).filter(|_| self.asks()) else {
            return Ok(done);
        };
        let answer = terms
            .repeats
            .answer(self.group, &self.left_out, &self.pixels);
        (done.repeated, done.of) = (true, self.of);
        let outcomes = answer.get_or_try_init(|| async {
            let (said, spent) = ask(self, group, terms).await?;
            (done.repeated, done.spent) = (false, spent);
            Ok::<_, AnalyzeError>(said)
        });
        let (outcomes, vectors) = outcomes.await?.clone();
        (done.outcomes, done.vectors) = (outcomes, vectors);
        if group.view.is_whole() {
            // Whoever of two was scored first: that is chance.
            done.repeated = done.of.is_some();
        }
        Ok(done)
    }
}

/// What each member of `group` says of `job`, and what it took.
async fn ask(job: Job, group: &Group, terms: &Terms) -> Result<(Said, Spent), AnalyzeError> {
    let mut outcomes = job.done(Outcome::Failed).outcomes;
    let asked: Vec<usize> = (0..group.members.len())
        .filter(|member| job.left_out(*member).is_none())
        .collect();
    let begin = Instant::now();
    let (backbone, pixels) = (Arc::clone(&group.backbone), job.pixels);
    let tensor = tokio::task::spawn_blocking(move || {
        let pictures: Vec<&Pixels> = pixels.iter().collect();
        backbone.preprocessor().tensor(&pictures)
    })
    .await??;
    let preprocess: Duration = begin.elapsed();
    let heads: Vec<_> = asked
        .iter()
        .filter_map(|member| terms.models.get(*group.members.get(*member)?))
        .map(|model| Arc::clone(model.head()))
        .collect();
    let scored = if terms.gathers && group.view.is_whole() {
        let scoring = group
            .backbone
            .score_with_vectors(tensor, &heads, terms.lane);
        scoring.await?
    } else {
        group.backbone.score(tensor, &heads, terms.lane).await?
    };
    let vectors = asked.iter().zip(scored.vectors);
    let vectors = vectors.filter_map(|(member, vector)| Some((*member, vector?.into())));
    let vectors = vectors.collect();
    for (member, logit) in asked.into_iter().zip(scored.logits) {
        if let Some(outcome) = outcomes.get_mut(member) {
            *outcome = usable(logit)?.map_or(Outcome::Failed, Outcome::Scored);
        }
    }
    let spent = Spent {
        preprocess,
        queue: scored.queued,
        inference: scored.computed,
        ..Spent::default()
    };
    Ok(((outcomes, vectors), spent))
}

/// An output that is no score fails its input, which coverage shows; any other fault is the
/// server's and fails the request.
fn usable(logit: Result<Logit, InferenceError>) -> Result<Option<Logit>, AnalyzeError> {
    match logit {
        Ok(logit) => Ok(Some(logit)),
        Err(error @ InferenceError::NoScore { .. }) => {
            tracing::warn!(%error, "input not scored");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
