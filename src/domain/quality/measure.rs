//! The measures' formulas.
//!
//! All but blockiness look at a copy of at most 512 pixels a side, so that they say about the same
//! of a picture at any resolution.

use super::super::frame::Picture;
use super::super::luma::{Luma, moments};
use super::Measures;

/// Longest side of the copy that is measured.
const LONG_SIDE: u32 = 512;

/// Side of the blocks that video and JPEG codecs transform.
const BLOCK: usize = 8;

/// Rows, and columns, that blockiness looks at, at most.
const LINES: u32 = 256;

/// Steps between neighbours count up to this many grey levels: a block's edge is a small step, and
/// a single strong line of the content must not pass for a grid.
const LARGEST_STEP: u8 = 32;

/// Grey levels added to both sides of the ratio, so that a flat picture has none.
const FLOOR: f64 = 1.0;

/// Largest step between neighbours that is no texture, in grey levels.
const FLAT_STEP: u8 = 1;

impl Measures {
    /// Measures `picture`; some milliseconds for 1080p.
    pub fn of(picture: &Picture) -> Self {
        let small = Luma::of(&picture.shrunk(LONG_SIDE));
        let (brightness, variance) = moments(small.values().iter().map(|v| f64::from(*v)));
        Self {
            side: picture.width().min(picture.height()),
            brightness,
            contrast: variance.sqrt(),
            sharpness: sharpness(&small),
            blockiness: blockiness(picture),
            flatness: flatness(&small),
        }
    }
}

/// Variance of 4·c − (left + right + up + down) over the inner pixels; 0 when there are none.
fn sharpness(luma: &Luma) -> f64 {
    let rows: Vec<&[u8]> = luma.rows().collect();
    let laplacians = rows.windows(3).filter_map(|rows| match rows {
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
fn blockiness(picture: &Picture) -> f64 {
    let every = |side: u32| side.div_ceil(LINES) as usize;
    let mut across = Grid::default();
    for row in Luma::sampled(picture, 1, every(picture.height())).rows() {
        let (blocks, _) = row.as_chunks::<BLOCK>();
        let (next, _) = row.get(1..).unwrap_or_default().as_chunks::<BLOCK>();
        for (block, next) in blocks.iter().zip(next) {
            across.add_block(*block, *next);
        }
    }
    let mut down = Grid::default();
    let columns = Luma::sampled(picture, every(picture.width()), 1);
    let pairs = columns.rows().zip(columns.rows().skip(1));
    for (y, (row, below)) in pairs.enumerate() {
        down.add(y, row.iter().zip(below));
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
    /// Steps from each value of `block` to that of `next`, its right neighbours.
    fn add_block(&mut self, block: [u8; BLOCK], next: [u8; BLOCK]) {
        let steps = self.steps.iter_mut().zip(block.into_iter().zip(next));
        for ((sum, (a, b)), count) in steps.zip(&mut self.counts) {
            *sum += f64::from(a.abs_diff(b).min(LARGEST_STEP));
            *count += 1.0;
        }
    }

    /// Steps between lines of which the first is the `place`-th.
    fn add<'a>(&mut self, place: usize, pairs: impl Iterator<Item = (&'a u8, &'a u8)>) {
        let phase = place % BLOCK;
        let (mut sum, mut count) = (0u32, 0u32);
        for (a, b) in pairs {
            sum = sum.saturating_add(u32::from(a.abs_diff(*b).min(LARGEST_STEP)));
            count = count.saturating_add(1);
        }
        if let (Some(steps), Some(counts)) = (self.steps.get_mut(phase), self.counts.get_mut(phase))
        {
            *steps += f64::from(sum);
            *counts += f64::from(count);
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
