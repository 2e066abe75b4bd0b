//! A calibration for a bundle that is there, and a threshold for a budget of false positives.

use std::collections::BTreeSet;

use serde::Serialize;

use super::balance::by_class;
use super::calibrate::{Kind, apply, calibrate};
use super::error::FitError;
use super::folds::folds;
use crate::domain::calibration::Calibration;
use crate::domain::metrics::binomial::{Rate, fewest};
use crate::domain::metrics::{Curve, Sample, brier, ece, log_loss, rank, threshold_for_fpr};

/// Share of intervals that hold the true rate.
pub const CONFIDENCE: f64 = 0.95;

/// Videos that a model gave log-odds for.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// Uncalibrated, by video.
    pub logits: &'a [f64],
    /// By video.
    pub synthetic: &'a [bool],
    /// By video; videos of one group are never on both sides of a fold.
    pub groups: &'a [String],
}

/// A calibration and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recalibrated {
    /// Fitted to all videos.
    pub calibration: Calibration,
    /// The bundle's own calibration.
    pub before: Quality,
    /// By calibrations that were fitted to the other folds.
    pub after: Quality,
    /// Folds of whole groups.
    pub folds: usize,
}

/// How far probabilities are from the truth; both classes count the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// Mean of −ln of the probability of what is true.
    pub log_loss: Option<f64>,
    /// Mean of (p − y)².
    pub brier: Option<f64>,
    /// Expected calibration error.
    pub ece: Option<f64>,
}

/// A threshold for a budget of false positives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// Share of real videos that may reach the threshold.
    pub max_fpr: f64,
    /// The lowest score that keeps within the budget on these videos; `None` where none does.
    pub threshold: Option<f64>,
    /// Real videos that reach it.
    pub fpr: Rate,
    /// Synthetic videos that reach it.
    pub tpr: Rate,
    /// Whether the upper end of the false positives' interval keeps within the budget too.
    pub proven: bool,
    /// Fewest real videos that could prove it: so many, and none of them reaches the threshold.
    pub real_needed: u64,
    /// Real videos that would prove it where the rate stays what it is here; `None` where the rate
    /// is the budget or above.
    pub real_needed_at_this_rate: Option<u64>,
}

/// Fits a calibration of this kind, and says what it is worth on groups that it was not fitted to.
pub fn recalibrate(
    videos: Scored<'_>,
    kind: Kind,
    before: &Calibration,
    plan: (usize, u64),
) -> Result<Recalibrated, FitError> {
    let (count, seed) = plan;
    let fold = folds(videos.synthetic, videos.groups, count, seed)?;
    let mut after = vec![0.0; videos.logits.len()];
    for held in fold.iter().copied().collect::<BTreeSet<usize>>() {
        let map = on(videos, kind, |video| fold[video] != held)?;
        for video in (0..after.len()).filter(|video| fold[*video] == held) {
            after[video] = apply(&map, videos.logits[video])?;
        }
    }
    let now = videos.logits.iter().map(|logit| apply(before, *logit));
    let now: Vec<f64> = now.collect::<Result<_, FitError>>()?;
    Ok(Recalibrated {
        calibration: on(videos, kind, |_| true)?,
        before: quality(videos.synthetic, &now),
        after: quality(videos.synthetic, &after),
        folds: count,
    })
}

fn on(
    videos: Scored<'_>,
    kind: Kind,
    inside: impl Fn(usize) -> bool,
) -> Result<Calibration, FitError> {
    let places: Vec<usize> = (0..videos.logits.len()).filter(|v| inside(*v)).collect();
    let logits: Vec<f64> = places.iter().map(|video| videos.logits[*video]).collect();
    let synthetic: Vec<bool> = places.iter().map(|v| videos.synthetic[*v]).collect();
    calibrate(kind, &logits, &synthetic, &by_class(&synthetic))
}

fn samples(synthetic: &[bool], scores: &[f64]) -> Vec<Sample> {
    let pairs = synthetic.iter().zip(scores);
    pairs
        .map(|(class, score)| Sample::new(*class, *score))
        .collect()
}

fn quality(synthetic: &[bool], scores: &[f64]) -> Quality {
    let mut samples = samples(synthetic, scores);
    for (sample, weight) in samples.iter_mut().zip(by_class(synthetic)) {
        sample.weight = weight;
    }
    Quality {
        log_loss: log_loss(&samples),
        brier: brier(&samples),
        ece: ece(&samples),
    }
}

/// Picks the threshold on these scores. The intervals are exact for independent videos; videos of
/// one source are not, so they are the least that must be reckoned with.
pub fn budget(synthetic: &[bool], scores: &[f64], max_fpr: f64) -> Result<Budget, FitError> {
    let mut ranked = samples(synthetic, scores);
    rank(&mut ranked);
    let curve = Curve::of(&ranked);
    let threshold = threshold_for_fpr(&curve, max_fpr);
    let count = |class: bool, at: f64| {
        let own = ranked.iter().filter(|sample| sample.synthetic == class);
        let above = own.clone().filter(|sample| sample.score >= at).count() as u64;
        Rate::of(above, own.count() as u64, CONFIDENCE)
    };
    let at = threshold.unwrap_or(f64::INFINITY);
    let rate = |class| count(class, at).ok_or_else(|| FitError::Usage(ONE_CLASS.to_owned()));
    let (fpr, tpr) = (rate(false)?, rate(true)?);
    Ok(Budget {
        max_fpr,
        threshold,
        proven: fpr.high <= max_fpr,
        real_needed: fewest(0.0, max_fpr, CONFIDENCE).unwrap_or(u64::MAX),
        real_needed_at_this_rate: fewest(fpr.value, max_fpr, CONFIDENCE),
        fpr,
        tpr,
    })
}

const ONE_CLASS: &str = "a threshold needs real and synthetic videos that could be scored";
