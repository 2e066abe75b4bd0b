//! Smaller copies by averaging whole boxes of pixels.

use super::frame::Picture;
use super::luma::rounded;

impl Picture {
    /// A copy whose longer side is at most `long_side`, by averaging boxes of whole pixels; what
    /// doesn't fill a box at the right and lower border is left out. Never empty.
    #[must_use]
    pub fn shrunk(&self, long_side: u32) -> Self {
        let (pixels, _) = self.rgb().as_chunks::<3>();
        let (width, rgb) = shrink(pixels, self.width() as usize, long_side as usize);
        let height = rgb.len().checked_div(width.saturating_mul(3));
        let sides = u32::try_from(width)
            .ok()
            .zip(height.and_then(|h| u32::try_from(h).ok()));
        sides
            .and_then(|(width, height)| Self::new(width, height, rgb).ok())
            .unwrap_or_else(|| self.clone())
    }
}

/// Width and values of a smaller copy of some rows of pixels; `width` is at least 1 and there is at
/// least one row.
fn shrink(pixels: &[[u8; 3]], width: usize, long_side: usize) -> (usize, Vec<u8>) {
    let height = pixels.len().checked_div(width).unwrap_or(0);
    let factor = width.max(height).div_ceil(long_side.max(1)).max(1);
    let (columns, rows) = (factor.min(width), factor.min(height));
    if columns <= 1 && rows <= 1 {
        return (width, pixels.as_flattened().to_vec());
    }
    let count = columns.saturating_mul(rows) as f32;
    let mut values = Vec::new();
    let mut sums = vec![[0u32; 3]; width.checked_div(columns).unwrap_or(1)];
    for band in pixels.chunks_exact(width.saturating_mul(rows)) {
        sums.fill([0; 3]);
        for row in band.chunks_exact(width) {
            for (sum, pixels) in sums.iter_mut().zip(row.chunks_exact(columns)) {
                add(sum, pixels);
            }
        }
        let means = sums.as_flattened().iter();
        values.extend(means.map(|sum| rounded(*sum as f32 / count)));
    }
    (sums.len(), values)
}

fn add(sums: &mut [u32; 3], pixels: &[[u8; 3]]) {
    for pixel in pixels {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum = sum.saturating_add(u32::from(*value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn boxes_are_averaged_and_the_rest_left_out() {
        let grey = [0u8, 2, 4, 6, 255, 10, 20, 30, 40, 255, 9, 9, 9, 9, 9];
        let (width, rgb) = shrink(&grey.map(|v| [v; 3]), 5, 3);
        assert_eq!((width, rgb), (2, vec![8, 8, 8, 20, 20, 20]));
        let colours = [[0, 10, 100], [2, 20, 200]];
        assert_eq!(shrink(&colours, 2, 1), (1, vec![1, 15, 150]));
    }

    proptest! {
        #[test]
        fn a_shrunk_copy_fits_and_is_not_empty(
            width in 1u32..600, height in 1u32..40, long_side in 0u32..300, turned in any::<bool>()
        ) {
            let (width, height) = if turned { (height, width) } else { (width, height) };
            let rgb = vec![100; Picture::byte_len(width, height).unwrap()];
            let small = Picture::new(width, height, rgb).unwrap().shrunk(long_side);
            prop_assert!(small.width().max(small.height()) <= long_side.max(1));
            prop_assert!(small.rgb().iter().all(|v| *v == 100));
        }
    }
}
