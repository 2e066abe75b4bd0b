//! Black bars: by their share of the height, or up to a ratio of sides.

use image::{Rgb, RgbImage, imageops};
use jaga::domain::perturbation::{Ratio, Strength};

use super::retouch::pixels;

/// How far the bars go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bars {
    /// Share of the new picture's height, above and below together.
    Share(f64),
    /// The new picture's sides.
    Ratio(Ratio),
}

impl Bars {
    pub(super) fn of(strength: Strength) -> Self {
        match strength {
            Strength::Number(percent) => Self::Share(percent / 100.0),
            Strength::Ratio(ratio) => Self::Ratio(ratio),
        }
    }

    /// The picture, whole, in the middle of a larger black one. A picture that has the ratio already
    /// stays as it is.
    pub(super) fn around(self, picture: &RgbImage) -> RgbImage {
        let (width, height) = self.canvas(picture.width(), picture.height());
        let mut canvas = RgbImage::from_pixel(width, height, Rgb([0; 3]));
        let left = i64::from(width - picture.width()) / 2;
        let top = i64::from(height - picture.height()) / 2;
        imageops::replace(&mut canvas, picture, left, top);
        canvas
    }

    fn canvas(self, width: u32, height: u32) -> (u32, u32) {
        let (wide, high) = (f64::from(width), f64::from(height));
        match self {
            Self::Share(share) => (width, pixels(high / (1.0 - share)).max(height)),
            Self::Ratio(ratio) => {
                let (across, down) = ratio.parts();
                let ratio = f64::from(across) / f64::from(down);
                (
                    pixels(high * ratio).max(width),
                    pixels(wide / ratio).max(height),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(text: &str) -> (u32, u32) {
        Bars::of(text.parse().unwrap()).canvas(1280, 720)
    }

    #[test]
    fn bars_have_the_share_or_fill_up_the_ratio() {
        assert_eq!(canvas("25"), (1280, 960));
        assert_eq!(canvas("1:1"), (1280, 1280));
        assert_eq!(canvas("9:16"), (1280, 2276));
        assert_eq!(canvas("16:9"), (1280, 720));
        assert_eq!(canvas("2:1"), (1440, 720));
    }

    #[test]
    fn the_picture_is_whole_in_the_middle() {
        let white = RgbImage::from_pixel(40, 30, Rgb([255; 3]));
        let shown = Bars::Share(0.25).around(&white);
        assert_eq!(shown.dimensions(), (40, 40));
        let row = |y| shown.get_pixel(20, y).0[0];
        assert_eq!(
            [row(0), row(4), row(5), row(34), row(35)],
            [0, 0, 255, 255, 0]
        );
    }
}
