//! From 8-bit pixels to a tensor's numbers, in the order of its axes.

use half::f16;
use ndarray::{ArrayD, ShapeError};

use super::super::bundle::manifest::{Color, Dtype, Layout};
use super::super::bundle::task::Encoding;
use super::super::tensor::{Element, Tensor};

/// Makes tensors as one bundle's `[input]` says; the size is the caller's.
#[derive(Debug, Clone)]
pub struct Encoder {
    layout: Layout,
    /// For each channel of the input, which channel of RGB it is.
    source: [usize; 3],
    tables: Tables,
}

/// For each channel of the input, the number of every 8-bit value.
#[derive(Debug, Clone)]
enum Tables {
    Float32(Box<[[f32; 256]; 3]>),
    Float16(Box<[[f16; 256]; 3]>),
    Uint8(Box<[[u8; 256]; 3]>),
}

impl Encoder {
    /// As `encoding` says.
    pub fn new(encoding: &Encoding) -> Self {
        let exact = |channel, value| normalised(encoding, channel, value);
        Self {
            layout: encoding.layout,
            source: match encoding.color {
                Color::Rgb => [0, 1, 2],
                Color::Bgr => [2, 1, 0],
            },
            tables: match encoding.dtype {
                Dtype::Float32 => Tables::Float32(Box::new(table(|c, v| single(exact(c, v))))),
                Dtype::Float16 => Tables::Float16(Box::new(table(|c, v| half(exact(c, v))))),
                Dtype::Uint8 => Tables::Uint8(Box::new(table(|_, value| value))),
            },
        }
    }

    /// Shape of the tensor of one input: `pictures` pictures of `size` (width, height). The layouts
    /// without time take one picture.
    pub fn shape(&self, pictures: usize, size: [u32; 2]) -> Vec<usize> {
        let [width, height] = size.map(|side| side as usize);
        match self.layout {
            Layout::Nchw => vec![1, 3, height, width],
            Layout::Nhwc => vec![1, height, width, 3],
            Layout::Ncthw => vec![1, 3, pictures, height, width],
            Layout::Ntchw => vec![1, pictures, 3, height, width],
        }
    }

    /// The tensor of `pictures` in order of time, each RGB row by row and of `size`; batch 1. An
    /// error for another count of bytes.
    pub fn tensor(&self, pictures: &[&[u8]], size: [u32; 2]) -> Result<Tensor, ShapeError> {
        let shape = self.shape(pictures.len(), size);
        match &self.tables {
            Tables::Float32(tables) => f32::tensor(&shape, self.arranged(pictures, tables)),
            Tables::Float16(tables) => f16::tensor(&shape, self.arranged(pictures, tables)),
            Tables::Uint8(tables) => u8::tensor(&shape, self.arranged(pictures, tables)),
        }
    }

    /// An input that any model has an answer to: mid-grey, as an all-zero embedding would be no
    /// score.
    pub fn blank(&self, pictures: usize, size: [u32; 2]) -> Tensor {
        let shape = self.shape(pictures, size);
        match &self.tables {
            Tables::Float32(_) => Tensor::Float32(ArrayD::from_elem(shape, 0.5)),
            Tables::Float16(_) => Tensor::Float16(ArrayD::from_elem(shape, f16::from_f32(0.5))),
            Tables::Uint8(_) => Tensor::Uint8(ArrayD::from_elem(shape, 128)),
        }
    }

    /// All values in the order of the layout, each looked up in its channel's table.
    fn arranged<T: Copy>(&self, pictures: &[&[u8]], tables: &[[T; 256]; 3]) -> Vec<T> {
        let mut values = Vec::with_capacity(pictures.iter().map(|rgb| rgb.len()).sum());
        let channels = || self.source.iter().zip(tables);
        match self.layout {
            Layout::Nhwc => {
                for pixel in pictures.iter().flat_map(|rgb| pixels(rgb)) {
                    let at = |(source, table): (&usize, &[T; 256])| value(table, pixel[*source]);
                    values.extend(channels().map(at));
                }
            }
            Layout::Nchw | Layout::Ntchw => {
                for rgb in pictures {
                    for (source, table) in channels() {
                        plane(rgb, *source, table, &mut values);
                    }
                }
            }
            Layout::Ncthw => {
                for (source, table) in channels() {
                    for rgb in pictures {
                        plane(rgb, *source, table, &mut values);
                    }
                }
            }
        }
        values
    }
}

fn plane<T: Copy>(rgb: &[u8], source: usize, table: &[T; 256], values: &mut Vec<T>) {
    values.extend(pixels(rgb).iter().map(|pixel| value(table, pixel[source])));
}

fn pixels(rgb: &[u8]) -> &[[u8; 3]] {
    rgb.as_chunks::<3>().0
}

fn value<T: Copy>(table: &[T; 256], value: u8) -> T {
    table[usize::from(value)]
}

fn table<T>(number: impl Fn(usize, u8) -> T) -> [[T; 256]; 3] {
    let channel = |channel| {
        let mut values = 0_u8..=255;
        // Exactly 256 values are taken from a range that has them.
        std::array::from_fn(|_| number(channel, values.next().unwrap_or_default()))
    };
    std::array::from_fn(channel)
}

/// (value · scale − mean) / std; rounded once, by the caller.
fn normalised(encoding: &Encoding, channel: usize, value: u8) -> f64 {
    let of = |values: &[f64; 3]| values.get(channel).copied().unwrap_or_default();
    (f64::from(value) * encoding.scale - of(&encoding.mean)) / of(&encoding.std)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the model takes float32; rounding to it is meant"
)]
fn single(value: f64) -> f32 {
    value as f32
}

/// The half-precision number nearest to `value`, halves to even. `half::f16::from_f64` goes through
/// float32 and so rounds twice; float32 rounded to odd keeps what the second rounding has to know
/// (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
fn half(value: f64) -> f16 {
    let near = single(value);
    let exact = f64::from(near);
    if exact.to_bits() == value.to_bits() {
        return f16::from_f32(near);
    }
    let outside = u32::from(exact.abs() > value.abs());
    f16::from_f32(f32::from_bits(near.to_bits().saturating_sub(outside) | 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_half_is_nearer(value in -70_000.0_f64..70_000.0) {
            let got = half(value);
            if got.is_infinite() {
                // 65504 is the largest half; what lies half a step further is rounded up.
                prop_assert!(value.abs() >= 65_520.0);
            } else {
                for bits in [got.to_bits().wrapping_sub(1), got.to_bits().wrapping_add(1)] {
                    let other = f16::from_bits(bits);
                    let distance = |half: f16| (half.to_f64() - value).abs();
                    prop_assert!(!other.is_finite() || distance(got) <= distance(other));
                }
            }
        }
    }

    #[test]
    fn halves_go_to_even() {
        let step = 0.5_f64.powi(10);
        let one = |value: f64| half(value).to_f64();
        assert!((one(1.0 + step / 2.0) - 1.0).abs() < 1e-12);
        assert!((one(1.0 + 1.5 * step) - (1.0 + 2.0 * step)).abs() < 1e-12);
        assert!((one(-1.0 - step / 2.0 - 1e-12) - (-1.0 - step)).abs() < 1e-12);
        assert!(one(0.0).abs() < 1e-12);
    }
}
