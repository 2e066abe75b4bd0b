//! How a picture becomes a finder's input, and places in the input places in the picture. Pure.

use std::num::NonZeroU32;

use crate::domain::face::{Face, Point, Rect};

/// A picture stretched to the sides that a finder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Width and height of the picture.
    picture: [u32; 2],
    /// Width and height of the input.
    input: [u32; 2],
}

impl Fit {
    /// For a picture of `picture` (width, height): scaled down so that its longer side is at most
    /// `max_side` (never up), then each side stretched up to the next multiple of `multiple`. That
    /// is what `CenterFace`'s own code does with the size it is told; `docs/faces.md` has how bars
    /// instead compare.
    pub fn new(picture: [u32; 2], max_side: NonZeroU32, multiple: NonZeroU32) -> Self {
        let longest = f64::from(picture[0].max(picture[1]).max(1));
        let ratio = (f64::from(max_side.get()) / longest).min(1.0);
        let side = |side: u32| {
            rounded(f64::from(side) * ratio)
                .div_ceil(multiple.get())
                .saturating_mul(multiple.get())
        };
        Self {
            picture,
            input: picture.map(side),
        }
    }

    /// Width and height of the input, each at least 1.
    pub fn input(&self) -> [u32; 2] {
        self.input
    }

    /// `face`, given in pixels of the input, in those of the picture; its box is cut to it.
    pub fn place(&self, face: Face) -> Face {
        let [sx, sy] = [0, 1].map(|axis: usize| {
            let side = |sides: [u32; 2]| f64::from(sides.get(axis).copied().unwrap_or(1).max(1));
            side(self.picture) / side(self.input)
        });
        let Rect {
            x,
            y,
            width,
            height,
        } = face.rect;
        let rect = Rect {
            x: x * sx,
            y: y * sy,
            width: width * sx,
            height: height * sy,
        };
        let point = |p: Point| Point {
            x: p.x * sx,
            y: p.y * sy,
        };
        Face {
            rect: cut(rect, self.picture),
            landmarks: face.landmarks.map(|points| points.map(point)),
            confidence: face.confidence,
        }
    }
}

/// The part of `rect` that lies in a picture of `sides` (width, height).
pub fn cut(rect: Rect, sides: [u32; 2]) -> Rect {
    let [width, height] = sides.map(f64::from);
    let (left, top) = (rect.x.clamp(0.0, width), rect.y.clamp(0.0, height));
    Rect {
        x: left,
        y: top,
        width: (rect.x + rect.width).clamp(left, width) - left,
        height: (rect.y + rect.height).clamp(top, height) - top,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a side of a picture times a ratio of at most 1"
)]
fn rounded(value: f64) -> u32 {
    (value.round() as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(picture: [u32; 2]) -> Fit {
        let n = |n| NonZeroU32::new(n).unwrap();
        Fit::new(picture, n(640), n(32))
    }

    #[test]
    fn the_longer_side_is_bounded_and_nothing_is_scaled_up() {
        for (picture, input) in [
            ([1920, 1080], [640, 384]), // 640×360
            ([1080, 1920], [384, 640]),
            ([640, 360], [640, 384]),
            ([256, 256], [256, 256]),
            ([257, 31], [288, 32]),
            ([1, 1], [32, 32]),
            ([8192, 512], [640, 64]), // 640×40
            ([8192, 1], [640, 32]),
        ] {
            assert_eq!(fit(picture).input(), input, "{picture:?}");
        }
    }

    #[test]
    fn the_way_back_is_to_the_pictures_pixels() {
        let fit = fit([1280, 720]);
        assert_eq!(fit.input(), [640, 384]);
        let at = |x, y| Point { x, y };
        let face = fit.place(Face {
            rect: Rect {
                x: 10.0,
                y: 192.0,
                width: 20.0,
                height: 400.0,
            },
            landmarks: Some([
                at(0.0, 0.0),
                at(640.0, 384.0),
                at(-1.0, 8.0),
                at(1.0, 1.0),
                at(2.0, 2.0),
            ]),
            confidence: 0.5,
        });
        let want = Rect {
            x: 20.0,
            y: 360.0,
            width: 40.0,
            height: 360.0,
        };
        assert!(face.rect.iou(want) > 1.0 - 1e-12, "{face:?}");
        let [first, second, third, ..] = face.landmarks.unwrap();
        assert_eq!([first, second], [at(0.0, 0.0), at(1280.0, 720.0)]);
        assert_eq!(third, at(-2.0, 15.0));
    }

    #[test]
    fn a_box_beyond_the_picture_becomes_empty() {
        let rect = Rect {
            x: 50.0,
            y: -9.0,
            width: 5.0,
            height: 4.0,
        };
        let cut = cut(rect, [40, 40]);
        assert!(
            cut.area() <= 0.0 && cut.width >= 0.0 && cut.height >= 0.0,
            "{cut:?}"
        );
    }
}
