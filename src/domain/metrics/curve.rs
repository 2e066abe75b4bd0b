//! The receiver operating characteristic, and what is read from it.

use super::{Sample, share};

/// All that is called synthetic at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Scores of at least this are called synthetic; infinite where none is.
    pub threshold: f64,
    /// Synthetic samples that are called so.
    pub tp: f64,
    /// Real samples that are called synthetic.
    pub fp: f64,
}

/// A point for each different score, and the origin. Samples with equal scores move together, so
/// that their order never counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// From (0, 0) to all samples; thresholds descend.
    pub points: Vec<Point>,
    /// Synthetic samples, by weight.
    pub positives: f64,
    /// Real samples, by weight.
    pub negatives: f64,
}

impl Curve {
    /// The curve of `ranked`, highest score first (see [`rank`](super::rank)). Samples of weight 0
    /// leave no point.
    pub fn of(ranked: &[Sample]) -> Self {
        let mut at = Point {
            threshold: f64::INFINITY,
            tp: 0.0,
            fp: 0.0,
        };
        let mut points = vec![at];
        for sample in ranked.iter().filter(|sample| sample.weight > 0.0) {
            #[expect(clippy::float_cmp, reason = "a tie is a tie to the bit")]
            let tied = sample.score == at.threshold;
            if sample.synthetic {
                at.tp += sample.weight;
            } else {
                at.fp += sample.weight;
            }
            at.threshold = sample.score;
            match points.last_mut() {
                Some(last) if tied => *last = at,
                Some(_) | None => points.push(at),
            }
        }
        Self {
            points,
            positives: at.tp,
            negatives: at.fp,
        }
    }

    /// False and true positive rate of each point; `None` without both classes.
    pub fn rates(&self) -> Option<Vec<(f64, f64)>> {
        Some(self.each_rate()?.collect())
    }

    fn each_rate(&self) -> Option<impl Iterator<Item = (f64, f64)> + Clone> {
        let both = self.negatives > 0.0 && self.positives > 0.0;
        let rate = |p: &Point| (p.fp / self.negatives, p.tp / self.positives);
        both.then(|| self.points.iter().map(rate))
    }

    /// Precision and recall of each point but the origin; `None` without both classes.
    pub fn precision_recall(&self) -> Option<Vec<(f64, f64)>> {
        Some(self.each_precision()?.collect())
    }

    fn each_precision(&self) -> Option<impl Iterator<Item = (f64, f64)>> {
        let both = self.negatives > 0.0 && self.positives > 0.0;
        // A point but the origin has samples, so nothing is divided by 0.
        let rate = |p: &Point| (p.tp / (p.tp + p.fp), p.tp / self.positives);
        both.then(|| self.points.iter().skip(1).map(rate))
    }

    /// Area under the curve by trapezoids, which is the Mann-Whitney statistic with ties as half
    /// (Hanley, `McNeil` 1982): the chance that a synthetic sample scores above a real one. `None`
    /// without both classes.
    pub fn roc_auc(&self) -> Option<f64> {
        let steps = self.points.iter().zip(self.points.iter().skip(1));
        let area = steps.map(|(a, b)| (b.fp - a.fp) * f64::midpoint(a.tp, b.tp));
        share(area.sum(), self.positives * self.negatives)
    }

    /// Σ (Rₙ − Rₙ₋₁)·Pₙ over the points, without interpolation. `None` without both classes.
    pub fn average_precision(&self) -> Option<f64> {
        let (mut sum, mut before) = (0.0, 0.0);
        for (precision, recall) in self.each_precision()? {
            sum += (recall - before) * precision;
            before = recall;
        }
        Some(sum)
    }

    /// The rate at which false positives are as frequent as false negatives: where the straight
    /// lines between neighbouring points of the curve cross FPR = 1 − TPR. `None` without both
    /// classes.
    pub fn eer(&self) -> Option<f64> {
        let rates = self.each_rate()?;
        // FPR − FNR rises from −1 to 1.
        let gap = |(fpr, tpr): (f64, f64)| fpr - (1.0 - tpr);
        let mut steps = rates.clone().zip(rates.skip(1));
        let (a, b) = steps.find(|(_, b)| gap(*b) >= 0.0)?;
        let part = share(-gap(a), gap(b) - gap(a))?;
        Some((b.0 - a.0).mul_add(part, a.0))
    }

    /// The highest true positive rate of a threshold whose false positive rate is at most
    /// `max_fpr`. `None` without both classes.
    pub fn tpr_at_fpr(&self, max_fpr: f64) -> Option<f64> {
        let within = self.each_rate()?.take_while(|(fpr, _)| *fpr <= max_fpr);
        within.last().map(|(_, tpr)| tpr)
    }
}
