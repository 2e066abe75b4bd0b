//! From a finder's outputs to candidates, one decoder a family of finders.

use std::fmt::Debug;

use ndarray::ArrayViewD;

use crate::domain::face::Face;

use super::super::bundle::manifest::FinderDecoder;
use super::CenterFace;

/// Candidates that a decoder gives at most, the most confident ones: what follows compares each
/// with each.
pub const MAX_CANDIDATES: usize = 4096;

/// Reads one family's outputs.
pub trait Decode: Debug + Send + Sync {
    /// The candidates above `threshold` in one picture's outputs, in pixels of the input, which has
    /// the sides `input` (width, height); at most [`MAX_CANDIDATES`], overlapping ones among them.
    /// `outputs` come in the order of the bundle's `finder.outputs`, each with a batch axis of 1.
    fn faces(
        &self,
        outputs: &[ArrayViewD<'_, f32>],
        input: [u32; 2],
        threshold: f64,
    ) -> Result<Vec<Face>, DecodeError>;
}

/// Outputs that a decoder can't read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Another number of outputs, or another shape.
    #[error("an output has the shape {found:?}, expected {expected}")]
    Shape {
        /// What the decoder takes.
        expected: &'static str,
        /// What came; one number where the count of outputs is wrong.
        found: Vec<usize>,
    },
    /// NaN, infinity, or a confidence outside 0..=1: no face is made up from it.
    #[error("an output has the value {0}")]
    NoNumber(f64),
}

/// The decoder of this name.
pub fn decoder(name: FinderDecoder) -> Box<dyn Decode> {
    match name {
        FinderDecoder::Centerface => Box::new(CenterFace),
    }
}

/// The cells of a map of confidences that lie above `threshold`, the most confident first (ties in
/// the map's order), at most [`MAX_CANDIDATES`]; an error when any cell is no confidence.
pub(super) fn peaks(
    map: impl IntoIterator<Item = f32>,
    threshold: f64,
) -> Result<Vec<(usize, f64)>, DecodeError> {
    let mut cells = Vec::new();
    for (index, value) in map.into_iter().enumerate() {
        let value = f64::from(value);
        if !(0.0..=1.0).contains(&value) {
            return Err(DecodeError::NoNumber(value));
        }
        if value > threshold {
            cells.push((index, value));
        }
    }
    cells.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    cells.truncate(MAX_CANDIDATES);
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_confident_cells_stay() {
        let map = (0..10_000_u16).map(|i| f32::from(i % 5000) / 5000.0);
        let cells = peaks(map, 0.1).unwrap();
        assert_eq!(cells.len(), MAX_CANDIDATES);
        assert_eq!([cells[0].0, cells[1].0, cells[2].0], [4999, 9999, 4998]);
    }

    #[test]
    fn what_is_no_confidence_is_an_error_wherever_it_stands() {
        for bad in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            assert!(peaks([0.0, bad, 0.9], 0.5).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_threshold_itself_is_below() {
        assert_eq!(peaks([0.5, 0.75], 0.5).unwrap(), [(1, 0.75)]);
    }
}
