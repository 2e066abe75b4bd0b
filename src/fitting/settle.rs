//! What is chosen and calibrated by clips that no head saw.

use super::balance::by_class;
use super::calibrate::{Kind, apply, calibrate};
use super::cross::{Choice, Plan, Settled};
use super::error::FitError;
use super::limits::Limits;

/// Clips with log-odds of heads that didn't see them.
#[derive(Default)]
pub(super) struct Held {
    pub(super) clips: Vec<usize>,
    pub(super) logits: Vec<f64>,
    pub(super) synthetic: Vec<bool>,
    pub(super) weights: Vec<f64>,
}

impl Held {
    fn joined(all: Vec<Self>) -> Self {
        let mut joined = Self::default();
        for own in all {
            joined.clips.extend(own.clips);
            joined.logits.extend(own.logits);
            joined.synthetic.extend(own.synthetic);
            joined.weights.extend(own.weights);
        }
        joined
    }
}

/// [`Settled`], and by what.
pub(super) struct Found {
    pub(super) settled: Settled,
    /// Place of the choice.
    pub(super) best: usize,
    /// Slope and offset of the Platt map of its loss.
    pub(super) scale: (f64, f64),
    /// By choice.
    pub(super) losses: Vec<f64>,
}

/// Chooses by the loss and calibrates by what each choice said of clips, one list for each way to
/// put them into folds.
pub(super) fn settle(
    plan: &Plan,
    choices: &[Choice],
    said: impl Fn(usize) -> Vec<Held>,
) -> Result<Found, FitError> {
    let losses = (0..choices.len()).map(|place| mean_loss(&said(place)));
    let losses: Vec<f64> = losses.collect::<Result<_, _>>()?;
    let best = best(&losses);
    let choice = choices.get(best).copied();
    let choice = choice.ok_or_else(|| FitError::Usage("nothing to try".to_owned()))?;
    let held = Held::joined(said(best));
    let even = by_class(&held.synthetic);
    let calibration = calibrate(plan.kind, &held.logits, &held.synthetic, &even)?;
    let scale = calibrate(Kind::Platt, &held.logits, &held.synthetic, &held.weights)?;
    let mut by_class = [Vec::new(), Vec::new()];
    for (logit, synthetic) in held.logits.iter().zip(&held.synthetic) {
        by_class[usize::from(*synthetic)].push(apply(&calibration, *logit)?);
    }
    let settled = Settled {
        choice,
        limits: Limits::of(by_class, plan.max_fpr),
        calibration,
    };
    Ok(Found {
        settled,
        best,
        scale: scale.line().unwrap_or((1.0, 0.0)),
        losses,
    })
}

/// The place of the least.
pub(super) fn best(losses: &[f64]) -> usize {
    let places = losses.iter().enumerate();
    let least = places.min_by(|a, b| a.1.total_cmp(b.1));
    least.map_or(0, |(place, _)| place)
}

fn mean_loss(said: &[Held]) -> Result<f64, FitError> {
    let mut sum = 0.0;
    for held in said {
        sum += calibrated_loss(held)?;
    }
    Ok(sum / said.len().max(1) as f64)
}

/// Mean log loss, by weight, after the Platt map that makes it least: what a head is worth once it
/// is calibrated. Infinite where higher log-odds mean real.
pub(super) fn calibrated_loss(held: &Held) -> Result<f64, FitError> {
    let map = match calibrate(Kind::Platt, &held.logits, &held.synthetic, &held.weights) {
        Ok(map) => map,
        Err(FitError::Upside) => return Ok(f64::INFINITY),
        Err(error) => return Err(error),
    };
    let (mut sum, mut total) = (0.0, 0.0);
    for (place, logit) in held.logits.iter().enumerate() {
        let score = apply(&map, *logit)?;
        let right = if held.synthetic[place] {
            score
        } else {
            1.0 - score
        };
        sum -= held.weights[place] * right.max(f64::MIN_POSITIVE).ln();
        total += held.weights[place];
    }
    Ok(sum / total)
}
