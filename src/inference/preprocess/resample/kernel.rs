//! Pillow's kernels as fixed-point weights.

use std::f64::consts::PI;

use super::super::super::bundle::manifest::Filter;
use super::super::geometry::Span;
use super::PRECISION_BITS;

/// A kernel by Pillow's name.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    at: fn(f64) -> f64,
    /// Half its width at scale 1, in pixels.
    support: f64,
}

/// The source pixels that one output pixel is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taps {
    /// The first one.
    pub(super) start: usize,
    /// Their weights with [`PRECISION_BITS`] fraction bits; they add up to one, save for rounding.
    pub(super) weights: Vec<i32>,
}

impl Taps {
    /// The one after the last.
    pub(super) fn end(&self) -> usize {
        self.start + self.weights.len()
    }
}

impl Kernel {
    /// `None` for `nearest`, which weighs nothing.
    pub(super) fn of(filter: Filter) -> Option<Self> {
        let (at, support): (fn(f64) -> f64, f64) = match filter {
            Filter::Nearest => return None,
            Filter::Box => (r#box, 0.5),
            Filter::Bilinear => (bilinear, 1.0),
            Filter::Hamming => (hamming, 1.0),
            Filter::Bicubic => (bicubic, 2.0),
            Filter::Lanczos => (lanczos, 3.0),
        };
        Some(Self { at, support })
    }

    /// The taps of each output pixel of `span`. The kernel is
    /// stretched when the picture shrinks (antialiasing), never squeezed.
    pub(super) fn taps(self, span: Span) -> Vec<Taps> {
        let stretch = span.step.max(1.0);
        let outputs = span.skipped..span.skipped + span.out;
        outputs
            .map(|index| self.taps_at((f64::from(index) + 0.5) * span.step, stretch, span.source))
            .collect()
    }

    /// Sums and quotients in Pillow's order: the last bit of a weight depends on it.
    fn taps_at(self, centre: f64, stretch: f64, side: u32) -> Taps {
        let reach = self.support * stretch;
        let start = pixel(centre - reach + 0.5, side);
        let end = pixel(centre + reach + 0.5, side).max(start);
        let inverse = 1.0 / stretch;
        let weights: Vec<f64> = (start..end)
            .map(|x| (self.at)((f64::from(x) - centre + 0.5) * inverse))
            .collect();
        let sum: f64 = weights.iter().sum();
        let scaled = |w: &f64| fixed(if sum == 0.0 { *w } else { w / sum });
        Taps {
            start: start as usize,
            weights: weights.iter().map(scaled).collect(),
        }
    }
}

/// C's `(int)` cut, kept in 0..=side.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=side first"
)]
fn pixel(position: f64, side: u32) -> u32 {
    position.clamp(0.0, f64::from(side)) as u32
}

/// Rounded half away from zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a weight is at most a few units, which leaves bits to spare"
)]
fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1_u32 << PRECISION_BITS);
    (if weight < 0.0 {
        scaled - 0.5
    } else {
        scaled + 0.5
    }) as i32
}

fn r#box(x: f64) -> f64 {
    if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }
}

fn bilinear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn hamming(x: f64) -> f64 {
    let x = x.abs();
    if x == 0.0 {
        1.0
    } else if x >= 1.0 {
        0.0
    } else {
        let x = x * PI;
        // Pillow's two constants are float32.
        x.sin() / x * (f64::from(0.54_f32) + f64::from(0.46_f32) * x.cos())
    }
}

/// Keys 1981 with a = −0.5.
#[expect(
    clippy::suboptimal_flops,
    reason = "a fused product rounds otherwise than Pillow"
)]
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) {
        sinc(x) * sinc(x / 3.0)
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * PI).sin() / (x * PI)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: [Filter; 5] = [
        Filter::Box,
        Filter::Bilinear,
        Filter::Hamming,
        Filter::Bicubic,
        Filter::Lanczos,
    ];

    fn span(source: u32, out: u32) -> Span {
        Span {
            source,
            resized: out,
            step: f64::from(source) / f64::from(out),
            skipped: 0,
            out,
            offset: 0,
        }
    }

    #[test]
    fn weights_add_up_to_one() {
        for filter in FILTERS {
            for (side, out) in [(100, 7), (7, 100), (1, 5), (224, 224)] {
                for taps in Kernel::of(filter).unwrap().taps(span(side, out)) {
                    let sum: i32 = taps.weights.iter().sum();
                    let slack = i32::try_from(taps.weights.len()).unwrap();
                    assert!((sum - (1 << PRECISION_BITS)).abs() <= slack, "{filter:?}");
                    assert!(taps.end() <= side as usize);
                }
            }
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        for filter in FILTERS {
            for (index, taps) in Kernel::of(filter)
                .unwrap()
                .taps(span(9, 9))
                .iter()
                .enumerate()
            {
                for (offset, weight) in taps.weights.iter().enumerate() {
                    let own = taps.start + offset == index;
                    let want = if own { 1 << PRECISION_BITS } else { 0 };
                    assert_eq!(*weight, want, "{filter:?}");
                }
            }
        }
    }
}
