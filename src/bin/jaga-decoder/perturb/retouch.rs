//! What is done to each picture.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage, imageops};
use jaga::domain::perturbation::{Kind, Order, Perturbation, Strength};

use super::bars::Bars;
use super::caption::Caption;
use super::grain::Grain;
use super::screen::Screen;
use crate::fault::{Fault, Stop};

/// The shorter side that pixel counts are given for.
const REFERENCE_PX: f64 = 720.0;

/// One retouch, with what it keeps from picture to picture.
pub(super) enum Retouch {
    /// What is measured happens elsewhere: in the encoder, or to the times.
    Nothing,
    /// Share of each side that is cut off.
    Crop(f64),
    /// Standard deviation in pixels, for a shorter side of [`REFERENCE_PX`].
    Blur(f64),
    Grain(Box<Grain>),
    /// Quality.
    Jpeg(u8),
    Bars(Bars),
    Caption(Caption),
    Screen(Screen),
}

impl Retouch {
    pub(super) fn of(order: &Order) -> Self {
        let Some(Perturbation { kind, strength }) = order.perturbation else {
            return Self::Nothing;
        };
        match (kind, strength) {
            (Kind::Letterbox, strength) => Self::Bars(Bars::of(strength)),
            (Kind::Crop, Strength::Number(percent)) => Self::Crop(percent / 100.0),
            (Kind::Blur, Strength::Number(sigma)) => Self::Blur(sigma),
            (Kind::Noise, Strength::Number(sigma)) => {
                Self::Grain(Box::new(Grain::new(sigma, order.seed)))
            }
            (Kind::Jpeg, Strength::Number(quality)) => Self::Jpeg(whole(quality)),
            (Kind::Text, Strength::Number(percent)) => Self::Caption(Caption::new(percent / 100.0)),
            (Kind::Screen, Strength::Number(percent)) => Self::Screen(Screen::new(percent / 100.0)),
            (Kind::H264 | Kind::Downscale | Kind::Chain | Kind::Fps, _)
            | (_, Strength::Ratio(_)) => Self::Nothing,
        }
    }

    pub(super) fn apply(&mut self, picture: RgbImage) -> Result<RgbImage, Stop> {
        Ok(match self {
            Self::Nothing => picture,
            Self::Crop(share) => cropped(&picture, *share),
            Self::Blur(sigma) => blurred(&picture, *sigma),
            Self::Grain(grain) => grain.over(picture),
            Self::Jpeg(quality) => compressed(&picture, *quality)?,
            Self::Bars(bars) => bars.around(&picture),
            Self::Caption(caption) => caption.over(picture)?,
            Self::Screen(screen) => screen.showing(&picture)?,
        })
    }
}

/// A number of pixels from one that need not be whole; at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and NaN becomes 0"
)]
pub(super) fn pixels(number: f64) -> u32 {
    (number.round() as u32).max(1)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "1 to 100 by its range; the cast saturates"
)]
fn whole(number: f64) -> u8 {
    number as u8
}

fn cropped(picture: &RgbImage, share: f64) -> RgbImage {
    let kept = |side: u32| pixels(f64::from(side) * (1.0 - share)).clamp(2.min(side), side);
    let (width, height) = (kept(picture.width()), kept(picture.height()));
    let (left, top) = (
        (picture.width() - width) / 2,
        (picture.height() - height) / 2,
    );
    imageops::crop_imm(picture, left, top, width, height).to_image()
}

fn blurred(picture: &RgbImage, sigma: f64) -> RgbImage {
    let shorter = f64::from(picture.width().min(picture.height()));
    #[expect(clippy::cast_possible_truncation, reason = "a small number")]
    let sigma = (sigma * shorter / REFERENCE_PX).max(0.01) as f32;
    imageops::blur(picture, sigma)
}

fn compressed(picture: &RgbImage, quality: u8) -> Result<RgbImage, Stop> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .map_err(|error| Fault::internal(format!("a picture can't be a JPEG: {error}")))?;
    let again = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg)
        .map_err(|error| Fault::internal(format!("our own JPEG can't be read: {error}")))?;
    Ok(again.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Stripes of light and dark, 8 pixels wide.
    fn stripes(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| {
            Rgb(if x / 8 % 2 == 0 { [230; 3] } else { [20; 3] })
        })
    }

    fn contrast(picture: &RgbImage) -> f64 {
        let values = picture.pixels().map(|pixel| f64::from(pixel.0[0]));
        let mean = values.clone().sum::<f64>() / f64::from(picture.width() * picture.height());
        values.map(|v| (v - mean).abs()).sum::<f64>()
            / f64::from(picture.width() * picture.height())
    }

    #[test]
    fn a_crop_keeps_the_middle() {
        let mut picture = RgbImage::new(100, 50);
        picture.put_pixel(50, 25, Rgb([255; 3]));
        let cut = cropped(&picture, 0.2);
        assert_eq!(cut.dimensions(), (80, 40));
        assert_eq!(cut.get_pixel(40, 20).0, [255; 3]);
        assert_eq!(cropped(&RgbImage::new(2, 2), 0.8).dimensions(), (2, 2));
    }

    #[test]
    fn blur_takes_contrast_and_more_of_it_more() {
        let picture = stripes(720, 720);
        let of = |sigma| contrast(&blurred(&picture, sigma));
        let whole = contrast(&picture);
        assert!((of(1.0) / whole - 1.0).abs() < 0.15, "{}", of(1.0) / whole);
        assert!(of(4.0) < 0.7 * whole && of(8.0) < 0.3 * whole);
        // The same share of a smaller picture.
        let small = contrast(&blurred(&stripes(360, 360), 4.0));
        assert!(small > 1.2 * of(4.0), "half as many pixels: {small}");
    }

    #[test]
    fn a_worse_jpeg_is_further_away() {
        let picture = stripes(64, 64);
        let error = |quality| {
            let other = compressed(&picture, quality).unwrap();
            let apart = picture.iter().zip(other.iter());
            apart.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        assert!(error(90) < error(50) && error(50) < error(10));
    }
}
