//! What is seen in one frame: how good it is, its faces, and the pixels that models get of it.

use std::sync::Arc;
use std::time::Instant;

use super::config::AnalysisConfig;
use super::error::AnalyzeError;
use super::faces::{self, Seen as SeenFaces};
use super::framing::Framed;
use super::keeping::Keeper;
use super::repeats::Repeats;
use super::spent::Spent;
use super::views::{Group, Role, Views};
use crate::domain::frame::Picture;
use crate::domain::lanes::Lane;
use crate::domain::letterbox::Bars;
use crate::domain::policy::Policy;
use crate::domain::quality::{LeftOut, Measures};
use crate::domain::shots;
use crate::inference::{Model, Pixels};

/// What holds for all frames of a request.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) models: Arc<[Arc<Model>]>,
    pub(super) views: Arc<Views>,
    pub(super) config: Arc<AnalysisConfig>,
    pub(super) lane: Lane,
    /// The policy to whose thresholds sampling is to adapt; none for all planned frames.
    pub(super) adaptive: Option<Arc<Policy>>,
    /// BLAKE3 of the upload, hex: what is drawn is drawn by it.
    pub(super) content: String,
    /// What was said of the same pixels before.
    pub(super) repeats: Arc<Repeats>,
    /// Whether the vectors that heads read are gathered.
    pub(super) gathers: bool,
    /// Who keeps the frames, if anybody does.
    pub(super) keeper: Option<Arc<Keeper>>,
}

/// One frame, looked at.
#[derive(Debug)]
pub(super) struct Sight {
    /// Place among the chosen frames.
    pub(super) index: usize,
    /// Seconds after the first video frame.
    pub(super) time_s: f64,
    /// True for one of the plan's single frames.
    pub(super) still: bool,
    /// Of the picture without its bars.
    pub(super) measures: Measures,
    /// Why nothing in it is scored at all.
    pub(super) unfit: Option<LeftOut>,
    /// For telling shots apart.
    pub(super) look: shots::Look,
    /// By finder; empty for a finder that didn't look.
    pub(super) faces: Vec<SeenFaces>,
    /// Stages so far.
    pub(super) spent: Spent,
}

/// What a group gets of one frame: the whole picture, or one of its faces.
#[derive(Debug)]
pub(super) struct Part {
    /// Place in [`Views::groups`].
    pub(super) group: usize,
    /// Place among the frame's faces.
    pub(super) face: Option<usize>,
    /// For each member of the group, why it isn't asked.
    pub(super) left_out: Vec<Option<LeftOut>>,
    /// The input's pixels; `None` where they can't be made, which fails the frame for the group.
    pub(super) pixels: Option<Pixels>,
}

impl Part {
    /// A frame of which nothing can be made for the group.
    pub(super) fn failed(place: usize, group: &Group) -> Self {
        Self {
            group: place,
            face: None,
            left_out: vec![None; group.members.len()],
            pixels: None,
        }
    }

    /// A part that no member of the group is asked about.
    pub(super) fn none(place: usize, group: &Group, reason: LeftOut) -> Self {
        Self {
            left_out: vec![Some(reason); group.members.len()],
            ..Self::failed(place, group)
        }
    }

    /// Whether a member is asked and there is nothing to ask it.
    pub(super) fn has_failed(&self) -> bool {
        self.pixels.is_none() && self.left_out.contains(&None)
    }
}

/// Looks at a frame that is for `role`.
pub(super) async fn look(
    framed: Framed,
    role: Role,
    terms: &Terms,
) -> Result<(Sight, Vec<Part>), AnalyzeError> {
    let waited = framed.waited;
    let eye = Eye {
        role: role.clone(),
        terms: terms.clone(),
    };
    let glance = tokio::task::spawn_blocking(move || eye.look(framed)).await?;
    let (mut sight, mut parts) = (glance.sight, glance.parts);
    sight.spent.decode = waited;
    if let Some(reason) = sight.unfit {
        parts.extend(faces::nowhere(&role, terms, reason));
    } else {
        let faces = faces::find(Arc::new(glance.picture), glance.bars, &role, terms).await?;
        sight.spent += faces.spent;
        sight.faces = faces.seen;
        parts.extend(faces.parts);
    }
    Ok((sight, parts))
}

/// Looks at one whole picture.
struct Eye {
    role: Role,
    terms: Terms,
}

/// What it saw, with the picture without its bars.
struct Glance {
    sight: Sight,
    parts: Vec<Part>,
    picture: Picture,
    bars: Bars,
}

impl Eye {
    /// Measures, and whole pictures for the groups that want one. Computes.
    fn look(&self, framed: Framed) -> Glance {
        let begin = Instant::now();
        let (index, time_s) = (framed.frame.index, framed.frame.time_s);
        if let Some(keeper) = &self.terms.keeper {
            keeper.add(framed.place, &framed.frame);
        }
        let (picture, bars) = framed.into_inner();
        let measures = Measures::of(&picture);
        let unfit = self.terms.config.quality.judge(&measures);
        let groups = self.terms.views.groups.iter().enumerate();
        let parts = groups
            .filter(|(_, group)| group.view.cut.is_none() && self.role.wants(&group.view))
            .map(|(place, group)| self.part(place, group, &picture, (&measures, unfit)))
            .collect();
        let finders = self.terms.views.finders.iter();
        let sight = Sight {
            index,
            time_s,
            still: self.role.still,
            measures,
            unfit,
            look: shots::Look::of(&picture),
            faces: finders.map(|_| SeenFaces::default()).collect(),
            spent: Spent {
                preprocess: begin.elapsed(),
                ..Spent::default()
            },
        };
        Glance {
            sight,
            parts,
            picture,
            bars,
        }
    }

    fn part(
        &self,
        place: usize,
        group: &Group,
        picture: &Picture,
        (measures, unfit): (&Measures, Option<LeftOut>),
    ) -> Part {
        let left_out = self.terms.left_out(group, measures, unfit);
        let asked = left_out.iter().any(Option::is_none);
        Part {
            group: place,
            face: None,
            pixels: asked.then(|| group.backbone.preprocessor().pixels(picture)),
            left_out,
        }
    }
}

impl Terms {
    /// For each member of `group`, why it isn't asked about something with `measures`.
    pub(super) fn left_out(
        &self,
        group: &Group,
        measures: &Measures,
        unfit: Option<LeftOut>,
    ) -> Vec<Option<LeftOut>> {
        let members = group.members.iter();
        members
            .map(|place| {
                let scope = self.models.get(*place).map(|model| model.scope());
                unfit.or_else(|| scope.and_then(|scope| scope.judge(measures)))
            })
            .collect()
    }
}
