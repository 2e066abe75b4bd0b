//! Whether scores are distributed as they were: a fixed histogram, and two measures of how far two
//! of them are apart.

mod reference;

use serde::{Deserialize, Serialize};

pub use reference::{DriftReference, ModelReference, Population, ReferenceFault, SCHEMA};

/// Bins of a histogram: 20 of equal width over 0..=1.
pub const BINS: usize = 20;

/// Counts of calibrated scores; bin `i` is from `i / 20` up to and without `(i + 1) / 20`, the last
/// one with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScoreHistogram([u64; BINS]);

/// How far one distribution is from another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drift {
    /// Population stability index.
    pub psi: f64,
    /// Kolmogorov–Smirnov statistic, 0..=1.
    pub ks: f64,
    /// What `ks` stays below in 99 of 100 cases when nothing has changed.
    pub ks_critical: f64,
}

/// How much a population stability index means, by the bounds in common use (Siddiqi, "Credit Risk
/// Scorecards", 2006): 0.1 and 0.25.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftLevel {
    /// Below 0.1.
    Stable,
    /// From 0.1 up: worth a look.
    Shifted,
    /// From 0.25 up: thresholds that were chosen before may no longer hold.
    Drifted,
}

/// Quantile of Kolmogorov's distribution at 0.99.
const KOLMOGOROV_99: f64 = 1.627_62;

impl ScoreHistogram {
    /// Of these counts.
    pub fn new(counts: [u64; BINS]) -> Self {
        Self(counts)
    }

    /// The bin of a score; one outside of 0..=1 counts to the nearest end.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is in 0..=20"
    )]
    pub fn bin(score: f64) -> usize {
        let place = (score.clamp(0.0, 1.0) * BINS as f64).floor() as usize;
        place.min(BINS.saturating_sub(1))
    }

    /// Adds a score.
    pub fn add(&mut self, score: f64) {
        self.add_to(Self::bin(score), 1);
    }

    /// Adds so many scores to a bin; to none where there is no such bin.
    pub fn add_to(&mut self, bin: usize, scores: u64) {
        if let Some(count) = self.0.get_mut(bin) {
            *count = count.saturating_add(scores);
        }
    }

    /// By bin.
    pub fn counts(&self) -> &[u64; BINS] {
        &self.0
    }

    /// All scores.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// How far this one is from `reference`; `None` when either has no score.
    pub fn drift(&self, reference: &Self) -> Option<Drift> {
        let (live, expected) = (self.total(), reference.total());
        if live == 0 || expected == 0 {
            return None;
        }
        let (live, expected) = (live as f64, expected as f64);
        Some(Drift {
            psi: psi(self, reference),
            ks: ks(self, reference),
            ks_critical: KOLMOGOROV_99 * ((live + expected) / (live * expected)).sqrt(),
        })
    }
}

impl Drift {
    /// What the population stability index means.
    pub fn level(&self) -> DriftLevel {
        if self.psi >= 0.25 {
            DriftLevel::Drifted
        } else if self.psi >= 0.1 {
            DriftLevel::Shifted
        } else {
            DriftLevel::Stable
        }
    }
}

impl DriftLevel {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Shifted => "shifted",
            Self::Drifted => "drifted",
        }
    }
}

/// Population stability index: `Σ (p − q) · ln(p / q)` over the bins, with `p` and `q` the shares of
/// the two histograms. It is the symmetric sum of both Kullback–Leibler divergences (Kullback and
/// Leibler, 1951, "J"). Half a score is added to each bin of both, so that an empty one has a
/// logarithm (Jeffreys' prior).
fn psi(live: &ScoreHistogram, reference: &ScoreHistogram) -> f64 {
    let shares = |histogram: &ScoreHistogram| {
        let total = histogram.total() as f64 + 0.5 * BINS as f64;
        histogram.0.map(|count| (count as f64 + 0.5) / total)
    };
    let pairs = shares(live).into_iter().zip(shares(reference));
    pairs.map(|(p, q)| (p - q) * (p / q).ln()).sum()
}

/// Kolmogorov–Smirnov statistic of two samples: the greatest distance of their empirical
/// distribution functions (Smirnov, 1939), here at the bins' edges, so never more than that of the
/// scores themselves.
fn ks(live: &ScoreHistogram, reference: &ScoreHistogram) -> f64 {
    let (live_total, reference_total) = (live.total() as f64, reference.total() as f64);
    let (mut below_live, mut below_reference, mut greatest) = (0_u64, 0_u64, 0.0_f64);
    for (p, q) in live.0.iter().zip(&reference.0) {
        below_live = below_live.saturating_add(*p);
        below_reference = below_reference.saturating_add(*q);
        let distance = below_live as f64 / live_total - below_reference as f64 / reference_total;
        greatest = greatest.max(distance.abs());
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(filled: &[(usize, u64)]) -> ScoreHistogram {
        let mut histogram = ScoreHistogram::default();
        for (bin, count) in filled {
            histogram.add_to(*bin, *count);
        }
        histogram
    }

    #[test]
    fn every_score_has_its_bin() {
        for (score, bin) in [
            (0.0, 0),
            (0.049_999, 0),
            (0.05, 1),
            (0.5, 10),
            (0.95, 19),
            (1.0, 19),
            (-1.0, 0),
            (2.0, 19),
        ] {
            assert_eq!(ScoreHistogram::bin(score), bin, "{score}");
        }
        let mut histogram = ScoreHistogram::default();
        histogram.add(0.5);
        histogram.add_to(BINS, 7);
        assert_eq!((histogram.counts()[10], histogram.total()), (1, 1));
    }

    #[test]
    fn the_same_distribution_has_not_drifted() {
        let one = of(&[(0, 100), (5, 50), (19, 10)]);
        let drift = one.drift(&one).unwrap();
        assert_eq!((drift.psi, drift.ks), (0.0, 0.0));
        assert_eq!(drift.level(), DriftLevel::Stable);
        assert_eq!(one.drift(&ScoreHistogram::default()), None);
        assert_eq!(ScoreHistogram::default().drift(&one), None);
    }

    #[test]
    fn values_worked_out_by_hand() {
        // Shares with the half scores: (90.5, 0.5) / 100 and (50.5, 40.5) / 100 in the two bins that
        // differ; 0.5 / 100 in the others.
        let (reference, live) = (of(&[(0, 90)]), of(&[(0, 50), (1, 40)]));
        let drift = live.drift(&reference).unwrap();
        let want = (0.505_f64 - 0.905) * (0.505_f64 / 0.905).ln()
            + (0.405_f64 - 0.005) * (0.405_f64 / 0.005).ln();
        assert!((drift.psi - want).abs() < 1e-12, "{}", drift.psi);
        assert!((drift.ks - 40.0 / 90.0).abs() < 1e-12);
        assert!((drift.ks_critical - 1.627_62 * (180.0_f64 / 8100.0).sqrt()).abs() < 1e-12);
        assert_eq!(drift.level(), DriftLevel::Drifted);
        let back = reference.drift(&live).unwrap();
        assert!((back.psi - drift.psi).abs() < 1e-12, "both ways the same");
    }

    #[test]
    fn a_level_begins_at_its_bound() {
        let level = |psi: f64| {
            let drift = Drift {
                psi,
                ks: 0.0,
                ks_critical: 0.0,
            };
            drift.level().name()
        };
        assert_eq!(
            [0.0, 0.099, 0.1, 0.249, 0.25].map(level),
            ["stable", "stable", "shifted", "shifted", "drifted"]
        );
    }
}
