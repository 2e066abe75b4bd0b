//! How well scores tell synthetic from real: scikit-learn's metrics under scikit-learn's names, and
//! their intervals. `docs/evaluation.md` has every definition.

pub mod binomial;
pub mod bootstrap;
mod confusion;
mod curve;
mod probability;
pub mod robustness;
mod sheet;
#[cfg(test)]
mod tests;

pub use confusion::{Confusion, threshold_for_fpr};
pub use curve::{Curve, Point};
pub use probability::{BINS, Bin, brier, ece, log_loss, reliability};
pub use sheet::{Absent, FPRS, Metric, NAMES, Rules, Sheet, blank, paired, sheet};

/// One thing that was scored, and what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// True for synthetic, the positive class.
    pub synthetic: bool,
    /// Higher means "rather synthetic"; finite. In 0..=1 where it is a probability.
    pub score: f64,
    /// How often it counts, ≥ 0: 1, or how often a bootstrap drew it.
    pub weight: f64,
}

impl Sample {
    /// One that counts once.
    pub fn new(synthetic: bool, score: f64) -> Self {
        Self {
            synthetic,
            score,
            weight: 1.0,
        }
    }
}

/// Highest score first, the order that [`Curve::of`] needs.
pub fn rank(samples: &mut [Sample]) {
    samples.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// `a / b`; `None` for a division by zero.
fn share(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}
