//! Pillow's `Image.resize` for 8-bit RGB, to the bit.
//!
//! Two passes in fixed point with 8 bits in between, as Pillow's `Resample.c` does it (method and constants from there; `tests/it/inference` compares the results). Exact, not
//! near: a model with quantised activations turns one pixel's rounding into a tenth of a
//! probability.

mod kernel;

use std::ops::Range;

use crate::domain::frame::Picture;

use super::super::bundle::manifest::Filter;
use super::geometry::{Placement, Span};
use kernel::{Kernel, Taps};

/// Fraction bits of a weight: 32 less 8 for the pixel and 2 for overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Scratch memory of one thread, reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Resampler {
    /// The picture after the first pass, RGB.
    between: Vec<u8>,
}

/// Largest scratch buffer that is kept for the next picture, in bytes.
const KEEP_BYTES: usize = 16 << 20;

impl Resampler {
    /// The pixels of `picture` that `placement` asks for, RGB row by row. Only these are computed,
    /// which bounds the memory for a picture of any aspect ratio.
    pub(super) fn resample(
        &mut self,
        picture: &Picture,
        placement: &Placement,
        filter: Filter,
    ) -> Vec<u8> {
        let Some(kernel) = Kernel::of(filter) else {
            return nearest(picture, placement);
        };
        let columns = kernel.taps(placement.x);
        let rows = kernel.taps(placement.y);
        let stride = picture.width() as usize * 3;
        self.between.clear();
        let done = if placement.columns_first() {
            let (reached, columns) = shifted(columns);
            let window = reached.start * 3..reached.end * 3;
            let width = window.len();
            weigh_rows(picture.rgb(), stride, window, &rows, &mut self.between);
            let mut done = Vec::new();
            weigh_pixels(self.between.chunks_exact(width), &columns, &mut done);
            done
        } else {
            let (reached, rows) = shifted(rows);
            let used = picture
                .rgb()
                .chunks_exact(stride)
                .take(reached.end)
                .skip(reached.start);
            weigh_pixels(used, &columns, &mut self.between);
            let width = columns.len() * 3;
            let mut done = Vec::with_capacity(width * rows.len());
            weigh_rows(&self.between, width, 0..width, &rows, &mut done);
            done
        };
        if self.between.capacity() > KEEP_BYTES {
            self.between = Vec::new();
        }
        done
    }
}

/// What all taps reach, and the taps counted from its start.
fn shifted(mut taps: Vec<Taps>) -> (Range<usize>, Vec<Taps>) {
    let start = taps.iter().map(|t| t.start).min().unwrap_or_default();
    let end = taps.iter().map(Taps::end).max().unwrap_or_default();
    for tap in &mut taps {
        tap.start -= start;
    }
    (start..end, taps)
}

/// Appends the rows with each pixel the weighted sum of its taps.
fn weigh_pixels<'a>(rows: impl Iterator<Item = &'a [u8]>, columns: &[Taps], done: &mut Vec<u8>) {
    for row in rows {
        let (pixels, _) = row.as_chunks::<3>();
        for taps in columns {
            let reached = pixels.get(taps.start..taps.end()).unwrap_or_default();
            let mut sums = [HALF; 3];
            for (pixel, weight) in reached.iter().zip(&taps.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum = sum.wrapping_add(i32::from(*value).wrapping_mul(*weight));
                }
            }
            done.extend(sums.map(to_byte));
        }
    }
}

/// Appends each row the weighted sum of its taps, of the bytes in `window` of rows of `stride`.
fn weigh_rows(rows: &[u8], stride: usize, window: Range<usize>, taps: &[Taps], done: &mut Vec<u8>) {
    let mut sums = vec![HALF; window.len()];
    for taps in taps {
        sums.fill(HALF);
        let reached = rows.chunks_exact(stride).skip(taps.start);
        for (row, weight) in reached.zip(&taps.weights) {
            let row = row.get(window.clone()).unwrap_or_default();
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i32::from(*value).wrapping_mul(*weight));
            }
        }
        done.extend(sums.iter().copied().map(to_byte));
    }
}

/// One half in fixed point, so that the shift rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

#[expect(clippy::cast_sign_loss, reason = "clamped to the range of a byte")]
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The source pixel at each output pixel's centre.
fn nearest(picture: &Picture, placement: &Placement) -> Vec<u8> {
    let columns = centres(placement.x);
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    let rows: Vec<&[[u8; 3]]> = pixels.chunks_exact(picture.width() as usize).collect();
    let mut rgb = Vec::with_capacity(columns.len() * placement.y.out as usize * 3);
    for y in centres(placement.y) {
        let row = rows.get(y).copied().unwrap_or_default();
        rgb.extend(columns.iter().filter_map(|x| row.get(*x)).flatten());
    }
    rgb
}

/// Positions in the source. Summed up step by step as Pillow does: where a centre falls between
/// two pixels, the rounding of the sum decides which it is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position in the picture is not negative and below its side"
)]
fn centres(span: Span) -> Vec<usize> {
    let last = span.source.saturating_sub(1) as usize;
    let mut at = span.step * 0.5;
    let mut positions = Vec::with_capacity(span.out as usize);
    for index in 0..span.skipped + span.out {
        if index >= span.skipped {
            positions.push((at as usize).min(last));
        }
        at += span.step;
    }
    positions
}
