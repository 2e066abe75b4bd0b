//! From a model's raw value to a probability that means what it says.

use serde::{Deserialize, Serialize};

use super::score::{Logit, NotAProbability, Probability};

/// A monotone map from log-odds to a calibrated probability; a bundle names one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// The logistic function alone.
    None,
    /// sigmoid(`a`·x + `b`), a > 0. Platt 1999, "Probabilistic outputs for support vector
    /// machines".
    Platt {
        /// Slope, positive.
        a: f64,
        /// Offset.
        b: f64,
    },
    /// sigmoid(x / `temperature`). Guo et al. 2017, "On calibration of modern neural networks".
    Temperature {
        /// Positive.
        temperature: f64,
    },
    /// Piecewise linear through (`x`, `y`) on the log-odds axis, constant beyond its ends; the
    /// result of an isotonic regression.
    Isotonic {
        /// Log-odds, strictly ascending, at least one.
        x: Vec<f64>,
        /// Probabilities, not descending, as many.
        y: Vec<f64>,
    },
}

/// Parameters that make no calibration.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidCalibration {
    /// A slope that is not positive and finite, or an offset that is not finite.
    #[error("platt needs a finite a > 0 and a finite b, not a = {a}, b = {b}")]
    Platt {
        /// The slope.
        a: f64,
        /// The offset.
        b: f64,
    },
    /// A temperature that is not positive and finite.
    #[error("temperature must be finite and positive, not {0}")]
    Temperature(f64),
    /// Knots that do not ascend, or whose counts differ.
    #[error(
        "isotonic needs equally many x (strictly ascending) and y (ascending, 0..=1), at least 1"
    )]
    Isotonic,
}

impl Calibration {
    /// Checks the parameters.
    pub fn validate(&self) -> Result<(), InvalidCalibration> {
        match self {
            Self::None => Ok(()),
            Self::Platt { a, b } => {
                if a.is_finite() && *a > 0.0 && b.is_finite() {
                    Ok(())
                } else {
                    Err(InvalidCalibration::Platt { a: *a, b: *b })
                }
            }
            Self::Temperature { temperature } => {
                if temperature.is_finite() && *temperature > 0.0 {
                    Ok(())
                } else {
                    Err(InvalidCalibration::Temperature(*temperature))
                }
            }
            Self::Isotonic { x, y } => {
                let rises = x.windows(2).all(|w| matches!(w, [a, b] if a < b))
                    && y.windows(2).all(|w| matches!(w, [a, b] if a <= b));
                let finite =
                    x.iter().all(|v| v.is_finite()) && y.iter().all(|v| (0.0..=1.0).contains(v));
                if rises && finite && x.len() == y.len() && !x.is_empty() {
                    Ok(())
                } else {
                    Err(InvalidCalibration::Isotonic)
                }
            }
        }
    }

    /// Slope and offset, where calibrated log-odds are a straight line of the model's own.
    pub fn line(&self) -> Option<(f64, f64)> {
        match self {
            Self::None => Some((1.0, 0.0)),
            Self::Platt { a, b } => Some((*a, *b)),
            Self::Temperature { temperature } => Some((temperature.recip(), 0.0)),
            Self::Isotonic { .. } => None,
        }
    }

    /// The name that reports show.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Platt { .. } => "platt",
            Self::Temperature { .. } => "temperature",
            Self::Isotonic { .. } => "isotonic",
        }
    }

    /// The calibrated probability of `value`; monotone in it. An error only for parameters that
    /// [`Calibration::validate`] refuses.
    pub fn apply(&self, value: Logit) -> Result<Probability, NotAProbability> {
        let x = value.get();
        let moved = match self {
            Self::None => x,
            Self::Platt { a, b } => a.mul_add(x, *b),
            Self::Temperature { temperature } => x / temperature,
            Self::Isotonic { x: knots, y } => return interpolate(knots, y, x),
        };
        // Overflow to infinity keeps its side.
        Logit::new(moved.clamp(f64::MIN, f64::MAX))
            .map(Logit::probability)
            .map_err(|error| NotAProbability(error.0))
    }
}

fn interpolate(x: &[f64], y: &[f64], at: f64) -> Result<Probability, NotAProbability> {
    let knot = |i: usize| Some((*x.get(i)?, *y.get(i)?));
    let upper = x.partition_point(|knot| *knot <= at);
    let below = upper.checked_sub(1).and_then(knot);
    let value = match (below, knot(upper)) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (at - x0) / (x1 - x0),
        (Some((_, y)), None) | (None, Some((_, y))) => y,
        (None, None) => f64::NAN,
    };
    Probability::new(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(c: &Calibration, x: f64) -> f64 {
        c.apply(Logit::new(x).unwrap()).unwrap().get()
    }

    fn isotonic() -> Calibration {
        Calibration::Isotonic {
            x: vec![-1.0, 0.0, 2.0],
            y: vec![0.1, 0.5, 0.9],
        }
    }

    #[test]
    fn known_answers() {
        assert!((at(&Calibration::None, 0.0) - 0.5).abs() < 1e-12);
        assert!((at(&Calibration::Platt { a: 2.0, b: -1.0 }, 0.5) - 0.5).abs() < 1e-12);
        assert!(
            (at(&Calibration::Temperature { temperature: 2.0 }, 2.0) - 0.731_058_578).abs() < 1e-8
        );
        for (x, y) in [
            (-9.0, 0.1),
            (-1.0, 0.1),
            (-0.5, 0.3),
            (0.0, 0.5),
            (1.0, 0.7),
            (9.0, 0.9),
        ] {
            assert!((at(&isotonic(), x) - y).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        assert!(Calibration::Platt { a: 0.0, b: 0.0 }.validate().is_err());
        assert!(
            Calibration::Platt {
                a: 1.0,
                b: f64::NAN
            }
            .validate()
            .is_err()
        );
        assert!(
            Calibration::Temperature { temperature: -1.0 }
                .validate()
                .is_err()
        );
        assert!(
            Calibration::Isotonic {
                x: vec![],
                y: vec![]
            }
            .validate()
            .is_err()
        );
        assert!(
            Calibration::Isotonic {
                x: vec![1.0, 1.0],
                y: vec![0.1, 0.2]
            }
            .validate()
            .is_err()
        );
        assert!(isotonic().validate().is_ok());
    }

    proptest! {
        #[test]
        fn every_map_is_monotone(a in -30.0f64..30.0, b in -30.0f64..30.0) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            for c in [
                Calibration::None,
                Calibration::Platt { a: 0.7, b: -0.3 },
                Calibration::Temperature { temperature: 3.0 },
                isotonic(),
            ] {
                prop_assert!(at(&c, low) <= at(&c, high));
            }
        }
    }
}
