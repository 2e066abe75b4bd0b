//! Resampling in Pillow's order: rows first, then columns, rounded to 8 bits in between.
//!
//! `fast_image_resize` alone goes columns first for 8-bit pictures. Its kernels are Pillow's, but
//! where a kernel with negative lobes overshoots, clipping in the other order gives other values.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{
    CropBox, FilterType, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer, SrcCropping,
};

use crate::domain::frame::Picture;

use super::super::bundle::manifest::Filter;
use super::geometry::{Placement, Span};

/// Scratch memory and the processor's abilities, for one thread.
#[derive(Debug, Default)]
pub(super) struct Resampler {
    resizer: Resizer,
    /// The picture after its rows were resampled.
    between: Vec<u8>,
}

/// Largest scratch buffer that is kept for the next picture, in bytes.
const KEEP_BYTES: usize = 16 << 20;

impl Resampler {
    /// The pixels of `picture` that `placement` asks for, RGB row by row. Only these are computed,
    /// which bounds the memory for a picture of any aspect ratio.
    pub(super) fn resample(
        &mut self,
        picture: &Picture,
        placement: &Placement,
        filter: Filter,
    ) -> Result<Vec<u8>, ResizeError> {
        let Some(kernel) = Kernel::of(filter) else {
            return Ok(nearest(picture, placement));
        };
        let source = ImageRef::new(
            picture.width(),
            picture.height(),
            picture.rgb(),
            PixelType::U8x3,
        )
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
        let (x, y) = (placement.x, placement.y);
        let (first, last) = rows_needed(y, kernel.support, picture.height());
        let mut between = std::mem::take(&mut self.between);
        between.resize(x.out as usize * (last - first) as usize * 3, 0);
        let mut rows = Image::from_slice_u8(x.out, last - first, &mut between, PixelType::U8x3)
            .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
        let area = CropBox {
            left: x.start,
            top: f64::from(first),
            width: x.length,
            height: f64::from(last - first),
        };
        self.resizer
            .resize(&source, &mut rows, &kernel.options(area))?;
        let mut done = Image::new(x.out, y.out, PixelType::U8x3);
        let area = CropBox {
            left: 0.0,
            top: y.start - f64::from(first),
            width: f64::from(x.out),
            height: y.length,
        };
        self.resizer
            .resize(&rows, &mut done, &kernel.options(area))?;
        drop(rows);
        if between.capacity() <= KEEP_BYTES {
            self.between = between;
        }
        Ok(done.into_vec())
    }
}

/// A convolution kernel by Pillow's name.
#[derive(Clone, Copy)]
struct Kernel {
    kind: FilterType,
    /// Half its width at scale 1, in pixels.
    support: f64,
}

impl Kernel {
    /// `None` for `nearest`, which is no convolution.
    fn of(filter: Filter) -> Option<Self> {
        let (kind, support) = match filter {
            Filter::Nearest => return None,
            Filter::Box => (FilterType::Box, 0.5),
            Filter::Bilinear => (FilterType::Bilinear, 1.0),
            Filter::Hamming => (FilterType::Hamming, 1.0),
            // Pillow's bicubic is Keys' kernel with a = −0.5, which is Catmull-Rom.
            Filter::Bicubic => (FilterType::CatmullRom, 2.0),
            Filter::Lanczos => (FilterType::Lanczos3, 3.0),
        };
        Some(Self { kind, support })
    }

    fn options(self, area: CropBox) -> ResizeOptions {
        let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(self.kind));
        options.cropping = SrcCropping::Crop(area);
        options
    }
}

/// The source pixel at each output pixel's centre.
fn nearest(picture: &Picture, placement: &Placement) -> Vec<u8> {
    let columns = centres(placement.x, picture.width());
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    let rows: Vec<&[[u8; 3]]> = pixels.chunks_exact(picture.width() as usize).collect();
    let mut rgb = Vec::with_capacity(columns.len() * placement.y.out as usize * 3);
    for y in centres(placement.y, picture.height()) {
        let row = rows.get(y).copied().unwrap_or_default();
        rgb.extend(columns.iter().filter_map(|x| row.get(*x)).flatten());
    }
    rgb
}

/// Positions in the source. Summed up step by step as Pillow does: where a centre falls between
/// two pixels, the rounding of the sum decides which it is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position in the picture is not negative and below its side"
)]
fn centres(span: Span, side: u32) -> Vec<usize> {
    let last = side.saturating_sub(1) as usize;
    let mut at = span.step * 0.5;
    let mut positions = Vec::with_capacity(span.out as usize);
    for index in 0..span.skipped + span.out {
        if index >= span.skipped {
            positions.push((at as usize).min(last));
        }
        at += span.step;
    }
    positions
}

/// First row and the one after the last that the kernel reaches, one more on each side.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "both values are clamped to 0..=height"
)]
fn rows_needed(y: Span, support: f64, height: u32) -> (u32, u32) {
    let scale = (y.length / f64::from(y.out)).max(1.0);
    let reach = support * scale + 1.0;
    let first = (y.start - reach).floor().max(0.0) as u32;
    let last = (y.start + y.length + reach).ceil().min(f64::from(height)) as u32;
    (first, last)
}
