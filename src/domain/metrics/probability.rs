//! How far probabilities are from the truth.

use super::{Sample, share};

/// Bins of the reliability diagram and of the ECE.
pub const BINS: usize = 10;

fn are_probabilities(samples: &[Sample]) -> bool {
    samples.iter().all(|s| (0.0..=1.0).contains(&s.score))
}

/// Mean of f over `samples`, by weight; `None` without samples or where a score is no probability.
fn mean(samples: &[Sample], f: impl Fn(&Sample) -> f64) -> Option<f64> {
    if !are_probabilities(samples) {
        return None;
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for sample in samples.iter().filter(|sample| sample.weight > 0.0) {
        sum += sample.weight * f(sample);
        weight += sample.weight;
    }
    share(sum, weight)
}

fn loss(sample: &Sample) -> f64 {
    let p = if sample.synthetic {
        sample.score
    } else {
        1.0 - sample.score
    };
    -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

fn squared(sample: &Sample) -> f64 {
    let truth = if sample.synthetic { 1.0 } else { 0.0 };
    (sample.score - truth).powi(2)
}

fn bin(score: f64) -> usize {
    // Multiplied and not divided: the edges are numpy's, to the bit.
    let edges = (1..BINS).map(|edge| edge as f64 * 0.1);
    edges.take_while(|edge| *edge < score).count()
}

/// Mean of −ln of the probability given to what is true, which is kept at least the double's
/// epsilon (2⁻⁵²) away from 0, as scikit-learn does. `None` without samples or for a score outside
/// 0..=1.
pub fn log_loss(samples: &[Sample]) -> Option<f64> {
    mean(samples, loss)
}

/// Mean of (p − y)² (Brier 1950). `None` as for [`log_loss`].
pub fn brier(samples: &[Sample]) -> Option<f64> {
    mean(samples, squared)
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
        if let Some(bin) = bins.get_mut(bin(sample.score)) {
            bin.add(sample);
        }
    }
    bins
}

impl Bin {
    fn add(&mut self, sample: &Sample) {
        self.weight += sample.weight;
        self.scores += sample.weight * sample.score;
        self.synthetic += if sample.synthetic { sample.weight } else { 0.0 };
    }
}

/// Expected calibration error (Naeini et al. 2015): the distance between mean score and share of
/// synthetic samples in each bin, averaged by weight. `None` as for [`log_loss`].
pub fn ece(samples: &[Sample]) -> Option<f64> {
    mean(samples, |_| 0.0)?;
    distance(&reliability(samples))
}

fn distance(bins: &[Bin; BINS]) -> Option<f64> {
    let apart: f64 = bins.iter().map(|b| (b.scores - b.synthetic).abs()).sum();
    share(apart, bins.iter().map(|b| b.weight).sum())
}

/// What log loss, Brier score and ECE take of each sample whatever it weighs, so that a thousand
/// draws don't compute it a thousand times.
pub(super) struct Prepared {
    /// Loss, squared distance and bin.
    terms: Vec<(f64, f64, usize)>,
}

impl Prepared {
    /// `None` where a score is no probability.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let term = |sample: &Sample| (loss(sample), squared(sample), bin(sample.score));
        are_probabilities(samples).then(|| Self {
            terms: samples.iter().map(term).collect(),
        })
    }

    /// [`log_loss`], [`brier`] and [`ece`], to the bit, of the same samples with other weights.
    pub(super) fn metrics(&self, samples: &[Sample]) -> [Option<f64>; 3] {
        let (mut losses, mut squares, mut weight) = (0.0, 0.0, 0.0);
        let mut bins = [Bin::default(); BINS];
        let weighing = samples.iter().zip(&self.terms);
        for (sample, (loss, squared, bin)) in weighing.filter(|(s, _)| s.weight > 0.0) {
            losses += sample.weight * loss;
            squares += sample.weight * squared;
            weight += sample.weight;
            if let Some(bin) = bins.get_mut(*bin) {
                bin.add(sample);
            }
        }
        let of = |sum| share(sum, weight);
        [of(losses), of(squares), distance(&bins)]
    }
}
