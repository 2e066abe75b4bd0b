//! A decoded picture as every stage after decoding sees it.

/// 8-bit RGB pixels, row by row, no padding: `rgb.len() == width · height · 3`.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// Pixels whose count does not match the picture's sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {width}x{height} RGB picture cannot have {got} bytes")]
pub struct WrongPictureSize {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes that came.
    pub got: usize,
}

impl Picture {
    /// Bytes of an RGB24 picture of this size; `None` when a side is 0 or the product overflows.
    pub fn byte_len(width: u32, height: u32) -> Option<usize> {
        let pixels = u64::from(width).checked_mul(u64::from(height))?;
        usize::try_from(pixels.checked_mul(3)?)
            .ok()
            .filter(|bytes| *bytes > 0)
    }

    /// A picture from its pixels, RGB row by row.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, WrongPictureSize> {
        if Self::byte_len(width, height) == Some(rgb.len()) {
            Ok(Self { width, height, rgb })
        } else {
            Err(WrongPictureSize {
                width,
                height,
                got: rgb.len(),
            })
        }
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// A copy of the part with this corner and size; what lies outside the picture is left out,
    /// and at least one pixel is kept.
    #[must_use]
    pub fn within(&self, left: u32, top: u32, width: u32, height: u32) -> Self {
        let span = |start: u32, length: u32, side: u32| {
            let start = start.min(side.saturating_sub(1));
            (start, length.clamp(1, side.saturating_sub(start).max(1)))
        };
        let (left, width) = span(left, width, self.width);
        let (top, height) = span(top, height, self.height);
        let bytes = |pixels: u32| (pixels as usize).saturating_mul(3);
        let row = bytes(left)..bytes(left.saturating_add(width));
        let rows = self.rgb.chunks_exact(bytes(self.width).max(1));
        let rows = rows.skip(top as usize).take(height as usize);
        let mut rgb = Vec::with_capacity(Self::byte_len(width, height).unwrap_or(0));
        for pixels in rows.filter_map(|pixels| pixels.get(row.clone())) {
            rgb.extend_from_slice(pixels);
        }
        Self { width, height, rgb }
    }

    /// The pixels, RGB row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

/// A picture of the video with its time.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Place among the chosen frames, from 0, in order of time.
    pub index: usize,
    /// Presentation time in seconds after the first video frame.
    pub time_s: f64,
    /// Upright, square pixels.
    pub picture: Picture,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_and_bytes_must_agree() {
        assert!(Picture::new(2, 2, vec![0; 12]).is_ok());
        assert!(Picture::new(2, 2, vec![0; 11]).is_err());
        assert!(Picture::new(0, 0, vec![]).is_err());
        assert_eq!(Picture::byte_len(u32::MAX, u32::MAX), None);
    }

    #[test]
    fn a_part_keeps_its_pixels_and_is_never_empty() {
        let picture = Picture::new(3, 2, (0..18).collect()).unwrap();
        let part = picture.within(1, 1, 2, 1);
        assert_eq!((part.width(), part.height()), (2, 1));
        assert_eq!(part.rgb(), [12, 13, 14, 15, 16, 17]);
        assert_eq!(picture.within(0, 0, 9, 9), picture);
        assert_eq!(picture.within(7, 7, 0, 0).rgb(), [15, 16, 17]);
    }
}
