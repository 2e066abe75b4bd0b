//! From outputs to the parts of a report. No I/O.

mod model;
mod questions;
mod seen;
mod tracks;
mod units;

pub(super) use model::model_report;
pub(super) use questions::questions;
pub(super) use seen::{faces, quality};
pub(super) use tracks::People;

use super::frames::Outputs;
use super::views::Views;
use crate::domain::report::PlacementReport;
use crate::inference::Placement;

/// What a request's reports are made from.
pub(super) struct Evidence<'a> {
    pub(super) outputs: &'a Outputs,
    pub(super) views: &'a Views,
    /// By finder.
    pub(super) people: &'a [People],
    pub(super) duration_s: f64,
    pub(super) frame_scores: bool,
}

/// What ran where, as reports have it.
fn placement(placement: &Placement) -> PlacementReport {
    let passed_over = placement.passed_over.iter();
    PlacementReport {
        provider_nodes: placement.nodes.clone(),
        passed_over: passed_over.map(ToString::to_string).collect(),
    }
}

/// A count as reports have it.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
