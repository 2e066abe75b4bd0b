//! From an opened upload to every model's outputs: decoding, preprocessing and inference side by
//! side, with a bound on what is in memory.

use std::sync::{Arc, OnceLock};

use futures_util::stream::{self, TryStreamExt};
use tracing::Span;

use super::adaptive::Ladder;
use super::error::AnalyzeError;
use super::framing::{Framed, framed};
use super::inputs::{Done, Job};
use super::repeats::Alike;
use super::sight::{Part, Sight, Terms, look};
use super::source::Source;
use super::spent::Spent;
use super::stage;
use super::views::{Group, Role, Views};
use super::windows::Assembly;
use crate::domain::adaptive::Stop;
use crate::domain::letterbox::Bars;
use crate::domain::quality::LeftOut;
use crate::domain::score::Logit;
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
    /// For each model of the request, why adaptive sampling scored no more frames; `None` without
    /// it.
    pub(super) stopped: Vec<Option<Stop>>,
    /// For each model of the request, its inputs that share the score of another, which looks the same.
    pub(super) repeated: Vec<u32>,
    /// What the heads of models that see whole frames read, where it is gathered.
    pub(super) vectors: Vec<Vector>,
    /// Black bars that the first pictures share.
    pub(super) bars: Bars,
    /// Time by stage.
    pub(super) spent: Spent,
}

/// What the head of one model read of one frame.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    /// Place of the model in the request.
    pub(super) model: usize,
    /// Index of the frame.
    pub(super) frame: usize,
    /// As the backbone gave it.
    pub(super) values: Arc<[f32]>,
}

/// What one model said of one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Which input.
    pub(super) place: Place,
    /// What it said.
    pub(super) outcome: Outcome,
    /// The frame that it said it of, where that is another one, which looks the same.
    pub(super) of: Option<usize>,
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
    /// Adaptive sampling needed it no more.
    Spared,
    /// It gave no usable number, or the input couldn't be made.
    Failed,
}

/// Runs the models of `terms` over everything that `source` yields; `decoding` lasts as long as that.
/// Dropping the future stops all.
pub(super) async fn score(
    source: Source,
    chosen: Chosen,
    terms: &Terms,
    decoding: Span,
) -> Result<Outputs, AnalyzeError> {
    let bars = Arc::new(OnceLock::new());
    let roles = roles(&chosen);
    let (mut desk, mut found) = (Desk::new(terms, &chosen), Found::new(terms));
    let mut inference = None;
    {
        let role = |framed: &Framed| roles.get(framed.frame.index).cloned();
        let jobs = framed(source, terms.config.letterbox, Arc::clone(&bars), decoding)
            .map_ok(|framed| {
                let role = role(&framed).unwrap_or_default();
                look(framed, role, terms)
            })
            .try_buffered(PICTURES_IN_FLIGHT)
            .map_ok(|(sight, parts)| stream::iter(desk.take(sight, parts).into_iter().map(Ok)))
            .try_flatten()
            .map_ok(|job| {
                inference.get_or_insert_with(stage::inference);
                job.run(terms)
            })
            .try_buffered(terms.config.frames_in_flight);
        let mut jobs = std::pin::pin!(jobs);
        while let Some(done) = jobs.try_next().await? {
            found.note(&done, &terms.views);
        }
    }
    let Desk {
        mut sights,
        ladders,
        ..
    } = desk;
    for (group, ladder) in ladders.into_iter().enumerate() {
        let Some(ladder) = ladder else { continue };
        let (done, stop) = ladder.climb(terms).await?;
        for done in &done {
            found.note(done, &terms.views);
        }
        found.stop(group, stop, &terms.views);
    }
    sights.sort_by_key(|sight| sight.index);
    for sight in &sights {
        found.spent += sight.spent;
    }
    if let Some(inference) = inference {
        stage::spent(&inference, &found.spent);
    }
    for list in &mut found.samples {
        list.sort_by_key(|sample| sample.place);
    }
    Ok(Outputs {
        chosen,
        sights,
        samples: found.samples,
        stopped: found.stopped,
        repeated: found.repeated,
        vectors: found.vectors,
        bars: bars.get().copied().unwrap_or_default(),
        spent: found.spent,
    })
}

/// What has come of the inputs so far, by model of the request.
struct Found {
    samples: Vec<Vec<Sample>>,
    stopped: Vec<Option<Stop>>,
    repeated: Vec<u32>,
    vectors: Vec<Vector>,
    spent: Spent,
}

impl Found {
    fn new(terms: &Terms) -> Self {
        // Models that no ladder is climbed for have all their inputs scored.
        let stop = terms.adaptive.is_some().then_some(Stop::NotApplicable);
        Self {
            samples: terms.models.iter().map(|_| Vec::new()).collect(),
            stopped: vec![stop; terms.models.len()],
            repeated: vec![0; terms.models.len()],
            vectors: Vec::new(),
            spent: Spent::default(),
        }
    }

    fn note(&mut self, done: &Done, views: &Views) {
        self.spent += done.spent;
        let members = views.groups.get(done.group).map(|group| &group.members);
        for (member, values) in done.vectors.iter() {
            if let Some(model) = members.and_then(|members| members.get(*member)) {
                self.vectors.push(Vector {
                    model: *model,
                    frame: done.place.frame,
                    values: Arc::clone(values),
                });
            }
        }
        for (member, outcome) in members.into_iter().flatten().zip(&done.outcomes) {
            if let Some(list) = self.samples.get_mut(*member) {
                list.push(Sample {
                    place: done.place,
                    outcome: *outcome,
                    of: done.of,
                });
            }
            let repeated = self.repeated.get_mut(*member).filter(|_| done.repeated);
            if let Some(repeated) = repeated.filter(|_| matches!(outcome, Outcome::Scored(_))) {
                *repeated = repeated.saturating_add(1);
            }
        }
    }

    fn stop(&mut self, group: usize, stop: Stop, views: &Views) {
        let members = views.groups.get(group).map(|group| &group.members);
        for member in members.into_iter().flatten() {
            if let Some(slot) = self.stopped.get_mut(*member) {
                *slot = Some(stop);
            }
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

/// Where what was seen becomes inputs: single ones at once, or kept for their ladder; windows when
/// they are complete.
struct Desk {
    /// By group; none for a group that sees single frames.
    assemblies: Vec<Option<Assembly>>,
    /// By group; none for a group whose inputs are scored as they come.
    ladders: Vec<Option<Ladder>>,
    /// By group; none for a group that doesn't see whole single frames.
    alike: Vec<Option<Alike>>,
    sights: Vec<Sight>,
}

impl Desk {
    fn new(terms: &Terms, chosen: &Chosen) -> Self {
        let views = &terms.views;
        let assembly = |(place, group): (usize, &Group)| {
            let kind = chosen.windows.get(group.view.window?)?;
            let at = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
            let windows = kind.windows.iter();
            let windows = windows.map(|window| window.iter().map(at).collect());
            Some(Assembly::new(place, group, windows.collect()))
        };
        Self {
            assemblies: views.groups.iter().enumerate().map(assembly).collect(),
            ladders: views
                .groups
                .iter()
                .map(|group| Ladder::of(group, terms))
                .collect(),
            alike: views
                .groups
                .iter()
                .map(|group| Alike::of(group, terms))
                .collect(),
            sights: Vec::new(),
        }
    }

    fn take(&mut self, sight: Sight, parts: Vec<Part>) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut of_windows: Vec<Vec<Part>> = self.assemblies.iter().map(|_| Vec::new()).collect();
        for mut part in parts {
            let windowed = self.assemblies.get(part.group).is_some_and(Option::is_some);
            if let Some(list) = of_windows.get_mut(part.group).filter(|_| windowed) {
                list.push(part);
                continue;
            }
            let ladder = self.ladders.get_mut(part.group).and_then(Option::as_mut);
            let alike = self.alike.get_mut(part.group).and_then(Option::as_mut);
            let of = alike.and_then(|alike| alike.replace(sight.index, &mut part));
            let job = Job::single(sight.index, part, of);
            match ladder {
                Some(ladder) => ladder.add(job),
                None => jobs.push(job),
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
