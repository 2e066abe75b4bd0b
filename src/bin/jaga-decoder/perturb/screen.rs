//! The video shown small within another picture, as a recording of a screen has it.

use image::{Rgb, RgbImage, imageops};

use super::codec;
use super::retouch::pixels;
use crate::fault::Stop;

const TOP: Rgb<u8> = Rgb([38, 50, 74]);
const BOTTOM: Rgb<u8> = Rgb([196, 202, 212]);
const BAR: Rgb<u8> = Rgb([24, 26, 30]);
const FRAME: Rgb<u8> = Rgb([236, 238, 242]);
/// Sides of bar and frame, as shares of the shorter side.
const BAR_SHARE: f64 = 0.05;
const FRAME_SHARE: f64 = 0.008;

/// A screen for pictures of one size.
pub(super) struct Screen {
    /// Sides of the video as a share of the screen's.
    share: f64,
    empty: Option<RgbImage>,
}

impl Screen {
    pub(super) fn new(share: f64) -> Self {
        Self { share, empty: None }
    }

    /// A picture of the same size: the screen with `picture` scaled down in its middle.
    pub(super) fn showing(&mut self, picture: &RgbImage) -> Result<RgbImage, Stop> {
        let (width, height) = picture.dimensions();
        let side = |side: u32| pixels(f64::from(side) * self.share).clamp(2.min(side), side);
        let small = codec::resized(picture, side(width), side(height))?;
        let empty = match self.empty.take() {
            Some(empty) if empty.dimensions() == (width, height) => empty,
            _ => self.desk(width, height),
        };
        let mut screen = empty.clone();
        self.empty = Some(empty);
        let left = i64::from(width - small.width()) / 2;
        let top = i64::from(height - small.height()) / 2;
        imageops::replace(&mut screen, &small, left, top);
        Ok(screen)
    }

    /// A gradient with a bar at its foot and a light frame where the video will be.
    fn desk(&self, width: u32, height: u32) -> RgbImage {
        let shorter = f64::from(width.min(height));
        let mut desk = RgbImage::new(width, height);
        imageops::vertical_gradient(&mut desk, &TOP, &BOTTOM);
        let bar = pixels(shorter * BAR_SHARE).min(height);
        fill(&mut desk, (0, height - bar), (width, height), BAR);
        let edge = f64::from(pixels(shorter * FRAME_SHARE));
        let near = |side: u32| {
            let side = f64::from(side);
            let gap = (side * (1.0 - self.share) / 2.0 - edge).max(0.0);
            (pixels(gap), pixels(side - gap))
        };
        let ((left, right), (top, bottom)) = (near(width), near(height));
        fill(&mut desk, (left, top), (right, bottom), FRAME);
        desk
    }
}

fn fill(picture: &mut RgbImage, from: (u32, u32), to: (u32, u32), colour: Rgb<u8>) {
    for y in from.1..to.1.min(picture.height()) {
        for x in from.0..to.0.min(picture.width()) {
            picture.put_pixel(x, y, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_video_is_small_and_in_the_middle() {
        let red = RgbImage::from_pixel(320, 200, Rgb([200, 0, 0]));
        let mut screen = Screen::new(0.5);
        let shown = screen.showing(&red).unwrap();
        assert_eq!(shown.dimensions(), (320, 200));
        let red_ones = shown.pixels().filter(|p| p.0 == [200, 0, 0]).count();
        assert_eq!(red_ones, 160 * 100);
        assert_eq!(shown.get_pixel(160, 100).0, [200, 0, 0]);
        assert_ne!(shown.get_pixel(5, 5).0, shown.get_pixel(5, 150).0);
        assert_eq!(screen.showing(&red).unwrap(), shown);
    }
}
