//! Turning pictures upright.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use crate::fault::Fault;

/// The turn that a display matrix asks for, snapped to quarter turns and mirror images.
///
/// `matrix` is FFmpeg's: nine 16.16 (2.30 in the last column) numbers, row by row, that map a
/// pixel (x, y), y downwards, to x' = m0·x + m3·y, y' = m1·x + m4·y
/// (`libavutil/display.h`; ISO/IEC 14496-12, 6.2.2).
pub(crate) fn from_display_matrix(matrix: [i32; 9]) -> Orientation {
    let [a, b, _, c, d, ..] = matrix;
    let upright = i64::from(a).abs().max(i64::from(d).abs());
    let sideways = i64::from(b).abs().max(i64::from(c).abs());
    if upright >= sideways {
        match (a < 0, d < 0) {
            (false, false) => Orientation::NoTransforms,
            (true, true) => Orientation::Rotate180,
            (true, false) => Orientation::FlipHorizontal,
            (false, true) => Orientation::FlipVertical,
        }
    } else {
        match (b < 0, c < 0) {
            (false, true) => Orientation::Rotate90,
            (true, false) => Orientation::Rotate270,
            // x' = y, y' = x: mirrored along the diagonal, and along the other one.
            (false, false) => Orientation::Rotate90FlipH,
            (true, true) => Orientation::Rotate270FlipH,
        }
    }
}

/// The clockwise turn in an orientation; a mirror image comes after it.
pub(crate) fn degrees(orientation: Orientation) -> u32 {
    match orientation {
        Orientation::NoTransforms | Orientation::FlipHorizontal => 0,
        Orientation::Rotate90 | Orientation::Rotate90FlipH => 90,
        Orientation::Rotate180 | Orientation::FlipVertical => 180,
        Orientation::Rotate270 | Orientation::Rotate270FlipH => 270,
    }
}

/// The sides after the turn.
pub(crate) fn turned(orientation: Orientation, width: u32, height: u32) -> (u32, u32) {
    match degrees(orientation) {
        90 | 270 => (height, width),
        _ => (width, height),
    }
}

/// Sides and pixels of an RGB picture, turned upright.
pub(crate) fn upright(
    orientation: Orientation,
    width: u32,
    height: u32,
    rgb: Vec<u8>,
) -> Result<(u32, u32, Vec<u8>), Fault> {
    if orientation == Orientation::NoTransforms {
        return Ok((width, height, rgb));
    }
    let image = RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| Fault::internal("pixels that do not fill their picture"))?;
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    let (width, height) = image.dimensions();
    Ok((width, height, image.into_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    #[test]
    fn every_quarter_turn_and_mirror_image_is_told() {
        let matrix = |a, b, c, d| [a, b, 0, c, d, 0, 0, 0, 1 << 30];
        let cases = [
            (matrix(ONE, 0, 0, ONE), Orientation::NoTransforms),
            (matrix(0, ONE, -ONE, 0), Orientation::Rotate90),
            (matrix(-ONE, 0, 0, -ONE), Orientation::Rotate180),
            (matrix(0, -ONE, ONE, 0), Orientation::Rotate270),
            (matrix(-ONE, 0, 0, ONE), Orientation::FlipHorizontal),
            (matrix(ONE, 0, 0, -ONE), Orientation::FlipVertical),
            (matrix(0, ONE, ONE, 0), Orientation::Rotate90FlipH),
            (matrix(0, -ONE, -ONE, 0), Orientation::Rotate270FlipH),
        ];
        for (matrix, expected) in cases {
            assert_eq!(from_display_matrix(matrix), expected);
            // Of a picture of two pixels side by side, which one comes first in the result must
            // follow from where the matrix moves the second one: to the right or down, or not.
            let (_, _, rgb) = upright(expected, 2, 1, vec![1, 1, 1, 2, 2, 2]).unwrap();
            let [x, y, ..] = matrix;
            let first = if x + y > 0 { 1 } else { 2 };
            assert_eq!(rgb[0], first, "{expected:?}");
        }
    }

    #[test]
    fn an_empty_matrix_turns_nothing() {
        assert_eq!(from_display_matrix([0; 9]), Orientation::NoTransforms);
        assert_eq!(
            from_display_matrix([i32::MIN; 9]),
            Orientation::Rotate180,
            "extremes don't overflow"
        );
    }
}
