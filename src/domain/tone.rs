//! Colour and layout of a picture in a few bytes, to tell alike pictures from others.

use super::frame::Picture;
use super::luma::rounded;

/// Quantiles a channel.
const QUANTILES: usize = 32;

/// Which colours there are, wherever they lie: quantiles of luma and of both colour differences
/// (Rec. 601).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tone {
    /// Y, Cb, Cr.
    channels: [[u8; QUANTILES]; 3],
}

impl Tone {
    /// Of some pixels; `None` without one.
    pub(super) fn of<'a>(pixels: impl Iterator<Item = &'a [u8; 3]>) -> Option<Self> {
        let mut counts = [[0u32; 256]; 3];
        let mut total = 0u32;
        for pixel in pixels {
            total = total.saturating_add(1);
            for (counts, value) in counts.iter_mut().zip(ycbcr(*pixel)) {
                if let Some(count) = counts.get_mut(usize::from(value)) {
                    *count = count.saturating_add(1);
                }
            }
        }
        (total > 0).then(|| Self {
            channels: counts.map(|counts| quantiles(&counts, total)),
        })
    }

    /// Mean luma.
    pub(super) fn brightness(&self) -> f64 {
        let [luma, ..] = &self.channels;
        luma.iter().map(|v| f64::from(*v)).sum::<f64>() / QUANTILES as f64
    }

    /// Mean difference of luma, and of both colour differences together, in grey levels: the
    /// first Wasserstein distance of the channels' distributions.
    pub(super) fn distances(&self, other: &Self) -> (f64, f64) {
        let mut channels = self.channels.iter().zip(&other.channels).map(|(a, b)| {
            let steps = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)));
            steps.sum::<f64>() / QUANTILES as f64
        });
        (channels.next().unwrap_or(0.0), channels.sum())
    }
}

/// Luma and colour differences, the latter around 128.
fn ycbcr([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(f32::from);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [
        rounded(y),
        rounded(128.0 + 0.564 * (b - y)),
        rounded(128.0 + 0.713 * (r - y)),
    ]
}

/// The levels below which 1/64, 3/64, … 63/64 of the pixels lie.
fn quantiles(counts: &[u32; 256], total: u32) -> [u8; QUANTILES] {
    let mut levels = (0u8..=255).zip(counts);
    let mut below = 0.0;
    let mut level = 0;
    let mut rank = 0.0;
    [(); QUANTILES].map(|()| {
        let wanted = (rank + 0.5) / QUANTILES as f64 * f64::from(total);
        rank += 1.0;
        while below < wanted
            && let Some((next, count)) = levels.next()
        {
            below += f64::from(*count);
            level = next;
        }
        level
    })
}

/// Where a picture is light and dark: mean luma of `N` × `N` cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout<const N: usize> {
    cells: [[f32; N]; N],
}

impl<const N: usize> Layout<N> {
    /// Of a picture; of one with less than `N` rows or columns some cells are the same pixels.
    pub(super) fn of(picture: &Picture) -> Self {
        let (pixels, _) = picture.rgb().as_chunks::<3>();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let rows: Vec<&[[u8; 3]]> = pixels.chunks_exact(width).collect();
        let mut cells = [[0.0; N]; N];
        for (y, line) in cells.iter_mut().enumerate() {
            let rows = rows.get(span(y, N, height)).unwrap_or_default();
            for (x, cell) in line.iter_mut().enumerate() {
                let columns = span(x, N, width);
                let parts = rows.iter().filter_map(|row| row.get(columns.clone()));
                *cell = mean_luma(parts.flatten());
            }
        }
        Self { cells }
    }

    /// 1 − the correlation of both, 0..=2: 0 for the same up to brightness and contrast, 1 for
    /// unlike. Of both without any contrast it is 0, of one without 1.
    pub(super) fn distance(&self, other: &Self) -> f64 {
        let a = self.cells.as_flattened().iter();
        unlike(a.zip(other.cells.as_flattened()))
    }

    /// The least [`Layout::distance`] when one of both is moved by up to `reach` cells, in steps of
    /// `step`, in either direction: small where the camera moved.
    pub(super) fn distance_moved(&self, other: &Self, reach: usize, step: usize) -> f64 {
        // Where the overlap begins in the one and in the other, along one axis.
        let begins = || {
            let moves = (0..=reach).step_by(step.max(1));
            moves.flat_map(|far| [(far, 0), (0, far)])
        };
        let overlaps = begins().flat_map(|x| begins().map(move |y| (x, y)));
        overlaps
            .map(|((left, other_left), (top, other_top))| {
                let rows = self.from(left, top).zip(other.from(other_left, other_top));
                unlike(rows.flat_map(|(a, b)| a.iter().zip(b)))
            })
            .fold(2.0, f64::min)
    }

    /// The cells from this column and row on.
    fn from(&self, left: usize, top: usize) -> impl Iterator<Item = &[f32]> {
        let rows = self.cells.iter().skip(top);
        rows.map(move |row| row.get(left..).unwrap_or_default())
    }
}

/// The `i`-th of `parts` parts of `length`; at least one wide, so that none is empty.
fn span(i: usize, parts: usize, length: usize) -> std::ops::Range<usize> {
    let at = |i: usize| {
        let place = i.saturating_mul(length);
        place.checked_div(parts).unwrap_or(0)
    };
    let start = at(i).min(length.saturating_sub(1));
    let end = at(i.saturating_add(1)).max(start.saturating_add(1));
    start..end.min(length)
}

fn mean_luma<'a>(pixels: impl Iterator<Item = &'a [u8; 3]>) -> f32 {
    let (mut count, mut sum) = (0.0f32, 0.0f32);
    for [r, g, b] in pixels {
        count += 1.0;
        sum += 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b);
    }
    sum / count.max(1.0)
}

/// Contrast, as a standard deviation in grey levels, below which cells are taken for one colour.
const NO_CONTRAST: f64 = 0.5;

/// 1 − the correlation of pairs of values; 1 without a pair.
fn unlike<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>) -> f64 {
    let mut sums = [0.0; 6];
    for (a, b) in pairs {
        let (a, b) = (f64::from(*a), f64::from(*b));
        for (sum, term) in sums.iter_mut().zip([1.0, a, b, a * a, b * b, a * b]) {
            *sum += term;
        }
    }
    let [count, a, b, aa, bb, ab] = sums;
    if count == 0.0 {
        return 1.0;
    }
    let covariance = |product: f64, a: f64, b: f64| product / count - a / count * b / count;
    let deviation = |squares: f64, sum: f64| covariance(squares, sum, sum).max(0.0).sqrt();
    let (deviation_a, deviation_b) = (deviation(aa, a), deviation(bb, b));
    match (deviation_a < NO_CONTRAST, deviation_b < NO_CONTRAST) {
        (true, true) => 0.0,
        (true, false) | (false, true) => 1.0,
        (false, false) => {
            (1.0 - covariance(ab, a, b) / (deviation_a * deviation_b)).clamp(0.0, 2.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb = places.flat_map(|(x, y)| pixel(x, y)).collect();
        Picture::new(width, height, rgb).unwrap()
    }

    fn tone(picture: &Picture) -> Tone {
        Tone::of(picture.rgb().as_chunks::<3>().0.iter()).unwrap()
    }

    #[test]
    fn quantiles_are_levels_by_rank() {
        let ramp = tone(&picture(64, 1, |x, _| [u8::try_from(x).unwrap() * 2; 3]));
        let wanted: Vec<u8> = (0..32).map(|i| i * 4).collect();
        assert_eq!(ramp.channels[0].to_vec(), wanted);
        assert_eq!(ramp.channels[1], [128; QUANTILES]);
        assert_eq!(Tone::of(std::iter::empty()), None);
    }

    #[test]
    fn tones_differ_by_their_mean_shift_and_not_by_place() {
        let texture = |x: u32, y: u32| u8::try_from((x * 7 + y * 3) % 100).unwrap();
        let plain = tone(&picture(20, 20, |x, y| [texture(x, y); 3]));
        let turned = tone(&picture(20, 20, |x, y| [texture(y, x); 3]));
        let lighter = tone(&picture(20, 20, |x, y| [texture(x, y) + 40; 3]));
        let red = tone(&picture(20, 20, |x, y| {
            [texture(x, y) + 40, texture(x, y), texture(x, y)]
        }));
        assert!(plain.distances(&turned).0 < 2.0);
        assert_eq!(plain.distances(&lighter), (40.0, 0.0));
        assert!(plain.distances(&red).1 > 20.0);
    }

    #[test]
    fn a_layout_is_the_same_at_any_size_brightness_and_contrast() {
        let scene = |x: u32, y: u32| u8::try_from((x / 4) * (y / 4) % 50).unwrap() * 2;
        let small = Layout::<8>::of(&picture(32, 32, |x, y| [scene(x, y); 3]));
        let large = Layout::<8>::of(&picture(96, 64, |x, y| [scene(x / 3, y / 2) / 2 + 90; 3]));
        assert!(small.distance(&large) < 0.01);
        let upside_down = Layout::<8>::of(&picture(32, 32, |x, y| [scene(x, 31 - y); 3]));
        assert!(small.distance(&upside_down) > 0.5);
    }

    #[test]
    fn a_moved_layout_is_near_where_it_overlaps() {
        let scene = |x: u32, y: u32| u8::try_from((x * x / 3 + y * y * 5 + x * y) % 200).unwrap();
        let at = |dx: u32, dy: u32| {
            Layout::<16>::of(&picture(16, 16, move |x, y| [scene(x + dx, y + dy); 3]))
        };
        assert!(at(0, 0).distance(&at(4, 2)) > 0.5);
        assert!(at(0, 0).distance_moved(&at(4, 2), 6, 2) < 1e-6);
        assert!(at(4, 0).distance_moved(&at(0, 2), 6, 2) < 1e-6);
    }

    #[test]
    fn one_colour_is_like_one_colour_and_unlike_a_scene() {
        let flat = |v: u8| Layout::<8>::of(&picture(3, 2, move |_, _| [v; 3]));
        let scene = Layout::<8>::of(&picture(8, 8, |x, _| [u8::try_from(x * 20).unwrap(); 3]));
        assert!(flat(0).distance(&flat(200)).abs() < 1e-12);
        assert!((flat(0).distance(&scene) - 1.0).abs() < 1e-12);
    }
}
