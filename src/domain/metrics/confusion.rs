//! What one threshold gets right and wrong.

use super::{Curve, Sample, share};

/// Counts, by weight, where scores of at least the threshold are called synthetic.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Confusion {
    /// Synthetic, called so.
    pub tp: f64,
    /// Real, called synthetic.
    pub fp: f64,
    /// Real, called so.
    pub tn: f64,
    /// Synthetic, called real.
    pub r#fn: f64,
}

impl Confusion {
    /// Counts `samples` at `threshold`.
    pub fn at(samples: &[Sample], threshold: f64) -> Self {
        let mut counts = Self::default();
        for sample in samples {
            let cell = match (sample.synthetic, sample.score >= threshold) {
                (true, true) => &mut counts.tp,
                (false, true) => &mut counts.fp,
                (false, false) => &mut counts.tn,
                (true, false) => &mut counts.r#fn,
            };
            *cell += sample.weight;
        }
        counts
    }

    /// Share that is called what it is; `None` without samples.
    pub fn accuracy(&self) -> Option<f64> {
        let right = self.tp + self.tn;
        share(right, right + self.fp + self.r#fn)
    }

    /// Share of synthetic ones among those called so; `None` where none is.
    pub fn precision(&self) -> Option<f64> {
        share(self.tp, self.tp + self.fp)
    }

    /// Share of the synthetic ones that is called so; `None` without any.
    pub fn recall(&self) -> Option<f64> {
        share(self.tp, self.tp + self.r#fn)
    }

    /// Harmonic mean of precision and recall; `None` where nothing is or is called synthetic.
    pub fn f1(&self) -> Option<f64> {
        share(2.0 * self.tp, 2.0 * self.tp + self.fp + self.r#fn)
    }

    /// Share of the real ones that is called synthetic; `None` without any.
    pub fn fpr(&self) -> Option<f64> {
        share(self.fp, self.fp + self.tn)
    }
}

/// The lowest score of a sample that, as a threshold, calls at most `max_fpr` of the real ones
/// synthetic; `None` where no score does, or without both classes.
pub fn threshold_for_fpr(curve: &Curve, max_fpr: f64) -> Option<f64> {
    let rates = curve.rates()?;
    let points = curve.points.iter().zip(rates).skip(1);
    let within = points.take_while(|(_, (fpr, _))| *fpr <= max_fpr);
    within.last().map(|(point, _)| point.threshold)
}
