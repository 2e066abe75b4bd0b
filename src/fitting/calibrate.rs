//! Calibrations from log-odds of clips that the head never saw.

use ndarray::ArrayView2;

use super::error::FitError;
use super::solver::{Data, Linear, Scale, Terms, logistic};
use crate::domain::calibration::Calibration;
use crate::domain::score::{Logit, Probability};

/// Kinds of calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Slope and offset.
    Platt,
    /// Slope alone.
    Temperature,
    /// Any monotone map.
    Isotonic,
}

/// So little punished that it doesn't show.
const UNPUNISHED: f64 = 1e6;

/// The calibration of this kind with the least log loss; for isotonic, the least squares (pool
/// adjacent violators; Zadrozny, Elkan 2002). `weights` is what each clip counts. An error where
/// higher log-odds don't mean synthetic.
pub fn calibrate(
    kind: Kind,
    logits: &[f64],
    synthetic: &[bool],
    weights: &[f64],
) -> Result<Calibration, FitError> {
    let found = match kind {
        Kind::Platt => {
            let line = line(logits, synthetic, weights)?;
            Calibration::Platt {
                a: slope(&line)?,
                b: line.bias,
            }
        }
        Kind::Temperature => {
            // With each clip's mirror image neither side has more, so that the offset is 0.
            let mirrored = logits.iter().map(|x| -x);
            let logits: Vec<f64> = logits.iter().copied().chain(mirrored).collect();
            let mirrored = synthetic.iter().map(|class| !class);
            let synthetic: Vec<bool> = synthetic.iter().copied().chain(mirrored).collect();
            let line = line(&logits, &synthetic, &[weights, weights].concat())?;
            Calibration::Temperature {
                temperature: slope(&line)?.recip(),
            }
        }
        Kind::Isotonic => isotonic(logits, synthetic, weights),
    };
    found.validate().map_err(|_| FitError::NotFinite)?;
    Ok(found)
}

/// The calibrated score of uncalibrated log-odds.
pub fn apply(calibration: &Calibration, logit: f64) -> Result<f64, FitError> {
    let score = Logit::new(logit).ok();
    let score = score.and_then(|logit| calibration.apply(logit).ok());
    score.map(Probability::get).ok_or(FitError::NotFinite)
}

fn slope(line: &Linear) -> Result<f64, FitError> {
    let slope = line.weights.iter().sum::<f64>();
    if slope > 0.0 {
        Ok(slope)
    } else {
        Err(FitError::Upside)
    }
}

fn line(logits: &[f64], synthetic: &[bool], weights: &[f64]) -> Result<Linear, FitError> {
    let rows = ArrayView2::from_shape((logits.len(), 1), logits)
        .map_err(|error| FitError::Solver(error.to_string()))?;
    let data = Data {
        rows: &rows,
        synthetic,
        weights,
    };
    let terms = Terms {
        strength: UNPUNISHED,
        tolerance: 1e-9,
    };
    let scale = Scale::of(&data);
    Ok(scale.undo(&logistic(&data, &scale, terms, &Linear::zero(1))?))
}

/// Neighbouring clips that share one value.
#[derive(Clone, Copy)]
struct Block {
    /// The largest log-odds in it.
    end: f64,
    weight: f64,
    synthetic: f64,
    weighted: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.synthetic / self.weight
    }
}

/// Blocks are joined until their means rise; a knot each.
fn isotonic(logits: &[f64], synthetic: &[bool], weights: &[f64]) -> Calibration {
    let mut clips: Vec<Block> = Vec::with_capacity(logits.len());
    for ((logit, synthetic), weight) in logits.iter().zip(synthetic).zip(weights) {
        clips.push(Block {
            end: *logit,
            weight: *weight,
            synthetic: if *synthetic { *weight } else { 0.0 },
            weighted: weight * logit,
        });
    }
    clips.sort_by(|a, b| a.end.total_cmp(&b.end));
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in clips.into_iter().filter(|clip| clip.weight > 0.0) {
        while let Some(last) = blocks.last().copied() {
            #[expect(clippy::float_cmp, reason = "a tie is a tie to the bit")]
            let tied = last.end == block.end;
            if last.mean() < block.mean() && !tied {
                break;
            }
            block.weight += last.weight;
            block.synthetic += last.synthetic;
            block.weighted += last.weighted;
            blocks.pop();
        }
        blocks.push(block);
    }
    let middle = |block: &Block| block.weighted / block.weight;
    Calibration::Isotonic {
        x: blocks.iter().map(middle).collect(),
        y: blocks.iter().map(|b| b.mean().clamp(0.0, 1.0)).collect(),
    }
}
