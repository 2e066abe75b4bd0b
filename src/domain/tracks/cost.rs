//! What it costs to take two faces for the same person.

use super::super::face::{Face, Rect};

/// Of a face that begins a track: no allowed pair costs more.
pub(super) const NEW_TRACK: i64 = 1_000_000;

/// Of a pair that can't be: dearer than beginning tracks for all faces of a frame.
pub(super) const NOT_ALLOWED: i64 = 1_000_000_000;

/// Box sides by which a face moves at most, at once and a second.
const FAR: f64 = 0.75;
const FAR_PER_S: f64 = 3.0;

/// How much farther a face may be that looks like the track's.
const FAR_IF_ALIKE: f64 = 3.0;

/// Largest distance of appearances of faces that look alike.
const ALIKE: f64 = 0.25;

/// Largest distance of appearances after a long time, what is added at once, and the seconds in
/// which that falls to 1/e: a face that turns or is half hidden stays where it was.
const UNLIKE: f64 = 0.38;
const UNLIKE_AT_ONCE: f64 = 0.5;
const UNLIKE_FADES_S: f64 = 2.0;

/// Largest natural logarithm of the ratio of sizes, at once and a second.
const SCALE: f64 = 0.5;
const SCALE_PER_S: f64 = 0.7;

/// Weight of appearance at once, what it gains with time, and the seconds for half of that.
const LOOKS: f64 = 0.3;
const LOOKS_GAIN: f64 = 0.4;
const LOOKS_GAIN_S: f64 = 1.0;

/// Weights of overlap, distance and size in the cost of position; their sum is 1.
const OVERLAP: f64 = 0.4;
const DISTANCE: f64 = 0.4;
const SIZE: f64 = 0.2;

/// How two boxes differ, and the time between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    /// Never negative.
    seconds: f64,
    /// Intersection over union.
    overlap: f64,
    /// Of the centres, in mean box sides.
    distance: f64,
    /// Natural logarithm of the ratio of sizes, without its sign.
    scale: f64,
}

impl Gap {
    pub(super) fn between(before: &Face, after: &Face, seconds: f64) -> Self {
        // A box without area is a pixel.
        let side = |rect: Rect| rect.area().sqrt().max(1.0);
        let (old, new) = (side(before.rect), side(after.rect));
        let (a, b) = (before.rect.center(), after.rect.center());
        Self {
            seconds: seconds.max(0.0),
            overlap: before.rect.iou(after.rect),
            distance: (a.x - b.x).hypot(a.y - b.y) / f64::midpoint(old, new),
            scale: (old / new).ln().abs(),
        }
    }

    /// In millionths; `unlike` is the distance of the appearances, 0..=1.
    pub(super) fn cost(self, unlike: f64) -> i64 {
        let reach = FAR + FAR_PER_S * self.seconds;
        let reach = if unlike <= ALIKE {
            reach * FAR_IF_ALIKE
        } else {
            reach
        };
        let most_unlike = UNLIKE + UNLIKE_AT_ONCE * (-self.seconds / UNLIKE_FADES_S).exp();
        let most_scale = SCALE + SCALE_PER_S * self.seconds;
        if self.distance <= reach && unlike <= most_unlike && self.scale <= most_scale {
            let position = OVERLAP * (1.0 - self.overlap)
                + DISTANCE * self.distance / reach
                + SIZE * self.scale / most_scale;
            let looks = LOOKS + LOOKS_GAIN * self.seconds / (self.seconds + LOOKS_GAIN_S);
            millionths((1.0 - looks) * position + looks * unlike)
        } else {
            NOT_ALLOWED
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "weights add up to 1, so the cost is in 0..=1"
)]
fn millionths(cost: f64) -> i64 {
    ((cost * 1e6) as i64).clamp(0, NEW_TRACK)
}
