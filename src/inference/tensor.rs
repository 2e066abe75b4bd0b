//! What a model eats: pixels as an array, one kind an element type.

use half::f16;
use ndarray::{ArrayD, ShapeError};

/// A model's input: `[batch, …]` in the bundle's layout, in standard order (last axis fastest).
/// Three more axes for pictures, four for windows.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// Scaled and normalised values.
    Float32(ArrayD<f32>),
    /// The same, rounded to half precision.
    Float16(ArrayD<f16>),
    /// Pixel values as they are, 0..=255.
    Uint8(ArrayD<u8>),
}

/// An element type that tensors can have.
pub(super) trait Element: Copy {
    /// A tensor of `shape` from its values in standard order.
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError>;
}

impl Element for f32 {
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError> {
        ArrayD::from_shape_vec(shape, values).map(Tensor::Float32)
    }
}

impl Element for f16 {
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError> {
        ArrayD::from_shape_vec(shape, values).map(Tensor::Float16)
    }
}

impl Element for u8 {
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError> {
        ArrayD::from_shape_vec(shape, values).map(Tensor::Uint8)
    }
}

impl Tensor {
    /// Its lengths, batch first.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float32(array) => array.shape(),
            Self::Float16(array) => array.shape(),
            Self::Uint8(array) => array.shape(),
        }
    }

    /// Inputs in it: pictures, or windows. 0 where it has no axes.
    pub fn batch(&self) -> usize {
        self.shape().first().copied().unwrap_or_default()
    }
}
