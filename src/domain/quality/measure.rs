//! The measures' formulas.
//!
//! All but blockiness look at a copy of at most 512 pixels a side, so that they say about the same
//! of a picture at any resolution.

use super::super::frame::Picture;
use super::super::luma::{Luma, moments};
use super::Measures;

/// Longest side of the copy that is measured.
const LONG_SIDE: usize = 512;

/// Side of the blocks that video and JPEG codecs transform.
const BLOCK: usize = 8;

/// Rows, and columns, that blockiness looks at, at most.
const LINES: usize = 256;

/// Steps between neighbours count up to this many grey levels: a block's edge is a small step, and
/// a single strong line of the content must not pass for a grid.
const LARGEST_STEP: f64 = 32.0;

/// Grey levels added to both sides of the ratio, so that a flat picture has none.
const FLOOR: f64 = 1.0;

/// Largest step between neighbours that is no texture, in grey levels.
const FLAT_STEP: u8 = 1;

impl Measures {
    /// Measures `picture`; some milliseconds for 1080p.
    pub fn of(picture: &Picture) -> Self {
        let luma = Luma::of(picture);
        let small = luma.shrunk(LONG_SIDE);
        let (brightness, variance) = moments(small.values().iter().map(|v| f64::from(*v)));
        Self {
            side: picture.width().min(picture.height()),
            brightness,
            contrast: variance.sqrt(),
            sharpness: sharpness(&small),
            blockiness: blockiness(&luma),
            flatness: flatness(&small),
        }
    }
}

/// Variance of 4·c − (left + right + up + down) over the inner pixels; 0 when there are none.
fn sharpness(luma: &Luma) -> f64 {
    let rows: Vec<&[u8]> = luma.rows().collect();
    let laplacians = rows.windows(3).flat_map(|rows| match rows {
        [above, row, below] => Some(row.windows(3).zip(inner(above)).zip(inner(below))),
        _ => None,
    });
    moments(laplacians.flatten().map(|((near, up), down)| match near {
        [left, centre, right] => {
            let around = [left, right, up, down].map(|v| f64::from(*v));
            4.0 * f64::from(*centre) - around.iter().sum::<f64>()
        }
        _ => 0.0,
    }))
    .1
}

/// A row without its first pixel; the last one drops out of a `zip` with windows of 3.
fn inner(row: &[u8]) -> impl Iterator<Item = &u8> {
    row.iter().skip(1)
}

/// Part of the pixels whose right and lower neighbours differ by one grey level at most; 1 for a
/// single row or column.
fn flatness(luma: &Luma) -> f64 {
    let (mut flat, mut all) = (0.0, 0.0);
    for (row, below) in luma.rows().zip(luma.rows().skip(1)) {
        for (pair, down) in row.windows(2).zip(below) {
            if let [centre, right] = pair {
                let step = centre.abs_diff(*right).max(centre.abs_diff(*down));
                flat += f64::from(u8::from(step <= FLAT_STEP));
                all += 1.0;
            }
        }
    }
    if all > 0.0 { flat / all } else { 1.0 }
}

/// Mean over both axes of [`Grid::excess`].
fn blockiness(luma: &Luma) -> f64 {
    let mut across = Grid::default();
    let every = luma.height().div_ceil(LINES).max(1);
    for row in luma.rows().step_by(every) {
        for (x, pair) in row.windows(2).enumerate() {
            if let [a, b] = pair {
                across.add(x, std::iter::once((a, b)));
            }
        }
    }
    let mut down = Grid::default();
    let every = luma.width().div_ceil(LINES).max(1);
    for (y, (row, below)) in luma.rows().zip(luma.rows().skip(1)).enumerate() {
        down.add(y, row.iter().zip(below).step_by(every));
    }
    f64::midpoint(across.excess(), down.excess())
}

/// Steps between neighbours along one axis, by their place in a grid of blocks.
#[derive(Debug, Default)]
struct Grid {
    steps: [f64; BLOCK],
    counts: [f64; BLOCK],
}

impl Grid {
    fn add<'a>(&mut self, place: usize, pairs: impl Iterator<Item = (&'a u8, &'a u8)>) {
        let phase = place % BLOCK;
        if let (Some(sum), Some(count)) = (self.steps.get_mut(phase), self.counts.get_mut(phase)) {
            for (a, b) in pairs {
                *sum += f64::from(a.abs_diff(*b)).min(LARGEST_STEP);
                *count += 1.0;
            }
        }
    }

    /// How much larger the mean step is at the strongest of the eight places than at the others,
    /// in multiples of the latter: cropping moves the grid.
    fn excess(&self) -> f64 {
        let (sum, count): (f64, f64) = (self.steps.iter().sum(), self.counts.iter().sum());
        let places = self.steps.iter().zip(&self.counts);
        places
            .filter(|(_, n)| **n > 0.0 && **n < count)
            .map(|(at, n)| (at / n + FLOOR) / ((sum - at) / (count - n) + FLOOR) - 1.0)
            .fold(0.0, f64::max)
    }
}
