//! From frame logits to one value a video.

use serde::{Deserialize, Serialize};

use super::score::{Logit, Probability};

/// How a model's frame outputs become one value; a bundle names one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Aggregation {
    /// Mean of the logits: for a linear head the logit of the mean embedding.
    MeanLogit,
    /// Mean of the probabilities.
    Mean,
    /// Largest probability.
    Max,
    /// Mean of the `k` largest probabilities (of all, when there are fewer).
    TopKMean {
        /// How many, at least 1.
        k: u32,
    },
    /// Mean after `trim` of the values is cut off at each end; 0 ≤ `trim` < 0.5.
    TrimmedMean {
        /// Part of the values, at each end.
        trim: f64,
    },
    /// Median probability; the mean of the middle two for an even count.
    Median,
}

/// An aggregation whose parameter is out of range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidAggregation {
    /// `k` is 0.
    #[error("top_k_mean needs k of at least 1")]
    K,
    /// `trim` is not in 0..0.5.
    #[error("trimmed_mean needs trim in 0 ≤ trim < 0.5, not {0}")]
    Trim(f64),
}

impl Aggregation {
    /// Checks the parameters.
    pub fn validate(self) -> Result<(), InvalidAggregation> {
        match self {
            Self::TopKMean { k: 0 } => Err(InvalidAggregation::K),
            Self::TrimmedMean { trim } if !(0.0..0.5).contains(&trim) => {
                Err(InvalidAggregation::Trim(trim))
            }
            Self::MeanLogit
            | Self::Mean
            | Self::Max
            | Self::TopKMean { .. }
            | Self::TrimmedMean { .. }
            | Self::Median => Ok(()),
        }
    }

    /// The name that reports show.
    pub fn name(self) -> &'static str {
        match self {
            Self::MeanLogit => "mean_logit",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::TopKMean { .. } => "top_k_mean",
            Self::TrimmedMean { .. } => "trimmed_mean",
            Self::Median => "median",
        }
    }

    /// One uncalibrated value for the video as log-odds; `None` without a frame. The order of the
    /// frames does not matter.
    pub fn apply(self, frames: &[Logit]) -> Option<Logit> {
        if frames.is_empty() {
            return None;
        }
        // Sorted first, so that the sum, and with it the last bit, is the same for any order.
        let mut logits: Vec<f64> = frames.iter().map(|l| l.get()).collect();
        logits.sort_by(f64::total_cmp);
        if self == Self::MeanLogit {
            return Logit::new(mean(&logits)?).ok();
        }
        let values: Vec<f64> = logits
            .iter()
            .filter_map(|x| Logit::new(*x).ok())
            .map(|l| l.probability().get())
            .collect();
        let probability = match self {
            Self::MeanLogit | Self::Mean => mean(&values)?,
            Self::Max => *values.last()?,
            Self::TopKMean { k } => {
                let k = usize::try_from(k)
                    .unwrap_or(usize::MAX)
                    .clamp(1, values.len());
                mean(values.get(values.len().saturating_sub(k)..)?)?
            }
            Self::TrimmedMean { trim } => {
                let cut = cut_at_each_end(values.len(), trim);
                mean(values.get(cut..values.len().saturating_sub(cut))?)?
            }
            Self::Median => median(&values)?,
        };
        Some(Probability::new(probability.clamp(0.0, 1.0)).ok()?.logit())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 ≤ trim < 0.5, so the product is a non-negative number below the count"
)]
fn cut_at_each_end(count: usize, trim: f64) -> usize {
    (count as f64 * trim.clamp(0.0, 0.5)) as usize
}

fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        None
    } else {
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn logits(probabilities: &[f64]) -> Vec<Logit> {
        probabilities
            .iter()
            .map(|p| Probability::new(*p).unwrap().logit())
            .collect()
    }

    fn aggregated(kind: Aggregation, probabilities: &[f64]) -> f64 {
        kind.apply(&logits(probabilities))
            .unwrap()
            .probability()
            .get()
    }

    const ALL: [Aggregation; 6] = [
        Aggregation::MeanLogit,
        Aggregation::Mean,
        Aggregation::Max,
        Aggregation::TopKMean { k: 3 },
        Aggregation::TrimmedMean { trim: 0.2 },
        Aggregation::Median,
    ];

    #[test]
    fn known_answers() {
        let p = [0.1, 0.2, 0.3, 0.4, 0.9];
        let near = |kind, want: f64| {
            let got = aggregated(kind, &p);
            assert!((got - want).abs() < 1e-9, "{kind:?}: {got} for {want}");
        };
        near(Aggregation::Mean, 0.38);
        near(Aggregation::Max, 0.9);
        near(Aggregation::TopKMean { k: 2 }, 0.65);
        near(Aggregation::TopKMean { k: 99 }, 0.38);
        near(Aggregation::TrimmedMean { trim: 0.2 }, 0.3);
        near(Aggregation::Median, 0.3);
        assert!((aggregated(Aggregation::MeanLogit, &[0.2, 0.8]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn no_frame_gives_no_value() {
        for kind in ALL {
            assert_eq!(kind.apply(&[]), None);
        }
    }

    #[test]
    fn parameters_are_checked() {
        assert!(Aggregation::TopKMean { k: 0 }.validate().is_err());
        assert!(Aggregation::TrimmedMean { trim: 0.5 }.validate().is_err());
        assert!(
            Aggregation::TrimmedMean { trim: f64::NAN }
                .validate()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            p in prop::collection::vec(0.0f64..=1.0, 1..40).prop_shuffle(), seed in any::<u64>()
        ) {
            let mut turned = p.clone();
            turned.rotate_left(usize::try_from(seed % p.len() as u64).unwrap());
            for kind in ALL {
                prop_assert_eq!(kind.apply(&logits(&p)), kind.apply(&logits(&turned)));
            }
        }

        #[test]
        fn the_value_lies_between_the_extremes(p in prop::collection::vec(0.01f64..=0.99, 1..40)) {
            let low = p.iter().copied().fold(1.0, f64::min);
            let high = p.iter().copied().fold(0.0, f64::max);
            for kind in ALL {
                let got = aggregated(kind, &p);
                prop_assert!(got >= low - 1e-9 && got <= high + 1e-9, "{:?} {}", kind, got);
            }
        }
    }
}
