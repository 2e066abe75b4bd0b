//! Scaling and conversion by swscale: bicubic, with exact rounding.

use ffmpeg::format::Pixel;
use ffmpeg::software::scaling::{Context, Flags};
use ffmpeg_next as ffmpeg;
use image::RgbImage;

use super::{Frame, blank, fault};
use crate::fault::{Fault, Stop};

/// Brings frames of any size and format to one of each.
///
/// From RGB, YUV comes out with the BT.601 matrix in limited range, swscale's own; the encoder says
/// so in the stream.
pub(super) struct Scaler {
    format: Pixel,
    width: u32,
    height: u32,
    context: Option<Context>,
}

impl Scaler {
    pub(super) fn new(format: Pixel, width: u32, height: u32) -> Self {
        Self {
            format,
            width,
            height,
            context: None,
        }
    }

    /// The frame in the wanted form, with its time.
    pub(super) fn run(&mut self, frame: &Frame) -> Result<Frame, Stop> {
        let (format, width, height) = (frame.format(), frame.width(), frame.height());
        let seen = self.context.as_ref().map(Context::input);
        let same = seen.is_some_and(|s| (s.format, s.width, s.height) == (format, width, height));
        if !same {
            self.context = None;
        }
        let context = match self.context.take() {
            Some(context) => context,
            None => Context::get(
                format,
                width,
                height,
                self.format,
                self.width,
                self.height,
                Flags::BICUBIC
                    | Flags::ACCURATE_RND
                    | Flags::FULL_CHR_H_INP
                    | Flags::FULL_CHR_H_INT,
            )
            .map_err(|error| fault("a picture can't be scaled", error))?,
        };
        let mut scaled = blank(self.format, self.width, self.height)?;
        self.context
            .insert(context)
            .run(frame, &mut scaled)
            .map_err(|error| fault("a picture can't be scaled", error))?;
        scaled.set_pts(frame.pts());
        Ok(scaled)
    }
}

/// The picture at another size.
pub(in crate::perturb) fn resized(
    picture: &RgbImage,
    width: u32,
    height: u32,
) -> Result<RgbImage, Stop> {
    let frame = super::frame(picture, 0.0)?;
    let scaled = Scaler::new(Pixel::RGB24, width, height).run(&frame)?;
    let bytes = usize::try_from(width).unwrap_or(0) * 3;
    let rows = scaled.data(0).chunks(scaled.stride(0).max(1));
    let rgb: Vec<u8> = rows
        .filter_map(|row| row.get(..bytes))
        .flatten()
        .copied()
        .collect();
    RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| Fault::internal("a picture could not be scaled whole").into())
}
