//! A picture seen through a similarity transform. Pure.

use crate::domain::face::{Point, Rect};
use crate::domain::frame::{Picture, WrongPictureSize};

use super::super::bundle::manifest::Filter;
use super::super::preprocess;
use super::align::Similarity;
use super::fit::cut;

/// Bilinear sampling reads four pixels: with fewer than one read for every second one there is,
/// fine patterns turn into coarse ones that aren't there.
const LARGEST_STEP: f64 = 2.0;

/// The picture of `size` (width, height) whose places `to_source` takes to places in `source`.
///
/// Bilinear between the pixels' centres, black outside. Where one pixel stands for more than
/// [`LARGEST_STEP`] of the source's, the part that is seen is first scaled down by the resampler
/// that models' inputs are made with.
pub(super) fn warp(
    source: &Picture,
    to_source: Similarity,
    size: [u32; 2],
) -> Result<Picture, WrongPictureSize> {
    let view = View::new(source, to_source, size)?;
    let [width, height] = size;
    let mut rgb = Vec::with_capacity(Picture::byte_len(width, height).unwrap_or_default());
    for y in 0..height {
        for x in 0..width {
            let at = to_source.apply(Point {
                x: f64::from(x) + 0.5,
                y: f64::from(y) + 0.5,
            });
            rgb.extend(view.sample(at));
        }
    }
    Picture::new(width, height, rgb)
}

/// The source, or the part of it that is seen, scaled down.
struct View<'a> {
    pixels: &'a [[u8; 3]],
    scaled: Vec<[u8; 3]>,
    /// Columns and rows of the pixels.
    sides: [usize; 2],
    /// Where they begin in the source.
    begin: Point,
    /// Pixels of the source a pixel, across and down.
    step: [f64; 2],
}

impl<'a> View<'a> {
    fn new(
        source: &'a Picture,
        to_source: Similarity,
        size: [u32; 2],
    ) -> Result<Self, WrongPictureSize> {
        let (pixels, _) = source.rgb().as_chunks::<3>();
        let whole = Self {
            pixels,
            scaled: Vec::new(),
            sides: [source.width() as usize, source.height() as usize],
            begin: Point { x: 0.0, y: 0.0 },
            step: [1.0; 2],
        };
        let step = to_source.scale();
        if step <= LARGEST_STEP {
            return Ok(whole);
        }
        let Some([left, top, right, bottom]) = seen(source, to_source, size) else {
            return Ok(whole);
        };
        let part = part(source, [left, top, right, bottom])?;
        let small = [part.width(), part.height()].map(|side| shrunk(side, step));
        let rgb = preprocess::resize(&part, small, Filter::Bilinear);
        let (scaled, _) = rgb.as_chunks::<3>();
        Ok(Self {
            pixels: &[],
            scaled: scaled.to_vec(),
            sides: small.map(|side| side as usize),
            begin: Point {
                x: f64::from(left),
                y: f64::from(top),
            },
            step: [
                f64::from(part.width()) / f64::from(small[0]),
                f64::from(part.height()) / f64::from(small[1]),
            ],
        })
    }

    /// The colour at a place in the source.
    fn sample(&self, at: Point) -> [u8; 3] {
        // From corners to centres: the first pixel's value is that of its middle.
        let x = (at.x - self.begin.x) / self.step[0] - 0.5;
        let y = (at.y - self.begin.y) / self.step[1] - 0.5;
        let (right, down) = (x - x.floor(), y - y.floor());
        let mut sums = [0.0; 3];
        for (column, part) in [(x.floor(), 1.0 - right), (x.floor() + 1.0, right)] {
            for (row, share) in [(y.floor(), 1.0 - down), (y.floor() + 1.0, down)] {
                let pixel = self.pixel(column, row);
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += f64::from(value) * part * share;
                }
            }
        }
        sums.map(to_byte)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "negative and too large ones are sorted out first"
    )]
    fn pixel(&self, column: f64, row: f64) -> [u8; 3] {
        let [columns, rows] = self.sides;
        let inside = |at: f64, side: usize| at >= 0.0 && at < side as f64;
        if !inside(column, columns) || !inside(row, rows) {
            return [0; 3];
        }
        let index = row as usize * columns + column as usize;
        let pixels = if self.scaled.is_empty() {
            self.pixels
        } else {
            &self.scaled
        };
        pixels.get(index).copied().unwrap_or_default()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a weighted mean of bytes"
)]
fn to_byte(value: f64) -> u8 {
    (value + 0.5) as u8
}

/// The part of the source that is seen, with what the kernels reach beyond it: left, top, right
/// and bottom in whole pixels. `None` when nothing is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut to the picture's sides first"
)]
fn seen(source: &Picture, to_source: Similarity, size: [u32; 2]) -> Option<[u32; 4]> {
    let [width, height] = size.map(f64::from);
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        .map(|(x, y)| to_source.apply(Point { x, y }));
    let least = |of: fn(&Point) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Point) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let reach = to_source.scale() * 2.0 + 2.0;
    let (x, y) = (least(|p| p.x) - reach, least(|p| p.y) - reach);
    let rect = Rect {
        x,
        y,
        width: most(|p| p.x) + reach - x,
        height: most(|p| p.y) + reach - y,
    };
    let rect = cut(rect, [source.width(), source.height()]);
    let edges = [
        rect.x.floor(),
        rect.y.floor(),
        (rect.x + rect.width).ceil(),
        (rect.y + rect.height).ceil(),
    ];
    let [left, top, right, bottom] = edges.map(|edge| edge as u32);
    (left < right && top < bottom).then_some([left, top, right, bottom])
}

/// The pixels between four edges that lie in the picture.
fn part(
    source: &Picture,
    [left, top, right, bottom]: [u32; 4],
) -> Result<Picture, WrongPictureSize> {
    let row_bytes = source.width() as usize * 3;
    let columns = left as usize * 3..right as usize * 3;
    let rows = source.rgb().chunks_exact(row_bytes);
    let rgb = rows
        .take(bottom as usize)
        .skip(top as usize)
        .filter_map(|row| row.get(columns.clone()))
        .flatten()
        .copied()
        .collect();
    Picture::new(right - left, bottom - top, rgb)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a side divided by more than one"
)]
fn shrunk(side: u32, step: f64) -> u32 {
    ((f64::from(side) / step).round() as u32).max(1)
}

#[cfg(test)]
mod tests;
