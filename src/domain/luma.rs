//! The grey version of a picture, which the cheap measures look at.

use super::frame::Picture;

/// Rec. 601 luma (0.299 R + 0.587 G + 0.114 B), rounded, row by row, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Luma {
    width: usize,
    values: Vec<u8>,
}

impl Luma {
    /// Of every pixel of `picture`.
    pub(super) fn of(picture: &Picture) -> Self {
        Self::sampled(picture, 1, 1)
    }

    /// Of every `columns`-th pixel of every `rows`-th row, the first ones among them.
    pub(super) fn sampled(picture: &Picture, columns: usize, rows: usize) -> Self {
        let (pixels, _) = picture.rgb().as_chunks::<3>();
        let (columns, rows) = (columns.max(1), rows.max(1));
        let mut values = Vec::new();
        for line in pixels.chunks_exact(picture.width() as usize).step_by(rows) {
            if columns == 1 {
                values.extend(line.iter().map(|pixel| luma(*pixel)));
            } else {
                values.extend(line.iter().step_by(columns).map(|pixel| luma(*pixel)));
            }
        }
        Self {
            width: (picture.width() as usize).div_ceil(columns),
            values,
        }
    }

    /// Its rows, from the top.
    pub(super) fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.values.chunks_exact(self.width)
    }

    /// All of it.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }
}

/// Of one pixel.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    rounded(0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b))
}

/// The nearest byte.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "averages of bytes are in 0..=255, and the cast saturates"
)]
pub(super) fn rounded(value: f32) -> u8 {
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

    #[test]
    fn grey_stays_grey_and_colours_weigh_by_rec_601() {
        let rgb = vec![7, 7, 7, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
        let luma = Luma::of(&Picture::new(5, 1, rgb).unwrap());
        assert_eq!(luma.values(), [7, 76, 150, 29, 255]);
        assert_eq!(luma.rows().count(), 1);
    }

    #[test]
    fn a_sample_takes_every_so_many_columns_and_rows() {
        let rgb = (0u8..15).flat_map(|v| [v; 3]).collect();
        let sample = Luma::sampled(&Picture::new(5, 3, rgb).unwrap(), 3, 2);
        assert_eq!(sample.values(), [0, 3, 10, 13]);
        assert_eq!(sample.rows().len(), 2);
    }
}
