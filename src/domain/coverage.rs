//! How much of what was wanted could be scored. No score without it.

use serde::Serialize;

/// Counts of frames; `scored + failed == planned` and `scored ≤ decoded ≤ planned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// Distinct frames that the sampling plan asked for.
    pub planned: u32,
    /// Frames that came out of the decoder.
    pub decoded: u32,
    /// Frames that the model gave a usable score for.
    pub scored: u32,
    /// Planned frames without a score, whatever the reason.
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
            failed: planned.saturating_sub(scored),
        }
    }

    /// Scored part of the plan, 0..=1; 0 for an empty plan.
    pub fn ratio(self) -> f64 {
        if self.planned == 0 {
            0.0
        } else {
            f64::from(self.scored) / f64::from(self.planned)
        }
    }

    /// True when at least half of the planned frames were scored: below that there is no score.
    pub fn is_enough(self) -> bool {
        self.planned > 0 && u64::from(self.scored) * 2 >= u64::from(self.planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_is_enough_and_less_is_not() {
        assert!(Coverage::new(16, 16, 8).is_enough());
        assert!(!Coverage::new(16, 16, 7).is_enough());
        assert!(!Coverage::new(0, 0, 0).is_enough());
        assert!(Coverage::new(1, 1, 1).is_enough());
    }

    proptest! {
        #[test]
        fn counts_add_up(p in 0u32..500, d in 0u32..500, s in 0u32..500) {
            let c = Coverage::new(p, d, s);
            prop_assert!(c.scored <= c.decoded && c.decoded <= c.planned);
            prop_assert_eq!(c.scored + c.failed, c.planned);
        }
    }
}
