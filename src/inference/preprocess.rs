//! From pictures to a model's input, bit-comparable with Pillow and numpy.
//!
//! `docs/decisions/0006-preprocess-like-pillow.md` says what is matched and how closely.

mod encode;
mod geometry;
mod resample;

use std::borrow::Cow;
use std::cell::RefCell;

use crate::domain::frame::Picture;

use super::bundle::manifest::Filter;
use super::bundle::task::Input;
use super::error::InferenceError;
use super::tensor::Tensor;
pub use encode::Encoder;
use geometry::Placement;
use resample::Resampler;

/// Turns pictures into one model's input.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    input: Input,
    /// Pictures that make one input.
    pictures: usize,
    encoder: Encoder,
}

/// One picture as a model sees it: resized, cropped, 8-bit RGB row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels(Vec<u8>);

impl Pixels {
    /// The bytes, RGB row by row, of the model's width and height.
    pub fn rgb(&self) -> &[u8] {
        &self.0
    }
}

thread_local! {
    // Buffers of some megabytes, reused from picture to picture.
    static RESAMPLER: RefCell<Resampler> = RefCell::new(Resampler::default());
}

/// `picture` scaled to `size` (width, height) as Pillow's `Image.resize` does it; RGB row by row.
pub fn resize(picture: &Picture, size: [u32; 2], filter: Filter) -> Vec<u8> {
    let placement = Placement::stretched([picture.width(), picture.height()], size);
    RESAMPLER.with_borrow_mut(|resampler| resampler.resample(picture, &placement, filter))
}

/// `picture` scaled down, its sides in proportion, so that the longer one has at most `longest`
/// pixels; as it is where it is no larger. Bicubic, as Pillow's `Image.thumbnail` does it.
pub fn shrunk(picture: &Picture, longest: u32) -> Cow<'_, Picture> {
    let sides = [picture.width(), picture.height()];
    let size = geometry::within(sides, longest);
    if size == sides {
        return Cow::Borrowed(picture);
    }
    let [width, height] = size;
    Picture::new(width, height, resize(picture, size, Filter::Bicubic))
        .map_or(Cow::Borrowed(picture), Cow::Owned)
}

impl Preprocessor {
    /// For a bundle's `input`, of which one takes `pictures` pictures.
    pub fn new(input: &Input, pictures: usize) -> Self {
        Self {
            encoder: Encoder::new(&input.encoding),
            input: input.clone(),
            pictures,
        }
    }

    /// Width and height that the resize makes of a square picture, before the crop.
    pub fn resized(&self) -> [u32; 2] {
        self.input.resize.size.sides()
    }

    /// Width and height of the input.
    pub fn size(&self) -> [u32; 2] {
        geometry::output_size(&self.input)
    }

    /// Pictures that make one input, at least 1.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// Shape of one input's tensor in the bundle's layout, batch 1.
    pub fn shape(&self) -> Vec<usize> {
        self.encoder.shape(self.pictures, self.size())
    }

    /// The tensor of `picture`, batch 1, for a model that takes one.
    pub fn prepare(&self, picture: &Picture) -> Result<Tensor, InferenceError> {
        self.tensor(&[&self.pixels(picture)])
    }

    /// `picture` as the model sees it.
    pub fn pixels(&self, picture: &Picture) -> Pixels {
        let size = self.size();
        let placement = Placement::new(&self.input, [picture.width(), picture.height()]);
        RESAMPLER.with_borrow_mut(|resampler| {
            let inner = resampler.resample(picture, &placement, self.input.resize.filter);
            Pixels(placement.framed(inner, size, self.input.resize.pad))
        })
    }

    /// The tensor of one input, batch 1: of exactly [`Preprocessor::pictures`] pictures in order of
    /// time. An error for another count, and for pixels of another model's size.
    pub fn tensor(&self, pictures: &[&Pixels]) -> Result<Tensor, InferenceError> {
        if pictures.len() != self.pictures {
            return Err(InferenceError::PictureCount {
                expected: self.pictures,
                found: pictures.len(),
            });
        }
        let rgb: Vec<&[u8]> = pictures.iter().map(|pixels| pixels.rgb()).collect();
        let [width, height] = self.size();
        self.encoder
            .tensor(&rgb, [width, height])
            .map_err(|error| InferenceError::Preprocess {
                width,
                height,
                reason: error.to_string(),
            })
    }

    /// An input that any model has an answer to, for the first run of a session.
    pub(super) fn blank(&self) -> Tensor {
        self.encoder.blank(self.pictures, self.size())
    }
}

#[cfg(test)]
mod tests;
