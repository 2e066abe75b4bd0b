//! Probabilities and logits, kept apart by type so that one is never read as the other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A probability in 0..=1. Cannot hold anything else, NaN included: outside of the domain it is made
/// by [`Probability::new`] only.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schema(value_type = f64, minimum = 0, maximum = 1)]
pub struct Probability(pub(super) f64);

/// A number that was to be a probability and is none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a probability (0..=1)")]
pub struct NotAProbability(pub f64);

impl Probability {
    /// `value` as a probability; an error outside 0..=1 and for NaN.
    pub fn new(value: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(NotAProbability(value))
        }
    }

    /// The number, in 0..=1.
    pub fn get(self) -> f64 {
        self.0
    }

    /// ln(p / (1 − p)); p is kept 1e-7 away from both ends so that the result is finite.
    pub fn logit(self) -> Logit {
        const EDGE: f64 = 1e-7;
        let p = self.0.clamp(EDGE, 1.0 - EDGE);
        Logit((p / (1.0 - p)).ln())
    }
}

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(value: f64) -> Result<Self, NotAProbability> {
        Self::new(value)
    }
}

impl From<Probability> for f64 {
    fn from(p: Probability) -> f64 {
        p.0
    }
}

/// Log-odds in nats: finite, any sign; positive means "rather synthetic than not".
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Logit(f64);

/// A model's output that is infinite or NaN.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a finite log-odds value")]
pub struct NotFinite(pub f64);

impl Logit {
    /// `value` as log-odds; an error when it is infinite or NaN.
    pub fn new(value: f64) -> Result<Self, NotFinite> {
        if value.is_finite() {
            Ok(Self(value))
        } else {
            Err(NotFinite(value))
        }
    }

    /// The number, finite.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The logistic function 1 / (1 + e^−x), in the form that does not overflow for x ≪ 0.
    pub fn probability(self) -> Probability {
        let x = self.0;
        Probability(if x >= 0.0 {
            1.0 / (1.0 + (-x).exp())
        } else {
            let e = x.exp();
            e / (1.0 + e)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_probability() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Probability::new(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Probability>("1.5").is_err());
    }

    proptest! {
        #[test]
        fn logit_and_probability_are_inverse(p in 1e-6f64..(1.0 - 1e-6)) {
            let back = Probability::new(p).unwrap().logit().probability().get();
            prop_assert!((back - p).abs() < 1e-9);
        }

        #[test]
        fn any_finite_logit_is_a_probability(x in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
            let p = Logit::new(x).unwrap().probability().get();
            prop_assert!((0.0..=1.0).contains(&p));
        }
    }
}
