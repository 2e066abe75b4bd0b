//! From a picture to a model's input, bit-comparable with Pillow and numpy.
//!
//! `docs/decisions/0006-preprocess-like-pillow.md` says what is matched and how closely.

mod geometry;
mod resample;

use std::cell::RefCell;

use ndarray::{Array4, ShapeError};

use crate::domain::frame::Picture;

use super::bundle::manifest::{Color, Dtype, Filter, InputSection, Layout};
use super::error::InferenceError;
use super::tensor::Tensor;
use geometry::Placement;
use resample::Resampler;

/// Turns pictures into one model's input.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    input: InputSection,
    /// For each channel of the input, which channel of RGB it is.
    source: [usize; 3],
    /// For each channel of the input, the normalised value of every 8-bit value.
    tables: Box<[[f32; 256]; 3]>,
}

thread_local! {
    // Buffers of some megabytes, reused from picture to picture.
    static RESAMPLER: RefCell<Resampler> = RefCell::new(Resampler::default());
}

impl Preprocessor {
    /// As a bundle's `[input]` says.
    pub fn new(input: &InputSection) -> Self {
        let mut tables = Box::new([[0.0; 256]; 3]);
        for (channel, table) in tables.iter_mut().enumerate() {
            for (value, entry) in (0_u8..=255).zip(table.iter_mut()) {
                *entry = normalised(input, channel, value);
            }
        }
        Self {
            input: input.clone(),
            source: match input.color {
                Color::Rgb => [0, 1, 2],
                Color::Bgr => [2, 1, 0],
            },
            tables,
        }
    }

    /// Width and height of the input.
    pub fn size(&self) -> [u32; 2] {
        geometry::output_size(&self.input)
    }

    /// Shape of one picture's tensor in the bundle's layout.
    pub fn shape(&self) -> [usize; 4] {
        let [width, height] = self.size().map(|side| side as usize);
        match self.input.layout {
            Layout::Nhwc => [1, height, width, 3],
            Layout::Nchw | Layout::Ncthw | Layout::Ntchw => [1, 3, height, width],
        }
    }

    /// The tensor of `picture`, batch 1.
    pub fn prepare(&self, picture: &Picture) -> Result<Tensor, InferenceError> {
        self.tensor(&self.pixels(picture))
            .map_err(|error| InferenceError::Preprocess {
                width: picture.width(),
                height: picture.height(),
                reason: error.to_string(),
            })
    }

    /// The resized and cropped pixels, RGB row by row.
    pub fn pixels(&self, picture: &Picture) -> Vec<u8> {
        let size = self.size();
        let placement = Placement::new(&self.input, [picture.width(), picture.height()]);
        RESAMPLER.with_borrow_mut(|resampler| {
            let inner = resampler.resample(picture, &placement, self.input.resize.filter);
            placement.framed(inner, size, self.input.resize.pad)
        })
    }

    fn tensor(&self, rgb: &[u8]) -> Result<Tensor, ShapeError> {
        let shape = self.shape();
        Ok(match self.input.dtype {
            Dtype::Uint8 => {
                Tensor::Uint8(Array4::from_shape_vec(shape, self.arranged(rgb, |_, v| v))?)
            }
            Dtype::Float32 | Dtype::Float16 => {
                let values = self.arranged(rgb, |table, v| table[usize::from(v)]);
                Tensor::Float32(Array4::from_shape_vec(shape, values)?)
            }
        })
    }

    /// All values in the order of the layout, each through `map` with its channel's table.
    fn arranged<T>(&self, rgb: &[u8], map: impl Fn(&[f32; 256], u8) -> T) -> Vec<T> {
        let mut values = Vec::with_capacity(rgb.len());
        let channels = self.source.iter().zip(self.tables.iter());
        let (pixels, _) = rgb.as_chunks::<3>();
        if self.input.layout == Layout::Nhwc {
            for pixel in pixels {
                values.extend(
                    channels
                        .clone()
                        .map(|(source, table)| map(table, pixel[*source])),
                );
            }
        } else {
            for (source, table) in channels {
                values.extend(pixels.iter().map(|pixel| map(table, pixel[*source])));
            }
        }
        values
    }
}

/// The whole of `picture` in `size` (width, height), RGB row by row.
pub(super) fn resized(picture: &Picture, size: [u32; 2], filter: Filter) -> Vec<u8> {
    let placement = Placement::whole([picture.width(), picture.height()], size);
    RESAMPLER.with_borrow_mut(|resampler| resampler.resample(picture, &placement, filter))
}

/// (value · scale − mean) / std, in f64 and rounded once.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the model takes float32; rounding to it is meant"
)]
fn normalised(input: &InputSection, channel: usize, value: u8) -> f32 {
    let of = |values: &[f64; 3]| values.get(channel).copied().unwrap_or_default();
    ((f64::from(value) * input.scale - of(&input.mean)) / of(&input.std)) as f32
}

#[cfg(test)]
mod tests;
