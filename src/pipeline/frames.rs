//! From an opened upload to every model's outputs: decoding, preprocessing and inference side by
//! side, with a bound on what is in memory.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::stream::{self, TryStreamExt};
use tracing::Span;

use super::error::AnalyzeError;
use super::framing::{Framed, framed};
use super::sight::{Part, Sight, Terms, look};
use super::spent::Spent;
use super::stage;
use super::views::{Group, Role, Views};
use super::windows::{Assembly, Ready};
use crate::domain::letterbox::Bars;
use crate::domain::quality::LeftOut;
use crate::domain::score::Logit;
use crate::inference::{InferenceError, Pixels};
use crate::media::OpenMedia;
use crate::media::protocol::Chosen;

/// Whole pictures of one request in the server's memory that are looked at, besides those that are
/// [held back](super::framing) and the one that is being received.
const PICTURES_IN_FLIGHT: usize = 2;

/// What all models made of the upload.
#[derive(Debug)]
pub(super) struct Outputs {
    /// What the plan came down to.
    pub(super) chosen: Chosen,
    /// The frames that were decoded, ascending in time.
    pub(super) sights: Vec<Sight>,
    /// For each model of the request, what it said of each input.
    pub(super) samples: Vec<Vec<Sample>>,
    /// Black bars that the first pictures share.
    pub(super) bars: Bars,
    /// Time by stage.
    pub(super) spent: Spent,
}

/// What one model said of one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Which input.
    pub(super) place: Place,
    /// What it said.
    pub(super) outcome: Outcome,
}

/// Which input of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which window of the model's kind; none for single frames.
    pub(super) window: Option<usize>,
    /// Index of the frame, of a window with a face the first one.
    pub(super) frame: usize,
    /// Place among that frame's faces; none for whole pictures.
    pub(super) face: Option<usize>,
}

/// What a model said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    /// Uncalibrated.
    Scored(Logit),
    /// It was not asked.
    LeftOut(LeftOut),
    /// It gave no usable number, or the input couldn't be made.
    Failed,
}

/// An input for a group's backbone.
struct Job {
    group: usize,
    place: Place,
    left_out: Vec<Option<LeftOut>>,
    pixels: Vec<Pixels>,
}

/// What became of it, for each member of the group.
struct Done {
    group: usize,
    place: Place,
    outcomes: Vec<Outcome>,
    spent: Spent,
}

/// Runs the models of `terms` over everything that `media` yields; `decoding` lasts as long as that.
/// Dropping the future stops all.
pub(super) async fn score(
    media: OpenMedia,
    chosen: Chosen,
    terms: &Terms,
    decoding: Span,
) -> Result<Outputs, AnalyzeError> {
    let bars = Arc::new(OnceLock::new());
    let roles = roles(&chosen);
    let mut desk = Desk::new(&terms.views, &chosen);
    let mut samples: Vec<Vec<Sample>> = terms.models.iter().map(|_| Vec::new()).collect();
    let mut spent = Spent::default();
    let mut inference = None;
    {
        let role = |framed: &Framed| roles.get(framed.frame.index).cloned();
        let jobs = framed(media, terms.config.letterbox, Arc::clone(&bars), decoding)
            .map_ok(|framed| {
                let role = role(&framed).unwrap_or_default();
                look(framed, role, terms)
            })
            .try_buffered(PICTURES_IN_FLIGHT)
            .map_ok(|(sight, parts)| stream::iter(desk.take(sight, parts).into_iter().map(Ok)))
            .try_flatten()
            .map_ok(|job| {
                inference.get_or_insert_with(stage::inference);
                run(job, terms)
            })
            .try_buffered(terms.config.frames_in_flight);
        let mut done = std::pin::pin!(jobs);
        while let Some(done) = done.try_next().await? {
            spent += done.spent;
            note(&mut samples, &done, &terms.views);
        }
    }
    let mut sights = desk.sights;
    sights.sort_by_key(|sight| sight.index);
    for sight in &sights {
        spent += sight.spent;
    }
    if let Some(inference) = inference {
        stage::spent(&inference, &spent);
    }
    for list in &mut samples {
        list.sort_by_key(|sample| sample.place);
    }
    Ok(Outputs {
        chosen,
        sights,
        samples,
        bars: bars.get().copied().unwrap_or_default(),
        spent,
    })
}

fn note(samples: &mut [Vec<Sample>], done: &Done, views: &Views) {
    let members = views.groups.get(done.group).map(|group| &group.members);
    for (member, outcome) in members.into_iter().flatten().zip(&done.outcomes) {
        if let Some(list) = samples.get_mut(*member) {
            list.push(Sample {
                place: done.place,
                outcome: *outcome,
            });
        }
    }
}

/// For each chosen frame, what it is for.
fn roles(chosen: &Chosen) -> Vec<Role> {
    let blank = Role {
        still: false,
        windows: vec![false; chosen.windows.len()],
    };
    let mut roles = vec![blank; chosen.times_s.len()];
    let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
    for index in &chosen.stills.frames {
        if let Some(role) = roles.get_mut(at(*index)) {
            role.still = true;
        }
    }
    for (kind, windows) in chosen.windows.iter().enumerate() {
        for index in windows.windows.iter().flatten() {
            let role = roles.get_mut(at(*index));
            if let Some(wanted) = role.and_then(|role| role.windows.get_mut(kind)) {
                *wanted = true;
            }
        }
    }
    roles
}

/// Where what was seen becomes inputs: single ones at once, windows when they are complete.
struct Desk {
    /// By group; none for a group that sees single frames.
    assemblies: Vec<Option<Assembly>>,
    sights: Vec<Sight>,
}

impl Desk {
    fn new(views: &Views, chosen: &Chosen) -> Self {
        let assembly = |(place, group): (usize, &Group)| {
            let kind = chosen.windows.get(group.view.window?)?;
            let at = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
            let windows = kind.windows.iter();
            let windows = windows.map(|window| window.iter().map(at).collect());
            Some(Assembly::new(place, group, windows.collect()))
        };
        Self {
            assemblies: views.groups.iter().enumerate().map(assembly).collect(),
            sights: Vec::new(),
        }
    }

    fn take(&mut self, sight: Sight, parts: Vec<Part>) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut of_windows: Vec<Vec<Part>> = self.assemblies.iter().map(|_| Vec::new()).collect();
        for part in parts {
            let windowed = self.assemblies.get(part.group).is_some_and(Option::is_some);
            match of_windows.get_mut(part.group).filter(|_| windowed) {
                Some(list) => list.push(part),
                None => jobs.push(Job::single(sight.index, part)),
            }
        }
        for (assembly, parts) in self.assemblies.iter_mut().zip(of_windows) {
            if let Some(assembly) = assembly.as_mut().filter(|_| !parts.is_empty()) {
                let ready = assembly.add(&sight, parts);
                jobs.extend(ready.into_iter().map(Job::window));
            }
        }
        self.sights.push(sight);
        jobs
    }
}

impl Job {
    fn single(frame: usize, part: Part) -> Self {
        Self {
            group: part.group,
            place: Place {
                window: None,
                frame,
                face: part.face,
            },
            left_out: part.left_out,
            pixels: part.pixels.into_iter().collect(),
        }
    }

    fn window(ready: Ready) -> Self {
        Self {
            group: ready.group,
            place: Place {
                window: Some(ready.window),
                frame: ready.first_frame,
                face: ready.face,
            },
            left_out: ready.left_out,
            pixels: ready.pixels,
        }
    }

    fn left_out(&self, member: usize) -> Option<LeftOut> {
        self.left_out.get(member).copied().flatten()
    }
}

/// Runs the backbone once for all members that are asked.
async fn run(job: Job, terms: &Terms) -> Result<Done, AnalyzeError> {
    let mut done = Done {
        group: job.group,
        place: job.place,
        outcomes: Vec::new(),
        spent: Spent::default(),
    };
    let Some(group) = terms.views.groups.get(job.group) else {
        return Ok(done);
    };
    let asked: Vec<usize> = (0..group.members.len())
        .filter(|member| job.left_out(*member).is_none())
        .collect();
    let outcome = |member| {
        job.left_out(member)
            .map_or(Outcome::Failed, Outcome::LeftOut)
    };
    done.outcomes = (0..group.members.len()).map(outcome).collect();
    if asked.is_empty() || job.pixels.is_empty() {
        return Ok(done);
    }
    let begin = Instant::now();
    let (backbone, pixels) = (Arc::clone(&group.backbone), job.pixels);
    let tensor = tokio::task::spawn_blocking(move || {
        let pictures: Vec<&Pixels> = pixels.iter().collect();
        backbone.preprocessor().tensor(&pictures)
    })
    .await??;
    done.spent.preprocess = begin.elapsed();
    let heads: Vec<_> = asked
        .iter()
        .filter_map(|member| terms.models.get(*group.members.get(*member)?))
        .map(|model| Arc::clone(model.head()))
        .collect();
    let scored = group.backbone.score(tensor, &heads).await?;
    done.spent.queue = scored.queued;
    done.spent.inference = scored.computed;
    for (member, logit) in asked.into_iter().zip(scored.logits) {
        if let Some(outcome) = done.outcomes.get_mut(member) {
            *outcome = usable(logit)?.map_or(Outcome::Failed, Outcome::Scored);
        }
    }
    Ok(done)
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
