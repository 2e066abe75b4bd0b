//! What a caller may ask for, as typed and as resolved.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::views::Views;
use crate::domain::lanes::Lane;
use crate::domain::policy::{Case, Policy};
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::inference::Model;

/// A caller's wishes; what is absent comes from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Names of models; empty for the default ones.
    pub models: Vec<String>,
    /// Name of a policy.
    pub policy: Option<String>,
    /// Frames to look at.
    pub frames: Option<u32>,
    /// How they are chosen.
    pub sampling: Option<Strategy>,
    /// True for every frame's score in the report.
    pub frame_scores: bool,
    /// True to score no more frames than the verdict needs; the policy's choice when absent.
    pub adaptive: Option<bool>,
    /// Where the video is shown; rules of a policy can differ by it.
    pub region: Option<Region>,
}

/// A request whose models and policy exist and whose numbers are in range.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) models: Arc<[Arc<Model>]>,
    pub(super) views: Arc<Views>,
    pub(super) policy: Arc<Policy>,
    pub(super) frame_scores: bool,
    pub(super) adaptive: bool,
    pub(super) lane: Lane,
    pub(super) region: Option<Region>,
    pub(super) stays: Stays,
}

/// What stays of a request besides its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    /// Material for scoring it again, where there is a shelf; and its report may be given again.
    All,
    /// Its report may be given again.
    Report,
    /// Neither.
    Nothing,
}

impl Request {
    /// The same, of which no material is kept for scoring it again.
    #[must_use]
    pub fn without_keeping(self) -> Self {
        Self {
            stays: Stays::Report,
            ..self
        }
    }

    /// The same, of which nothing stays.
    pub(super) fn once(self) -> Self {
        Self {
            stays: Stays::Nothing,
            ..self
        }
    }

    /// The lane that it was made for.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// As a policy sees it on the day `date`.
    pub(super) fn case(&self, date: Date) -> Case {
        Case {
            lane: self.lane,
            region: self.region.clone(),
            date,
        }
    }
}
