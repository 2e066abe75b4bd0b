//! How much of what was wanted could be scored. No score without it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a count is left out of a report.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
pub(super) fn is_none(count: &u32) -> bool {
    *count == 0
}

/// Counts of frames, or of windows for a model that looks at time;
/// `scored + left_out + spared + failed == planned` and `scored + left_out + spared ≤ decoded ≤ planned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// Distinct frames that the sampling plan asked for.
    pub planned: u32,
    /// Frames that came out of the decoder.
    pub decoded: u32,
    /// Frames that the model gave a usable score for.
    pub scored: u32,
    /// Frames that the model was not asked about: there is no face in them, or they are too poor.
    pub left_out: u32,
    /// Decoded frames that adaptive sampling found no need to score.
    #[serde(default, skip_serializing_if = "is_none")]
    pub spared: u32,
    /// Planned frames without a score for any other reason.
    pub failed: u32,
}

impl Coverage {
    /// Counts that add up: more decoded than planned or scored than decoded is cut to what is
    /// possible.
    pub fn new(planned: u32, decoded: u32, scored: u32) -> Self {
        let decoded = decoded.min(planned);
        let scored = scored.min(decoded);
        Self {
            planned,
            decoded,
            scored,
            left_out: 0,
            spared: 0,
            failed: planned.saturating_sub(scored),
        }
    }

    /// The same with `left_out` of the frames without a score counted as such, at most those that
    /// were decoded.
    #[must_use]
    pub fn leaving_out(self, left_out: u32) -> Self {
        let left_out = left_out.min(self.decoded.saturating_sub(self.scored));
        Self {
            left_out,
            failed: self
                .planned
                .saturating_sub(self.scored)
                .saturating_sub(left_out),
            ..self
        }
    }

    /// The same with `spared` of the frames that count as failed counted as such, at most those
    /// that were decoded.
    #[must_use]
    pub fn sparing(self, spared: u32) -> Self {
        let looked = self.scored.saturating_add(self.left_out);
        let spared = spared.min(self.decoded.saturating_sub(looked));
        Self {
            spared,
            failed: self.failed.saturating_sub(spared),
            ..self
        }
    }

    /// Frames that have a score or need none.
    fn known(self) -> u32 {
        self.scored.saturating_add(self.spared)
    }

    /// Part of the plan that was scored, or spared, 0..=1; 0 for an empty plan.
    pub fn ratio(self) -> f64 {
        self.ratio_with(0)
    }

    /// The same, with `answered` more frames on which there is an answer without a score.
    pub fn ratio_with(self, answered: u32) -> f64 {
        let answered = self.known().saturating_add(answered).min(self.planned);
        if self.planned == 0 {
            0.0
        } else {
            f64::from(answered) / f64::from(self.planned)
        }
    }

    /// True when at least half of the planned frames were scored or left out: for a model that
    /// looks at faces, which need not be everywhere.
    pub fn looked_at_enough(self) -> bool {
        let looked = self.known().saturating_add(self.left_out);
        self.planned > 0 && u64::from(looked).saturating_mul(2) >= u64::from(self.planned)
    }

    /// True when at least half of the planned frames were scored, or spared: below that there is no score.
    pub fn is_enough(self) -> bool {
        self.planned > 0 && u64::from(self.known()) * 2 >= u64::from(self.planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_spared_is_known_well_enough() {
        let coverage = Coverage::new(16, 14, 4).leaving_out(1).sparing(20);
        assert_eq!((coverage.spared, coverage.failed), (9, 2));
        assert!(coverage.is_enough());
        assert!((coverage.ratio() - 13.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn half_is_enough_and_less_is_not() {
        assert!(Coverage::new(16, 16, 8).is_enough());
        assert!(!Coverage::new(16, 16, 7).is_enough());
        assert!(!Coverage::new(0, 0, 0).is_enough());
        assert!(Coverage::new(1, 1, 1).is_enough());
    }

    proptest! {
        #[test]
        fn counts_add_up(
            p in 0u32..500,
            d in 0u32..500,
            s in 0u32..500,
            l in 0u32..500,
        ) {
            let c = Coverage::new(p, d, s).leaving_out(l);
            prop_assert!(c.scored + c.left_out <= c.decoded && c.decoded <= c.planned);
            prop_assert_eq!(c.scored + c.left_out + c.failed, c.planned);
            prop_assert!(c.ratio() <= c.ratio_with(c.left_out) && c.ratio_with(p) <= 1.0);
        }
    }
}
