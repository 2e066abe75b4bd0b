//! Rates of independent events, with exact intervals.

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

/// So many of so many, with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// How many.
    pub hits: u64,
    /// Of how many.
    pub of: u64,
    /// Their ratio.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Rate {
    /// `hits` of `of`, with the interval that holds the true rate in at least a share of
    /// `confidence` of all cases (Clopper, Pearson 1934, by quantiles of the beta distribution).
    /// `None` of none, and for more hits than there are tries.
    pub fn of(hits: u64, of: u64, confidence: f64) -> Option<Self> {
        let misses = of.checked_sub(hits)?;
        if of == 0 {
            return None;
        }
        let tail = (1.0 - confidence) / 2.0;
        let (k, rest) = (hits as f64, misses as f64);
        let low = if hits == 0 {
            0.0
        } else {
            Beta::new(k, rest + 1.0).ok()?.inverse_cdf(tail)
        };
        let high = if misses == 0 {
            1.0
        } else {
            Beta::new(k + 1.0, rest).ok()?.inverse_cdf(1.0 - tail)
        };
        Some(Self {
            hits,
            of,
            value: k / of as f64,
            low,
            high,
        })
    }
}

/// More than this many tries are not thought of.
const MOST: u64 = 1 << 32;

/// Fewest tries with which the interval's upper end is at most `max` while the rate is `rate` (hits
/// are rounded down); `None` where the rate is not below `max`, or for more than 2³².
pub fn fewest(rate: f64, max: f64, confidence: f64) -> Option<u64> {
    if !(0.0..max).contains(&rate) {
        return None;
    }
    let proves = |of: u64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 ≤ rate < 1, so it is a count below `of`"
        )]
        let hits = (rate * of as f64) as u64;
        Rate::of(hits, of, confidence).is_some_and(|found| found.high <= max)
    };
    // Doubled until it is enough, then halved down to the least.
    let mut enough = 1u64;
    while !proves(enough) {
        enough = enough.checked_mul(2).filter(|of| *of <= MOST)?;
    }
    let mut short = enough.div_euclid(2);
    while enough.saturating_sub(short) > 1 {
        let middle = short.midpoint(enough);
        if proves(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The intervals of R's `binom.test`.
    #[test]
    fn intervals_are_exact() {
        for (hits, of, low, high) in [
            (0, 10, 0.0, 0.308_497_1),
            (10, 10, 0.691_502_9, 1.0),
            (3, 50, 0.012_548_6, 0.165_481_9),
            (7, 20, 0.153_909_2, 0.592_188_5),
        ] {
            let rate = Rate::of(hits, of, 0.95).unwrap();
            assert!((rate.low - low).abs() < 1e-6, "{rate:?}");
            assert!((rate.high - high).abs() < 1e-6, "{rate:?}");
        }
        assert!(Rate::of(0, 0, 0.95).is_none() && Rate::of(2, 1, 0.95).is_none());
    }

    /// With no hit the upper end is 1 − (α/2)^(1/n), so n ≥ ln(0.025) / ln(0.99) = 367.04.
    #[test]
    fn so_many_are_needed() {
        assert_eq!(fewest(0.0, 0.01, 0.95), Some(368));
        assert_eq!(fewest(0.02, 0.01, 0.95), None);
        let of = fewest(0.005, 0.01, 0.95).unwrap();
        assert!(of > 368, "{of}");
    }
}
