//! Whether two pictures are so alike that one score does for both.
//!
//! A mean over a whole picture is small where a face moves in a still scene. So pictures are compared
//! block by block, in squares of the size in which vision transformers cut pictures up, and the
//! block that differs most decides.

/// Side of a block in pixels; those at the right and lower border may be smaller.
const BLOCK: usize = 16;

/// Bytes of a pixel.
const RGB: usize = 3;

/// The mean difference of the block that differs most between two pictures of RGB row by row, in
/// levels of 0 to 255; `None` for pictures of different sizes or without pixels.
pub fn difference(one: &[u8], other: &[u8], width: usize) -> Option<f64> {
    let row = width.checked_mul(RGB).filter(|row| *row > 0)?;
    if one.len() != other.len() || one.is_empty() || !one.len().is_multiple_of(row) {
        return None;
    }
    let (rows, block) = (row.saturating_mul(BLOCK), RGB.saturating_mul(BLOCK));
    let mut largest = 0.0_f64;
    for (one, other) in one.chunks(rows).zip(other.chunks(rows)) {
        let mut sums = vec![(0_u32, 0_u32); row.div_ceil(block)];
        for (one, other) in one.chunks(row).zip(other.chunks(row)) {
            let blocks = one.chunks(block).zip(other.chunks(block));
            for ((one, other), (sum, count)) in blocks.zip(&mut sums) {
                let differences = one
                    .iter()
                    .zip(other)
                    .map(|(a, b)| u32::from(a.abs_diff(*b)));
                // At most 16 · 16 · 3 · 255.
                *sum = sum.saturating_add(differences.sum());
                *count = count.saturating_add(u32::try_from(one.len()).unwrap_or(u32::MAX));
            }
        }
        let means = sums
            .iter()
            .map(|(sum, count)| f64::from(*sum) / f64::from((*count).max(1)));
        largest = means.fold(largest, f64::max);
    }
    Some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, height: usize) -> Vec<u8> {
        vec![100; width * height * RGB]
    }

    #[test]
    fn the_block_that_differs_most_decides() {
        let (width, height) = (40, 33);
        let one = grey(width, height);
        assert_eq!(difference(&one, &one, width), Some(0.0));
        // All of one block by 6, every pixel by 1: the block counts.
        let mut other: Vec<u8> = one.iter().map(|level| level + 1).collect();
        for y in 16..32 {
            for x in 0..16 {
                for channel in 0..RGB {
                    other[(y * width + x) * RGB + channel] = 94;
                }
            }
        }
        assert_eq!(difference(&one, &other, width), Some(6.0));
        assert_eq!(difference(&other, &one, width), Some(6.0));
    }

    #[test]
    fn a_block_at_the_border_counts_by_its_own_pixels() {
        let (width, height) = (40, 33);
        let one = grey(width, height);
        let mut other = one.clone();
        // The last pixel, in a block of 8 × 1.
        other[(width * height - 1) * RGB] = 124;
        assert_eq!(difference(&one, &other, width), Some(1.0));
    }

    #[test]
    fn pictures_of_other_sizes_are_not_compared() {
        assert_eq!(difference(&grey(4, 4), &grey(4, 5), 4), None);
        assert_eq!(difference(&grey(4, 4), &grey(4, 4), 5), None);
        assert_eq!(difference(&[], &[], 4), None);
        assert_eq!(difference(&grey(4, 4), &grey(4, 4), 0), None);
    }
}
