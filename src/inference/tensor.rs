//! What a model eats: pixels as an array, one kind an element type.

use std::borrow::Cow;

use half::f16;
use ndarray::{ArrayD, ArrayViewD, Axis, ErrorKind, ShapeError, concatenate};

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
pub(super) trait Element: Copy + 'static {
    /// A tensor of `shape` from its values in standard order.
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError>;

    /// The values of `tensor`, where they are of this type.
    fn of(tensor: &Tensor) -> Option<ArrayViewD<'_, Self>>;

    /// A tensor of `array`.
    fn wrap(array: ArrayD<Self>) -> Tensor;
}

impl Element for f32 {
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError> {
        ArrayD::from_shape_vec(shape, values).map(Tensor::Float32)
    }

    fn of(tensor: &Tensor) -> Option<ArrayViewD<'_, Self>> {
        match tensor {
            Tensor::Float32(array) => Some(array.view()),
            Tensor::Float16(_) | Tensor::Uint8(_) => None,
        }
    }

    fn wrap(array: ArrayD<Self>) -> Tensor {
        Tensor::Float32(array)
    }
}

impl Element for f16 {
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError> {
        ArrayD::from_shape_vec(shape, values).map(Tensor::Float16)
    }

    fn of(tensor: &Tensor) -> Option<ArrayViewD<'_, Self>> {
        match tensor {
            Tensor::Float16(array) => Some(array.view()),
            Tensor::Float32(_) | Tensor::Uint8(_) => None,
        }
    }

    fn wrap(array: ArrayD<Self>) -> Tensor {
        Tensor::Float16(array)
    }
}

impl Element for u8 {
    fn tensor(shape: &[usize], values: Vec<Self>) -> Result<Tensor, ShapeError> {
        ArrayD::from_shape_vec(shape, values).map(Tensor::Uint8)
    }

    fn of(tensor: &Tensor) -> Option<ArrayViewD<'_, Self>> {
        match tensor {
            Tensor::Uint8(array) => Some(array.view()),
            Tensor::Float32(_) | Tensor::Float16(_) => None,
        }
    }

    fn wrap(array: ArrayD<Self>) -> Tensor {
        Tensor::Uint8(array)
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

    /// `tensors` (at least one) as one batch, in that order; an error where their element types or
    /// their shapes (batch aside) differ.
    pub fn stacked<'a>(tensors: &[&'a Self]) -> Result<Cow<'a, Self>, ShapeError> {
        match tensors {
            [] => Err(differs()),
            [one] => Ok(Cow::Borrowed(*one)),
            [Self::Float32(_), ..] => stack::<f32>(tensors).map(Cow::Owned),
            [Self::Float16(_), ..] => stack::<f16>(tensors).map(Cow::Owned),
            [Self::Uint8(_), ..] => stack::<u8>(tensors).map(Cow::Owned),
        }
    }

    /// Inputs in it: pictures, or windows. 0 where it has no axes.
    pub fn batch(&self) -> usize {
        self.shape().first().copied().unwrap_or_default()
    }
}

fn differs() -> ShapeError {
    ShapeError::from_kind(ErrorKind::IncompatibleShape)
}

fn stack<E: Element>(tensors: &[&Tensor]) -> Result<Tensor, ShapeError> {
    let views: Option<Vec<_>> = tensors.iter().map(|tensor| E::of(tensor)).collect();
    let views = views.ok_or_else(differs)?;
    concatenate(Axis(0), &views).map(E::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: [u8; 2]) -> Tensor {
        <u8 as Element>::tensor(&[1, 2], values.to_vec()).unwrap()
    }

    #[test]
    fn a_batch_has_its_inputs_in_order() {
        let (one, two) = (row([1, 2]), row([3, 4]));
        let batch = Tensor::stacked(&[&two, &one]).unwrap();
        let wanted = <u8 as Element>::tensor(&[2, 2], vec![3, 4, 1, 2]).unwrap();
        assert_eq!(*batch, wanted);
        assert!(matches!(Tensor::stacked(&[&one]), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn what_differs_can_not_be_stacked() {
        let wide = <u8 as Element>::tensor(&[1, 3], vec![0; 3]).unwrap();
        let float = <f32 as Element>::tensor(&[1, 2], vec![0.0; 2]).unwrap();
        for other in [wide, float] {
            assert!(Tensor::stacked(&[&row([1, 2]), &other]).is_err());
        }
        assert!(Tensor::stacked(&[]).is_err());
    }
}
