//! Which part of a picture becomes which part of the input. Pure.

use super::super::bundle::manifest::{ResizeMode, Rounding};
use super::super::bundle::task::Input;

/// Part of a picture in its own pixels, and the pixels that it becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// Source pixels.
    pub(super) source: u32,
    /// Resized pixels, cut ones included.
    pub(super) resized: u32,
    /// Source pixels a resized pixel.
    pub(super) step: f64,
    /// Resized pixels that are cut off before the first one.
    pub(super) skipped: u32,
    /// Pixels that come out.
    pub(super) out: u32,
    /// Where they are put in the input.
    pub(super) offset: u32,
}

/// How one picture is placed in the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placement {
    pub(super) x: Span,
    pub(super) y: Span,
}

/// Width and height of the input.
pub(super) fn output_size(input: &Input) -> [u32; 2] {
    input
        .crop
        .map_or(input.resize.size, |crop| crop.size)
        .sides()
}

/// Sides in the proportion of `sides`, of which the longer one has at most `longest` pixels; at
/// least one pixel each.
pub(super) fn within(sides: [u32; 2], longest: u32) -> [u32; 2] {
    let long = sides[0].max(sides[1]);
    if long <= longest {
        return sides;
    }
    sides.map(|side| scaled(side, longest, long, Rounding::HalfEven))
}

impl Placement {
    /// For a picture of `source` (width, height).
    pub(super) fn new(input: &Input, source: [u32; 2]) -> Self {
        let [target_width, target_height] = input.resize.size.sides();
        let [width, height] = source.map(f64::from);
        let rounding = input.resize.rounding;
        let [x, y] = match input.resize.mode {
            ResizeMode::Stretch => [target_width, target_height],
            ResizeMode::ShortestSide => {
                let short = source[0].min(source[1]);
                source.map(|side| scaled(side, target_width, short, rounding))
            }
            ResizeMode::Letterbox => {
                // The side that fills its target exactly is the one with the smaller ratio.
                let ratios = [
                    f64::from(target_width) / width,
                    f64::from(target_height) / height,
                ];
                let (target, filling) = if ratios[0] <= ratios[1] {
                    (target_width, source[0])
                } else {
                    (target_height, source[1])
                };
                [
                    scaled(source[0], target, filling, rounding).min(target_width),
                    scaled(source[1], target, filling, rounding).min(target_height),
                ]
            }
        };
        let [out_width, out_height] = output_size(input);
        let boxed = input.resize.mode == ResizeMode::Letterbox;
        let frame = if boxed {
            [target_width, target_height]
        } else {
            [x, y]
        };
        let crop = input.crop.map_or(Rounding::Down, |crop| crop.rounding);
        Self {
            x: Span::new(
                source[0],
                x,
                frame[0],
                cut(frame[0], out_width, crop),
                out_width,
            ),
            y: Span::new(
                source[1],
                y,
                frame[1],
                cut(frame[1], out_height, crop),
                out_height,
            ),
        }
    }

    /// The whole picture of `source` (width, height), made `target`.
    pub(super) fn stretched(source: [u32; 2], target: [u32; 2]) -> Self {
        let [x, y] = target;
        Self {
            x: Span::new(source[0], x, x, 0, x),
            y: Span::new(source[1], y, y, 0, y),
        }
    }

    /// Whether Pillow resamples columns before rows: since version 13, when the height shrinks by
    /// more than twice the pixels that the width does.
    pub(super) fn columns_first(&self) -> bool {
        let shrinks = |span: Span| i64::from(span.source) - i64::from(span.resized);
        shrinks(self.y) > 0 && shrinks(self.y) > shrinks(self.x) * 2
    }

    /// Whether bars are left to fill.
    fn fills(&self, size: [u32; 2]) -> bool {
        [self.x.out, self.y.out] == size
    }

    /// `inner` (the resampled pixels) in a picture of `size` filled with `pad`.
    pub(super) fn framed(&self, inner: Vec<u8>, size: [u32; 2], pad: u8) -> Vec<u8> {
        if self.fills(size) {
            return inner;
        }
        let [width, height] = size.map(|side| side as usize);
        let mut framed = vec![pad; width * height * 3];
        let (inner_row, row) = (self.x.out as usize * 3, width * 3);
        let left = self.x.offset as usize * 3;
        let rows = framed.chunks_exact_mut(row).skip(self.y.offset as usize);
        for (to, from) in rows.zip(inner.chunks_exact(inner_row)) {
            if let Some(place) = to.get_mut(left..left + inner_row) {
                place.copy_from_slice(from);
            }
        }
        framed
    }
}

impl Span {
    /// `source` pixels become `resized`, centred in `frame`, of which `out` are taken from `cut` on.
    fn new(source: u32, resized: u32, frame: u32, cut: u32, out: u32) -> Self {
        let (resized, frame) = (resized.max(1), frame.max(1));
        let bar = frame.saturating_sub(resized) / 2;
        // In the coordinates of the frame: bar..bar + resized is picture, cut..cut + out is kept.
        let begin = cut.max(bar);
        let end = cut
            .saturating_add(out)
            .min(bar.saturating_add(resized))
            .max(begin + 1);
        let step = f64::from(source) / f64::from(resized);
        Self {
            source,
            resized,
            step,
            skipped: begin - bar,
            out: end - begin,
            offset: begin - cut,
        }
    }
}

/// `side · target / whole` in whole pixels, at least 1; in float64 and in the order that Python code
/// of the two kinds has it: `int(round(side * (target / whole)))` and `int(target * side / whole)`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a side times a ratio is positive and, for pictures within the limits, fits"
)]
fn scaled(side: u32, target: u32, whole: u32, rounding: Rounding) -> u32 {
    let [side, target, whole] = [side, target, whole].map(f64::from);
    let value = match rounding {
        Rounding::HalfEven => (side * (target / whole)).round_ties_even(),
        Rounding::Down => target * side / whole,
    };
    (value as u32).max(1)
}

/// What is cut off before the middle `out` of `frame`: half the remainder.
fn cut(frame: u32, out: u32, rounding: Rounding) -> u32 {
    let remainder = frame.saturating_sub(out);
    let half = remainder / 2;
    match rounding {
        Rounding::HalfEven if remainder % 2 == 1 && half % 2 == 1 => half + 1,
        Rounding::HalfEven | Rounding::Down => half,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::bundle::manifest::{
        Color, Crop, CropMode, Dtype, Filter, Layout, Size,
    };
    use super::super::super::bundle::task::{Encoding, Resize};
    use super::*;

    fn input(resize: Resize, crop: Option<u32>) -> Input {
        Input {
            encoding: Encoding {
                name: "x".to_owned(),
                layout: Layout::Nchw,
                dtype: Dtype::Uint8,
                color: Color::Rgb,
                scale: 1.0,
                mean: [0.0; 3],
                std: [1.0; 3],
            },
            resize,
            crop: crop.map(|side| Crop {
                rounding: Rounding::Down,
                mode: CropMode::Center,
                size: Size::One(side),
            }),
        }
    }

    fn shortest(size: u32) -> Input {
        let resize = Resize {
            rounding: Rounding::HalfEven,
            mode: ResizeMode::ShortestSide,
            size: Size::One(size),
            filter: Filter::Bicubic,
            pad: 0,
        };
        input(resize, Some(size))
    }

    #[test]
    fn sides_are_rounded_as_asked() {
        // 10 pixels of which 4 become 1, 2, …: 2.5, 5, 7.5 and so on.
        let sides = |rounding| [1, 2, 3, 4, 5].map(|target| scaled(10, target, 4, rounding));
        assert_eq!(sides(Rounding::HalfEven), [2, 5, 8, 10, 12]);
        assert_eq!(sides(Rounding::Down), [2, 5, 7, 10, 12]);
        assert_eq!(scaled(1, 1, 9, Rounding::Down), 1, "never nothing");
        // 640x480 to 224: 298.67.
        let side = |rounding| scaled(640, 224, 480, rounding);
        assert_eq!([side(Rounding::HalfEven), side(Rounding::Down)], [299, 298]);
    }

    #[test]
    fn half_of_an_odd_remainder_is_rounded_as_asked() {
        let cuts = |rounding| [0, 1, 2, 3, 4, 5, 7].map(|more| cut(224 + more, 224, rounding));
        assert_eq!(cuts(Rounding::Down), [0, 0, 1, 1, 2, 2, 3]);
        // Python's round() of 0.5, 1.5, 2.5 and 3.5.
        assert_eq!(cuts(Rounding::HalfEven), [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn shortest_side_takes_the_middle() {
        // 1920·224/1080 = 398.2 → 398; (398 − 224) // 2 = 87.
        let p = Placement::new(&shortest(224), [1920, 1080]);
        assert!((p.x.step - 1920.0 / 398.0).abs() < 1e-12);
        assert_eq!((p.x.skipped, p.y.skipped), (87, 0));
        assert_eq!((p.x.out, p.y.out, p.x.offset, p.y.offset), (224, 224, 0, 0));
    }

    #[test]
    fn very_tall_pictures_go_columns_first() {
        let first = |size| Placement::new(&shortest(224), size).columns_first();
        assert_eq!(
            [[1080, 1920], [1080, 2400], [2400, 1080], [100, 300]].map(first),
            [false, true, false, false]
        );
    }

    #[test]
    fn sides_are_kept_in_proportion() {
        let size = |width, height| within([width, height], 1280);
        assert_eq!(size(1920, 1080), [1280, 720]);
        assert_eq!(size(1080, 1920), [720, 1280]);
        assert_eq!(size(1280, 2), [1280, 2]);
        assert_eq!(size(8192, 1), [1280, 1]);
    }

    #[test]
    fn letterbox_leaves_bars() {
        let resize = Resize {
            rounding: Rounding::HalfEven,
            mode: ResizeMode::Letterbox,
            size: Size::Two([10, 10]),
            filter: Filter::Box,
            pad: 7,
        };
        let i = input(resize, None);
        let p = Placement::new(&i, [20, 10]);
        assert_eq!((p.x.out, p.y.out, p.x.offset, p.y.offset), (10, 5, 0, 2));
        let framed = p.framed(vec![1; 10 * 5 * 3], [10, 10], 7);
        assert_eq!(framed.len(), 300);
        let outside = framed
            .iter()
            .enumerate()
            .filter(|(i, _)| !(60..210).contains(i));
        assert!(outside.map(|(_, v)| *v).all(|v| v == 7));
        assert!(framed[60..210].iter().all(|v| *v == 1));
    }

    #[test]
    fn the_source_span_stays_in_the_picture() {
        for width in [1_u32, 2, 3, 17, 223, 224, 225, 1279, 8192] {
            for height in [1_u32, 5, 224, 719, 8192] {
                let p = Placement::new(&shortest(224), [width, height]);
                for (span, side) in [(p.x, width), (p.y, height)] {
                    let end = f64::from(span.skipped + span.out) * span.step;
                    assert!(end <= f64::from(side) * (1.0 + 1e-12));
                    assert_eq!(span.out, 224);
                }
            }
        }
    }
}
