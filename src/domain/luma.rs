//! The grey version of a picture, which the cheap measures look at.

use super::frame::Picture;

/// Rec. 601 luma (0.299 R + 0.587 G + 0.114 B), rounded, row by row, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    width: usize,
    values: Vec<u8>,
}

impl Luma {
    /// Of every pixel of `picture`.
    pub fn of(picture: &Picture) -> Self {
        let (pixels, _) = picture.rgb().as_chunks::<3>();
        Self {
            width: picture.width() as usize,
            values: pixels.iter().map(|pixel| luma(*pixel)).collect(),
        }
    }

    /// A copy whose longer side is at most `long_side`, by averaging whole boxes of pixels; what
    /// doesn't fill a box at the right and lower border is left out. Never empty.
    #[must_use]
    pub fn shrunk(&self, long_side: usize) -> Self {
        let factor = self.width.max(self.height()).div_ceil(long_side.max(1));
        self.boxed(factor.min(self.width), factor.min(self.height()))
    }

    /// Averages of boxes of `columns` × `rows` pixels, neither 0 nor more than there are.
    fn boxed(&self, columns: usize, rows: usize) -> Self {
        if columns <= 1 && rows <= 1 {
            return self.clone();
        }
        let width = self.width.checked_div(columns).unwrap_or(1);
        let count = columns.saturating_mul(rows) as f32;
        let band = self.width.saturating_mul(rows);
        let mut values = Vec::new();
        let mut sums = vec![0u32; width];
        for band in self.values.chunks_exact(band.max(1)) {
            sums.fill(0);
            for row in band.chunks_exact(self.width) {
                for (sum, pixels) in sums.iter_mut().zip(row.chunks_exact(columns)) {
                    let pixels: u32 = pixels.iter().map(|v| u32::from(*v)).sum();
                    *sum = sum.saturating_add(pixels);
                }
            }
            values.extend(sums.iter().map(|sum| rounded(*sum as f32 / count)));
        }
        Self { width, values }
    }

    /// Pixels a row, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows, at least 1.
    pub fn height(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Its rows, from the top.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.values.chunks_exact(self.width)
    }

    /// All of it.
    pub fn values(&self) -> &[u8] {
        &self.values
    }
}

fn luma([r, g, b]: [u8; 3]) -> u8 {
    rounded(0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "averages of bytes are in 0..=255, and the cast saturates"
)]
fn rounded(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// Mean and variance (over n, not n − 1) of some numbers; zeros for none.
pub(super) fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    if count > 0.0 {
        let mean = sum / count;
        (mean, (squares / count - mean * mean).max(0.0))
    } else {
        (0.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grey_stays_grey_and_colours_weigh_by_rec_601() {
        let rgb = vec![7, 7, 7, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
        let luma = Luma::of(&Picture::new(5, 1, rgb).unwrap());
        assert_eq!(luma.values(), [7, 76, 150, 29, 255]);
    }

    #[test]
    fn boxes_are_averaged_and_the_rest_left_out() {
        let grey = [0, 2, 4, 6, 255, 10, 20, 30, 40, 255, 9, 9, 9, 9, 9];
        let rgb = grey.iter().flat_map(|v| [*v; 3]).collect();
        let small = Luma::of(&Picture::new(5, 3, rgb).unwrap()).shrunk(3);
        assert_eq!((small.width(), small.height()), (2, 1));
        assert_eq!(small.values(), [8, 20]);
    }

    proptest! {
        #[test]
        fn a_shrunk_copy_fits_and_is_not_empty(
            width in 1u32..600, height in 1u32..40, long_side in 0usize..300, turned in any::<bool>()
        ) {
            let (width, height) = if turned { (height, width) } else { (width, height) };
            let rgb = vec![100; Picture::byte_len(width, height).unwrap()];
            let small = Luma::of(&Picture::new(width, height, rgb).unwrap()).shrunk(long_side);
            prop_assert!(small.width() >= 1 && small.height() >= 1);
            prop_assert!(small.width().max(small.height()) <= long_side.max(1));
            prop_assert!(small.values().iter().all(|v| *v == 100));
        }
    }
}
