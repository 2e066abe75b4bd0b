//! What a calibrated score is called. The words are about evidence: no verdict says that a video
//! is authentic.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::score::Probability;

/// A model's or a video's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The score is one that few camera videos reach.
    SubstantialEvidence,
    /// Between the thresholds.
    Uncertain,
    /// The score is below what most synthetic videos get.
    LittleEvidence,
    /// There is no score: too few frames could be scored.
    Inconclusive,
}

impl Verdict {
    /// How much it asks for attention: 3 for substantial evidence, 2 for uncertain, 1 for little
    /// evidence, 0 for inconclusive.
    pub fn severity(self) -> u8 {
        match self {
            Self::SubstantialEvidence => 3,
            Self::Uncertain => 2,
            Self::LittleEvidence => 1,
            Self::Inconclusive => 0,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SubstantialEvidence => "substantial_evidence",
            Self::Uncertain => "uncertain",
            Self::LittleEvidence => "little_evidence",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// A model's thresholds on its calibrated score, chosen on data that the model was not fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// At or above: [`Verdict::SubstantialEvidence`].
    pub substantial_evidence: Probability,
    /// Below: [`Verdict::LittleEvidence`].
    pub little_evidence: Probability,
}

impl Default for Thresholds {
    /// For a bundle that states none: wide, so that an unmeasured model seldom says much.
    fn default() -> Self {
        Self {
            substantial_evidence: Probability(0.95),
            little_evidence: Probability(0.05),
        }
    }
}

/// Thresholds in the wrong order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("little_evidence must not be above substantial_evidence")]
pub struct ThresholdsCross;

impl Thresholds {
    /// Checks the order.
    pub fn validate(self) -> Result<(), ThresholdsCross> {
        if self.little_evidence <= self.substantial_evidence {
            Ok(())
        } else {
            Err(ThresholdsCross)
        }
    }

    /// The widest of both: the higher bar for substantial and the lower one for little evidence.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        let higher = if other.substantial_evidence > self.substantial_evidence {
            other.substantial_evidence
        } else {
            self.substantial_evidence
        };
        let lower = if other.little_evidence < self.little_evidence {
            other.little_evidence
        } else {
            self.little_evidence
        };
        Self {
            substantial_evidence: higher,
            little_evidence: lower,
        }
    }

    /// The verdict on a score; `None` is inconclusive.
    pub fn judge(self, score: Option<Probability>) -> Verdict {
        match score {
            None => Verdict::Inconclusive,
            Some(p) if p >= self.substantial_evidence => Verdict::SubstantialEvidence,
            Some(p) if p < self.little_evidence => Verdict::LittleEvidence,
            Some(_) => Verdict::Uncertain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_belong_to_the_upper_side() {
        let p = |x| Probability::new(x).unwrap();
        let t = Thresholds {
            substantial_evidence: p(0.9),
            little_evidence: p(0.2),
        };
        assert_eq!(t.judge(Some(p(0.9))), Verdict::SubstantialEvidence);
        assert_eq!(t.judge(Some(p(0.2))), Verdict::Uncertain);
        assert_eq!(t.judge(Some(p(0.19))), Verdict::LittleEvidence);
        assert_eq!(t.judge(None), Verdict::Inconclusive);
        let crossed = Thresholds {
            substantial_evidence: p(0.1),
            little_evidence: p(0.2),
        };
        assert!(crossed.validate().is_err());
    }

    #[test]
    fn verdicts_are_ordered_by_severity() {
        let order = [
            Verdict::Inconclusive,
            Verdict::LittleEvidence,
            Verdict::Uncertain,
            Verdict::SubstantialEvidence,
        ];
        assert!(order.is_sorted_by_key(|verdict| verdict.severity()));
        assert!(order.iter().all(|v| {
            order
                .iter()
                .filter(|w| w.severity() == v.severity())
                .count()
                == 1
        }));
    }

    #[test]
    fn the_strictest_thresholds_take_the_higher_and_the_lower_bar() {
        let t = |high, low| Thresholds {
            substantial_evidence: Probability::new(high).unwrap(),
            little_evidence: Probability::new(low).unwrap(),
        };
        assert_eq!(t(0.9, 0.2).strictest(t(0.8, 0.1)), t(0.9, 0.1));
        assert_eq!(t(0.8, 0.1).strictest(t(0.9, 0.2)), t(0.9, 0.1));
    }
}
