//! Adaptive sampling: frames are scored from coarse to fine, and no further than the verdict needs.
//!
//! The planned frames are a finite population, of which the scored ones are a sample without
//! replacement. Scoring stops when the mean of all of them would, with `Z` standard errors to each
//! side, lie on the same side of every threshold (a repeated confidence interval; Jennison and
//! Turnbull 1989, "Interim analyses: the repeated confidence interval approach"). The error has
//! the finite population correction, and the spread of few frames is drawn towards a usual one,
//! as a scaled inverse χ² prior does.
//!
//! All values are calibrated log-odds, so that the numbers below hold for any model that is
//! calibrated. `docs/adaptive.md` has how they were chosen and what they cost.

use serde::Serialize;
use utoipa::ToSchema;

/// Frames that are always scored, where the plan has as many.
pub const FLOOR: usize = 4;

/// Frames that are scored between two looks at the interval.
pub const ROUND: usize = 2;

/// Standard errors to each side.
const Z: f64 = 2.0;

/// Usual standard deviation of one clip's frames, calibrated log-odds.
const USUAL_SPREAD: f64 = 0.5;

/// As many frames as the usual spread counts for.
const USUAL_WEIGHT: f64 = 4.0;

/// Why no more frames were scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// More frames would not change the verdict.
    Settled,
    /// All planned frames were scored.
    AllScored,
    /// All planned frames were scored: this model's value is not the mean of its frames' log-odds.
    NotApplicable,
}

/// The places 0..`count`, each once, so that every beginning of the order is spread over the whole:
/// one place of each quarter, then one of each eighth that has none, and so on.
///
/// Which place of a part is drawn by `seed`. A fixed grid would see a video whose frames alternate
/// in one phase only.
pub fn coarse_to_fine(count: usize, seed: &[u8]) -> Vec<usize> {
    let mut draws = Draws(blake3::Hasher::new().update(seed).finalize_xof());
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut parts = FLOOR;
    while order.len() < count {
        let mut bare: Vec<usize> = (0..parts).collect();
        bare.retain(|part| {
            let mut taken = order.iter();
            !taken.any(|place| place.saturating_mul(parts).checked_div(count) == Some(*part))
        });
        while !bare.is_empty() {
            let part = bare.swap_remove(draws.below(bare.len()));
            // The places whose share of the whole lies in the part.
            let from = part.saturating_mul(count).div_ceil(parts);
            let to = part.saturating_add(1).saturating_mul(count).div_ceil(parts);
            if from < to {
                let ahead = draws.below(to.saturating_sub(from));
                order.push(from.saturating_add(ahead));
            }
        }
        parts = parts.saturating_mul(2);
    }
    order
}

/// Numbers that are the same for the same seed.
struct Draws(blake3::OutputReader);

impl Draws {
    /// 0..`count`, each as likely as the others, for a `count` of at least 1.
    fn below(&mut self, count: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        let number = u64::from_le_bytes(bytes).checked_rem(count as u64);
        usize::try_from(number.unwrap_or_default()).unwrap_or_default()
    }
}

/// Whether the mean of `planned` frames, of which `scored` are known, is on a known side of each of
/// `thresholds`.
pub fn is_settled(scored: &[f64], planned: usize, thresholds: &[f64]) -> bool {
    let count = scored.len();
    if count < FLOOR.min(planned) || count == 0 {
        return false;
    }
    if count >= planned {
        return true;
    }
    let (n, all) = (count as f64, planned as f64);
    let mean = scored.iter().sum::<f64>() / n;
    let squares: f64 = scored.iter().map(|x| (x - mean) * (x - mean)).sum();
    let usual = USUAL_WEIGHT * USUAL_SPREAD * USUAL_SPREAD;
    let variance = (usual + squares) / (USUAL_WEIGHT + n - 1.0);
    let error = Z * (variance / n * (all - n) / all).sqrt();
    // A value at a threshold is above it.
    thresholds
        .iter()
        .all(|threshold| (mean - error >= *threshold) == (mean + error >= *threshold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_beginning_is_spread_over_the_whole() {
        for seed in 0..50_u8 {
            let order = coarse_to_fine(16, &[seed]);
            for parts in [4, 8, 16] {
                let mut seen: Vec<usize> = order[..parts].iter().map(|p| p * parts / 16).collect();
                seen.sort_unstable();
                assert_eq!(seen, (0..parts).collect::<Vec<_>>(), "{order:?}");
            }
        }
        assert_ne!(coarse_to_fine(16, &[1]), coarse_to_fine(16, &[2]));
        assert_eq!(coarse_to_fine(16, &[1]), coarse_to_fine(16, &[1]));
    }

    #[test]
    fn a_clear_case_is_settled_at_the_floor_and_a_close_one_is_not() {
        let thresholds = [-0.86, 1.72];
        assert!(!is_settled(&[6.0; 3], 16, &thresholds), "below the floor");
        assert!(is_settled(&[6.0; 4], 16, &thresholds));
        assert!(is_settled(&[0.4; 4], 16, &thresholds), "between both");
        assert!(!is_settled(&[1.6; 4], 16, &thresholds));
        assert!(!is_settled(&[6.0, -6.0, 6.0, -6.0], 16, &thresholds));
        assert!(is_settled(&[1.6; 16], 16, &thresholds), "there are no more");
        assert!(is_settled(&[1.6], 1, &thresholds), "nor here");
        assert!(!is_settled(&[], 0, &thresholds));
    }

    proptest! {
        #[test]
        fn every_place_comes_once(count in 0_usize..=256, seed: u8) {
            let mut order = coarse_to_fine(count, &[seed]);
            order.sort_unstable();
            prop_assert_eq!(order, (0..count).collect::<Vec<_>>());
        }

        /// What was settled stays so if the rest is as what was seen.
        #[test]
        fn more_of_the_same_does_not_unsettle(value in -8.0_f64..8.0, seen in 4_usize..15) {
            let thresholds = [-0.86, 1.72];
            if is_settled(&vec![value; seen], 16, &thresholds) {
                prop_assert!(is_settled(&vec![value; seen + 1], 16, &thresholds));
            }
        }
    }
}
