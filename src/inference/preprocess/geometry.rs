//! Which part of a picture becomes which part of the input. Pure.

use super::super::bundle::manifest::ResizeMode;
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

impl Placement {
    /// For a picture of `source` (width, height).
    pub(super) fn new(input: &Input, source: [u32; 2]) -> Self {
        let [target_width, target_height] = input.resize.size.sides();
        let [width, height] = source.map(f64::from);
        let ratios = [
            f64::from(target_width) / width,
            f64::from(target_height) / height,
        ];
        let [x, y] = match input.resize.mode {
            ResizeMode::Stretch => [target_width, target_height],
            // `size / min(w, h)` and `int(round(side · ratio))`, in float64, as Python has it.
            ResizeMode::ShortestSide => {
                let ratio = f64::from(target_width) / width.min(height);
                [rounded(width * ratio), rounded(height * ratio)]
            }
            ResizeMode::Letterbox => {
                let ratio = ratios[0].min(ratios[1]);
                [
                    rounded(width * ratio).min(target_width),
                    rounded(height * ratio).min(target_height),
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
        Self {
            x: Span::new(source[0], x, frame[0], out_width),
            y: Span::new(source[1], y, frame[1], out_height),
        }
    }

    /// The whole picture of `source` (width, height), made `target`.
    pub(super) fn stretched(source: [u32; 2], target: [u32; 2]) -> Self {
        let [x, y] = target;
        Self {
            x: Span::new(source[0], x, x, x),
            y: Span::new(source[1], y, y, y),
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
    /// `source` pixels become `resized`, centred in `frame`, of which the middle `out` are taken.
    /// Odd remainders go to the end, as with `(frame - out) // 2`.
    fn new(source: u32, resized: u32, frame: u32, out: u32) -> Self {
        let (resized, frame) = (resized.max(1), frame.max(1));
        let bar = frame.saturating_sub(resized) / 2;
        let cut = frame.saturating_sub(out) / 2;
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

/// Python's `int(round(value))`, at least 1: halves go to the even neighbour.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a side times a ratio is positive and, for pictures within the limits, fits"
)]
fn rounded(value: f64) -> u32 {
    (value.round_ties_even() as u32).max(1)
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
                mode: CropMode::Center,
                size: Size::One(side),
            }),
        }
    }

    fn shortest(size: u32) -> Input {
        let resize = Resize {
            mode: ResizeMode::ShortestSide,
            size: Size::One(size),
            filter: Filter::Bicubic,
            pad: 0,
        };
        input(resize, Some(size))
    }

    #[test]
    fn halves_are_rounded_to_even() {
        assert_eq!([0.4, 2.5, 3.5, 4.5, 398.2].map(rounded), [1, 2, 4, 4, 398]);
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
    fn letterbox_leaves_bars() {
        let resize = Resize {
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
