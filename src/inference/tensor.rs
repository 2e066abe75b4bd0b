//! What a model eats: pixels as an array, one kind an element type.

use ndarray::{Array4, Axis};

/// A model's input, `[batch, …]` with three more axes in the bundle's layout, in standard order
/// (last axis fastest).
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// Scaled and normalised values.
    Float32(Array4<f32>),
    /// Pixel values as they are, 0..=255.
    Uint8(Array4<u8>),
}

impl Tensor {
    /// The four lengths, batch first.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float32(array) => array.shape(),
            Self::Uint8(array) => array.shape(),
        }
    }

    /// Pictures in it.
    pub fn batch(&self) -> usize {
        match self {
            Self::Float32(array) => array.len_of(Axis(0)),
            Self::Uint8(array) => array.len_of(Axis(0)),
        }
    }
}
