//! The part of a picture that a face model sees.

use crate::domain::face::{Face, Rect};
use crate::domain::frame::{Picture, WrongPictureSize};

use super::super::bundle::manifest::{FaceSection, Template};
use super::align::{Similarity, target};
use super::warp::warp;

/// Largest side of a crop with a margin, in pixels, which makes 117 MiB: that of a face over all of
/// a picture of 1280 pixels with the largest margin that a bundle may ask for.
const MAX_SIDE: u32 = 6400;

/// Cuts faces out of pictures as one model's `[face]` asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cropper {
    min_size: u32,
    margin: f64,
    align: Option<Template>,
    size: [u32; 2],
}

/// A face that can't be cut out.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CropError {
    /// The model wants aligned faces, and this one has nothing to align it by.
    #[error("a face without landmarks can't be aligned")]
    NoLandmarks,
    /// Landmarks that lie in one place, or nowhere.
    #[error("a face can't be aligned by its landmarks: no turn and scale fits them")]
    Landmarks,
    /// A crop that would need too much memory.
    #[error("a crop with a side of {side} pixels is more than the {MAX_SIDE} that are made")]
    TooLarge {
        /// What it would have, rounded; `u32::MAX` stands for more.
        side: u32,
    },
    /// Pixels that don't make a picture.
    #[error(transparent)]
    Size(#[from] WrongPictureSize),
}

impl Cropper {
    /// For a model with this `[face]`. `size` (width, height) is the size of an aligned face: that
    /// which the model's resize makes of a picture, before its centre crop. So an aligned face is
    /// resampled once.
    pub fn new(section: &FaceSection, size: [u32; 2]) -> Self {
        Self {
            min_size: section.min_size,
            margin: section.margin,
            align: section.align,
            size,
        }
    }

    /// Whether `face` is large enough for the model: shorter side of its box, in pixels of the
    /// picture that it is to be cut from.
    pub fn usable(&self, face: &Face) -> bool {
        face.rect.side() >= f64::from(self.min_size)
    }

    /// `face` cut out of `picture`, black where it reaches beyond. Aligned, it has the size that
    /// [`Cropper::new`] was told; with a margin alone it is a square of whole pixels of the picture,
    /// as `PIL.Image.crop` cuts it, for the model's own resize. Costs some milliseconds of
    /// computing: not for an async thread.
    pub fn crop(&self, picture: &Picture, face: &Face) -> Result<Picture, CropError> {
        match self.align {
            Some(template) => self.aligned(picture, face, template),
            None => square(picture, face.rect, self.margin),
        }
    }

    fn aligned(
        &self,
        picture: &Picture,
        face: &Face,
        template: Template,
    ) -> Result<Picture, CropError> {
        let landmarks = face.landmarks.ok_or(CropError::NoLandmarks)?;
        let to = target(template, self.size, self.margin);
        let map = Similarity::between(&landmarks, &to).ok_or(CropError::Landmarks)?;
        Ok(warp(picture, map.inverse(), self.size)?)
    }
}

/// The square around the middle of `rect` whose side is the longer one with `margin` of it on both
/// sides. Its edges are rounded as Pillow rounds them, halves to even, each for itself; so it can
/// be a pixel higher than wide.
fn square(picture: &Picture, rect: Rect, margin: f64) -> Result<Picture, CropError> {
    let half = rect.width.max(rect.height) * (1.0 + 2.0 * margin) / 2.0;
    let middle = rect.center();
    let [left, right] = edges(middle.x, half)?;
    let [top, bottom] = edges(middle.y, half)?;
    let (width, height) = (right.abs_diff(left), bottom.abs_diff(top));
    let mut rgb = vec![0; Picture::byte_len(width, height).unwrap_or_default()];
    let place = Overlap::new([left, right], picture.width());
    let rows = Overlap::new([top, bottom], picture.height());
    let to = rgb.chunks_exact_mut(width as usize * 3).skip(rows.to);
    let from = picture.rgb().chunks_exact(picture.width() as usize * 3);
    for (to, from) in to.zip(from.skip(rows.from)).take(rows.count) {
        let to = to.iter_mut().skip(place.to * 3);
        let from = from.iter().skip(place.from * 3);
        for (to, from) in to.zip(from).take(place.count * 3) {
            *to = *from;
        }
    }
    Ok(Picture::new(width, height, rgb)?)
}

/// First and last edge around `middle`, at least a pixel apart.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded first; the cast for the error saturates"
)]
fn edges(middle: f64, half: f64) -> Result<[i32; 2], CropError> {
    let side = (half * 2.0).ceil();
    // Negated so that NaN is refused as well.
    if !(side <= f64::from(MAX_SIDE) && middle.abs() < 1e9) {
        return Err(CropError::TooLarge { side: side as u32 });
    }
    let [first, last] = [middle - half, middle + half].map(|edge| edge.round_ties_even() as i32);
    Ok([first, last.max(first + 1)])
}

/// What a crop and a picture share along one axis.
struct Overlap {
    /// Where it begins in the picture.
    from: usize,
    /// Where it begins in the crop.
    to: usize,
    /// Pixels.
    count: usize,
}

impl Overlap {
    fn new([first, last]: [i32; 2], side: u32) -> Self {
        let side = i32::try_from(side).unwrap_or(i32::MAX);
        let begin = first.clamp(0, side);
        let end = last.clamp(begin, side);
        let length = |from: i32, to: i32| usize::try_from(to - from).unwrap_or_default();
        Self {
            from: length(0, begin),
            to: length(first, begin),
            count: length(begin, end),
        }
    }
}

#[cfg(test)]
mod tests;
