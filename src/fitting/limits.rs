//! Where verdicts begin.

use serde::Serialize;

use crate::domain::metrics::bootstrap::quantile;

/// Share of the synthetic clips that keep out of `little_evidence`.
const KEPT: f64 = 0.9;

/// The scores where verdicts begin, with four digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// No more than the budget of the real clips reach it.
    pub substantial_evidence: f64,
    /// Nine in ten synthetic clips reach it; never above the other.
    pub little_evidence: f64,
}

impl Limits {
    /// For scores of real and synthetic clips, so that at most `max_fpr` of the real ones reach the
    /// upper limit: it lies just above the highest score of one clip too many.
    pub fn of([mut real, mut synthetic]: [Vec<f64>; 2], max_fpr: f64) -> Self {
        real.sort_by(|a, b| b.total_cmp(a));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 ≤ max_fpr ≤ 1"
        )]
        let allowed = (max_fpr * real.len() as f64) as usize;
        let above = real.get(allowed).copied().unwrap_or_default();
        let substantial = rounded((rounded_down(above) + 1e-4).min(1.0));
        let kept = quantile(&mut synthetic, 1.0 - KEPT).unwrap_or_default();
        Self {
            substantial_evidence: substantial,
            little_evidence: rounded(rounded_down(kept)).min(substantial),
        }
    }
}

fn rounded_down(value: f64) -> f64 {
    (value * 1e4).floor() / 1e4
}

/// To four decimals, which is more than any interval here carries.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_kept_and_little_is_never_above() {
        let real: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let synthetic: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
        let limits = Limits::of([real.clone(), synthetic.clone()], 0.02);
        let reach = |at: f64| real.iter().filter(|score| **score >= at).count();
        assert_eq!(reach(limits.substantial_evidence), 2);
        // Rounded down, to four digits.
        assert!((0.0999..=0.1).contains(&limits.little_evidence));
        let strict = Limits::of([vec![0.0; 5], vec![0.9; 5]], 0.0);
        assert!((strict.substantial_evidence - 1e-4).abs() < 1e-12);
        assert!(strict.little_evidence <= strict.substantial_evidence);
    }
}
