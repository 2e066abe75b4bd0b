//! Heads for embeddings as they are.

use super::error::FitError;
use super::solver::{Data, Linear, Scale, Terms, logistic};

/// Good enough to compare; the head itself is fitted further.
const ROUGH: f64 = 1e-5;
const FINE: f64 = 1e-8;

/// Heads for embeddings as they are, one a strength, each from where the one before ended.
pub(super) fn path(data: &Data<'_>, strengths: &[f64]) -> Result<Vec<Linear>, FitError> {
    let scale = Scale::of(data);
    let mut at = Linear::zero(data.rows.ncols());
    let mut heads = Vec::new();
    for strength in strengths {
        let terms = Terms {
            strength: *strength,
            tolerance: ROUGH,
        };
        at = logistic(data, &scale, terms, &at)?;
        heads.push(scale.undo(&at));
    }
    Ok(heads)
}

/// The head of one strength, for embeddings as they are.
pub(super) fn exact(data: &Data<'_>, strength: f64) -> Result<Linear, FitError> {
    let scale = Scale::of(data);
    let terms = Terms {
        strength,
        tolerance: FINE,
    };
    let start = Linear::zero(data.rows.ncols());
    Ok(scale.undo(&logistic(data, &scale, terms, &start)?))
}
