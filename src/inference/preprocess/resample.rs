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
        let source = ImageRef::new(
            picture.width(),
            picture.height(),
            picture.rgb(),
            PixelType::U8x3,
        )
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
        let (x, y) = (placement.x, placement.y);
        let (first, last) = rows_needed(y, filter, picture.height());
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
            .resize(&source, &mut rows, &options(filter, area))?;
        let mut done = Image::new(x.out, y.out, PixelType::U8x3);
        let area = CropBox {
            left: 0.0,
            top: y.start - f64::from(first),
            width: f64::from(x.out),
            height: y.length,
        };
        self.resizer
            .resize(&rows, &mut done, &options(filter, area))?;
        drop(rows);
        if between.capacity() <= KEEP_BYTES {
            self.between = between;
        }
        Ok(done.into_vec())
    }
}

fn options(filter: Filter, area: CropBox) -> ResizeOptions {
    let kernel = |kernel| ResizeAlg::Convolution(kernel);
    let mut options = ResizeOptions::new().resize_alg(match filter {
        Filter::Nearest => ResizeAlg::Nearest,
        Filter::Box => kernel(FilterType::Box),
        Filter::Bilinear => kernel(FilterType::Bilinear),
        Filter::Hamming => kernel(FilterType::Hamming),
        // Pillow's bicubic is Keys' kernel with a = −0.5, which is Catmull-Rom.
        Filter::Bicubic => kernel(FilterType::CatmullRom),
        Filter::Lanczos => kernel(FilterType::Lanczos3),
    });
    options.cropping = SrcCropping::Crop(area);
    options
}

/// Half the width of a kernel at scale 1, in pixels.
fn support(filter: Filter) -> f64 {
    match filter {
        Filter::Nearest | Filter::Box => 0.5,
        Filter::Bilinear | Filter::Hamming => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

/// First row and the one after the last that the kernel reaches, one more on each side.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "both values are clamped to 0..=height"
)]
fn rows_needed(y: Span, filter: Filter, height: u32) -> (u32, u32) {
    let scale = (y.length / f64::from(y.out)).max(1.0);
    let reach = support(filter) * scale + 1.0;
    let first = (y.start - reach).floor().max(0.0) as u32;
    let last = (y.start + y.length + reach).ceil().min(f64::from(height)) as u32;
    (first, last)
}
