//! A caption, as people put over clips: white letters on dark boxes, in the lower third.

use image::{GrayImage, Luma, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster};

use super::codec;
use super::retouch::pixels;
use crate::fault::Stop;

/// What it says; one line the name of an account, as platforms stamp it.
const LINES: [&str; 2] = ["WAIT FOR THE END", "@clips.daily"];
const WEIGHT: FontWeight = FontWeight::Bold;
const RASTER: RasterHeight = RasterHeight::Size32;
/// Where the caption's middle is, as a share of the height.
const MIDDLE: f64 = 0.72;
/// Share of the box that is box, not picture.
const OPACITY: u32 = 166;
const OPAQUE: u32 = 255;

/// A caption for pictures of one size.
pub(super) struct Caption {
    /// Height of a line as a share of the shorter side.
    height: f64,
    made: Option<Made>,
}

struct Made {
    of: (u32, u32),
    /// Letters of each line, and where their upper left corner is.
    lines: Vec<(u32, u32, GrayImage)>,
}

impl Caption {
    pub(super) fn new(height: f64) -> Self {
        Self { height, made: None }
    }

    /// The picture with the caption on it; what doesn't fit on it is cut off.
    pub(super) fn over(&mut self, mut picture: RgbImage) -> Result<RgbImage, Stop> {
        let of = picture.dimensions();
        let made = match self.made.take() {
            Some(made) if made.of == of => made,
            _ => Made::new(of, self.height)?,
        };
        for (left, top, letters) in &made.lines {
            for (x, y, letter) in letters.enumerate_pixels() {
                if let Some(pixel) = picture.get_pixel_mut_checked(left + x, top + y) {
                    pixel.0 = pixel.0.map(|value| inked(value, *letter));
                }
            }
        }
        self.made = Some(made);
        Ok(picture)
    }
}

/// A dark box over the picture's value, and the letter over the box.
fn inked(value: u8, letter: Luma<u8>) -> u8 {
    let [ink] = letter.0;
    let ink = u32::from(ink);
    let boxed = u32::from(value) * (OPAQUE - OPACITY) / OPAQUE;
    let mixed = (boxed * (OPAQUE - ink) + OPAQUE * ink) / OPAQUE;
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

impl Made {
    fn new(of: (u32, u32), share: f64) -> Result<Self, Stop> {
        let (width, height) = of;
        let line = pixels(f64::from(width.min(height)) * share).max(4);
        let step = line + line / 4;
        let first = pixels(f64::from(height) * MIDDLE).saturating_sub(step);
        let mut lines = Vec::new();
        for (place, text) in (0_u32..).zip(LINES) {
            let letters = scaled(&raster(text), line)?;
            let left = width.saturating_sub(letters.width()) / 2;
            lines.push((left, first + place * step, letters));
        }
        Ok(Self { of, lines })
    }
}

/// The text at the font's own size.
fn raster(text: &str) -> RgbImage {
    let letters: Vec<_> = text
        .chars()
        .filter_map(|letter| get_raster(letter, WEIGHT, RASTER))
        .collect();
    let side = |side: usize| u32::try_from(side).unwrap_or(1).max(1);
    let width = letters.iter().map(RasterizedChar::width).sum();
    let mut image = RgbImage::new(side(width), side(RASTER.val()));
    let mut left = 0;
    for letter in &letters {
        for (y, row) in (0_u32..).zip(letter.rows()) {
            for (x, ink) in (left..).zip(row) {
                if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
                    pixel.0 = [*ink; 3];
                }
            }
        }
        left += side(letter.width());
    }
    image
}

fn scaled(text: &RgbImage, height: u32) -> Result<GrayImage, Stop> {
    let ratio = f64::from(text.width()) / f64::from(text.height());
    let image = codec::resized(text, pixels(f64::from(height) * ratio), height)?;
    Ok(GrayImage::from_fn(image.width(), image.height(), |x, y| {
        Luma([image.get_pixel(x, y).0[0]])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn letters_are_light_on_a_dark_box_and_the_rest_stays() {
        let grey = RgbImage::from_pixel(640, 360, Rgb([128; 3]));
        let shown = Caption::new(0.1).over(grey).unwrap();
        let count = |test: &dyn Fn(u8) -> bool| shown.pixels().filter(|p| test(p.0[0])).count();
        // Two lines of 36 pixels.
        let boxed = count(&|v| v != 128);
        assert!((10_000..30_000).contains(&boxed), "{boxed}");
        assert!(count(&|v| v > 220) > 1000 && count(&|v| v < 60) > 5000);
        assert!(shown.rows().take(180).flatten().all(|p| p.0 == [128; 3]));
    }

    #[test]
    fn a_caption_larger_than_the_picture_is_cut() {
        let tiny = RgbImage::new(16, 8);
        assert_eq!(Caption::new(0.25).over(tiny).unwrap().dimensions(), (16, 8));
    }
}
