//! How far probabilities are from the truth.

use super::{Sample, share};

/// Bins of the reliability diagram and of the ECE.
pub const BINS: usize = 10;

/// Mean of f over `samples`, by weight; `None` without samples or where a score is no probability.
fn mean(samples: &[Sample], f: impl Fn(&Sample) -> f64) -> Option<f64> {
    if samples.iter().any(|s| !(0.0..=1.0).contains(&s.score)) {
        return None;
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for sample in samples.iter().filter(|sample| sample.weight > 0.0) {
        sum += sample.weight * f(sample);
        weight += sample.weight;
    }
    share(sum, weight)
}

/// Mean of −ln of the probability given to what is true, which is kept at least the double's
/// epsilon (2⁻⁵²) away from 0, as scikit-learn does. `None` without samples or for a score outside
/// 0..=1.
pub fn log_loss(samples: &[Sample]) -> Option<f64> {
    mean(samples, |s| {
        let p = if s.synthetic { s.score } else { 1.0 - s.score };
        -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    })
}

/// Mean of (p − y)² (Brier 1950). `None` as for [`log_loss`].
pub fn brier(samples: &[Sample]) -> Option<f64> {
    mean(samples, |s| {
        let truth = if s.synthetic { 1.0 } else { 0.0 };
        (s.score - truth).powi(2)
    })
}

/// The samples whose score lies in one tenth of 0..=1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// How many, by weight.
    pub weight: f64,
    /// Sum of their scores, by weight.
    pub scores: f64,
    /// How many of them are synthetic, by weight.
    pub synthetic: f64,
}

/// The [`BINS`] bins (i/10, (i+1)/10], the first with 0, as scikit-learn's `calibration_curve`.
pub fn reliability(samples: &[Sample]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for sample in samples {
        // Multiplied and not divided: the edges are numpy's, to the bit.
        let edges = (1..BINS).map(|edge| edge as f64 * 0.1);
        let place = edges.take_while(|edge| *edge < sample.score).count();
        if let Some(bin) = bins.get_mut(place) {
            bin.weight += sample.weight;
            bin.scores += sample.weight * sample.score;
            bin.synthetic += if sample.synthetic { sample.weight } else { 0.0 };
        }
    }
    bins
}

/// Expected calibration error (Naeini et al. 2015): the distance between mean score and share of
/// synthetic samples in each bin, averaged by weight. `None` as for [`log_loss`].
pub fn ece(samples: &[Sample]) -> Option<f64> {
    mean(samples, |_| 0.0)?;
    let bins = reliability(samples);
    let apart: f64 = bins.iter().map(|b| (b.scores - b.synthetic).abs()).sum();
    share(apart, bins.iter().map(|b| b.weight).sum())
}
