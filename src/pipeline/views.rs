//! What the models of a request look at. What several of them share is made once: a backbone runs
//! once on a picture, a face is cut out once for each way of cutting.

use std::sync::Arc;

use super::error::AnalyzeError;
use crate::domain::plan::FramePlan;
use crate::domain::sampling::SamplingPlan;
use crate::domain::windows::WindowPlan;
use crate::inference::bundle::FaceSection;
use crate::inference::bundle::Look;
use crate::inference::faces::Cropper;
use crate::inference::{Backbone, Finder, Model, Registry};

/// How the models of one request look at it.
#[derive(Debug, Clone)]
pub(super) struct Views {
    /// Every frame that is decoded.
    pub(super) plan: FramePlan,
    /// The finders that face models name, each once.
    pub(super) finders: Vec<Arc<Finder>>,
    /// Models that see the same input of the same backbone.
    pub(super) groups: Vec<Group>,
}

/// Models that see the same input of the same backbone.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// What runs it.
    pub(super) backbone: Arc<Backbone>,
    /// Places of its models in the request.
    pub(super) members: Vec<usize>,
    /// What it sees.
    pub(super) view: View,
}

/// What a group sees.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Which kind of window of the plan; single frames without.
    pub(super) window: Option<usize>,
    /// How faces are cut out; whole pictures without.
    pub(super) cut: Option<Cut>,
}

/// How faces are cut out.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// Place in [`Views::finders`].
    pub(super) finder: usize,
    /// By which the picture of a face is made.
    pub(super) cropper: Cropper,
    section: FaceSection,
}

impl Cut {
    /// Whether another model's section cuts the same pictures.
    fn same(&self, other: &FaceSection) -> bool {
        let own = &self.section;
        own.finder == other.finder
            && own.min_size == other.min_size
            && own.margin.to_bits() == other.margin.to_bits()
            && own.align == other.align
    }
}

impl View {
    /// Whether it sees whole single pictures.
    pub(super) fn is_whole(&self) -> bool {
        self.window.is_none() && self.cut.is_none()
    }

    fn same(&self, window: Option<usize>, face: Option<&FaceSection>) -> bool {
        let same_cut = match (&self.cut, face) {
            (None, None) => true,
            (Some(cut), Some(face)) => cut.same(face),
            (None, Some(_)) | (Some(_), None) => false,
        };
        self.window == window && same_cut
    }
}

impl Views {
    /// What `models` want of a video, with single frames as `stills` says.
    pub(super) fn of(
        models: &[Arc<Model>],
        stills: SamplingPlan,
        registry: &Registry,
    ) -> Result<Self, AnalyzeError> {
        let windows = models.iter().filter_map(|model| window(model.look()));
        let mut views = Self {
            plan: FramePlan::new(stills, windows)?,
            finders: Vec::new(),
            groups: Vec::new(),
        };
        for (place, model) in models.iter().enumerate() {
            views.add(place, model, registry)?;
        }
        Ok(views)
    }

    fn add(
        &mut self,
        place: usize,
        model: &Model,
        registry: &Registry,
    ) -> Result<(), AnalyzeError> {
        let face = model.look().face();
        let kind = window(model.look())
            .and_then(|wanted| self.plan.windows.iter().position(|kind| *kind == wanted));
        let known = self.groups.iter_mut().find(|group| {
            Arc::ptr_eq(&group.backbone, model.backbone()) && group.view.same(kind, face)
        });
        if let Some(group) = known {
            group.members.push(place);
            return Ok(());
        }
        let cut = face
            .map(|section| self.cut(section, model, registry))
            .transpose()?;
        self.groups.push(Group {
            backbone: Arc::clone(model.backbone()),
            members: vec![place],
            view: View { window: kind, cut },
        });
        Ok(())
    }

    fn cut(
        &mut self,
        section: &FaceSection,
        model: &Model,
        registry: &Registry,
    ) -> Result<Cut, AnalyzeError> {
        let finder = registry.finder(&section.finder)?;
        let known = self.finders.iter().position(|f| Arc::ptr_eq(f, finder));
        let finder = known.unwrap_or_else(|| {
            self.finders.push(Arc::clone(finder));
            self.finders.len().saturating_sub(1)
        });
        Ok(Cut {
            finder,
            cropper: Cropper::new(section, model.backbone().preprocessor().resized()),
            section: section.clone(),
        })
    }

    /// The finders that look at a frame which is single, or in windows of these kinds.
    pub(super) fn finders_for(&self, role: &Role) -> Vec<usize> {
        let wanted = |finder: &usize| {
            self.groups.iter().any(|group| {
                let here = group.view.cut.as_ref().map(|cut| cut.finder) == Some(*finder);
                here && role.wants(&group.view)
            })
        };
        (0..self.finders.len()).filter(wanted).collect()
    }
}

fn window(look: &Look) -> Option<WindowPlan> {
    match look {
        Look::Frame | Look::Face(_) => None,
        Look::Window { window, .. } => Some(*window),
    }
}

/// What a decoded frame is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Role {
    /// It is one of the single frames.
    pub(super) still: bool,
    /// For each kind of window, whether it is in one.
    pub(super) windows: Vec<bool>,
}

impl Role {
    /// Whether a group with this view sees the frame.
    pub(super) fn wants(&self, view: &View) -> bool {
        match view.window {
            None => self.still,
            Some(kind) => self.windows.get(kind).copied().unwrap_or(false),
        }
    }
}
