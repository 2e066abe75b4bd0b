//! Black bars around a picture: found, agreed on over a video, and cut away.
//!
//! Only bars that come in pairs count, above and below or left and right: that is what a player or
//! an editor adds. A dark scene is told from a bar by the edge to the content; where there is none,
//! or the two bars differ, the picture does not tell, and the video's other pictures decide.

use serde::Serialize;

use super::frame::Picture;
use super::luma::{Luma, moments};

/// Black pixels at each side of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Bars {
    /// Columns.
    pub left: u32,
    /// Rows.
    pub top: u32,
    /// Columns.
    pub right: u32,
    /// Rows.
    pub bottom: u32,
}

/// Largest mean luma of a bar's line. Full-range black is 0; 16 is black that was never expanded
/// from video range.
const BLACK: f64 = 24.0;

/// Largest standard deviation of luma along a bar's line: compression noise, not text.
const NOISE: f64 = 6.0;

/// Grey levels above its bar's mean from which a pixel is content.
const EDGE: f64 = 16.0;

/// Part of the content's two outermost lines that must be brighter than the bar by [`EDGE`].
const EDGE_PART: f64 = 0.25;

/// Least width of a bar in pixels, and as one part in this many of the picture's side.
const LEAST: usize = 4;
const LEAST_PART: usize = 100;

/// A side's bar takes at most this part of the picture: 9/20.
const MOST: (usize, usize) = (9, 20);

impl Bars {
    /// The bars of one picture; `None` when it does not tell: it is too dark, or its bars differ by
    /// more than 2 pixels or one in a hundred of the side (a subtitle in the lower bar, a dark
    /// ceiling below the upper one).
    pub fn of(picture: &Picture) -> Option<Self> {
        let luma = Luma::of(picture);
        let whole = Area::whole(&luma);
        let rows = pair(luma.height(), |y| is_black(whole.row(&luma, y)))?;
        let middle = Area {
            top: rows.0,
            bottom: luma.height().saturating_sub(rows.1),
            ..whole
        };
        let columns = pair(luma.width(), |x| is_black(middle.column(&luma, x)))?;
        let content = Area {
            left: columns.0,
            right: luma.width().saturating_sub(columns.1),
            ..middle
        };
        let rows = (rows != (0, 0)).then(|| content.has_row_edges(&luma).then_some(rows));
        let columns =
            (columns != (0, 0)).then(|| content.has_column_edges(&luma).then_some(columns));
        // Bars one way tell that the picture is bright enough; what is dark the other way is then
        // taken for content.
        let (rows, columns) = match (rows, columns) {
            (Some(None), Some(None) | None) | (None, Some(None)) => return None,
            (rows, columns) => (rows.flatten(), columns.flatten()),
        };
        let (top, bottom) = rows.unwrap_or((0, 0));
        let (left, right) = columns.unwrap_or((0, 0));
        Some(Self {
            left: u32::try_from(left).ok()?,
            top: u32::try_from(top).ok()?,
            right: u32::try_from(right).ok()?,
            bottom: u32::try_from(bottom).ok()?,
        })
    }

    /// What all pictures of a video that tell agree on, side by side; none when no picture tells.
    pub fn shared(pictures: impl Iterator<Item = Option<Self>>) -> Self {
        pictures.flatten().reduce(Self::min).unwrap_or_default()
    }

    /// The narrower bar at each side.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    /// True when there is no bar at any side.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Picture {
    /// A copy without the bars; at least one pixel of it is left.
    #[must_use]
    pub fn without(&self, bars: Bars) -> Self {
        let inner =
            |side: u32, before: u32, after: u32| side.saturating_sub(before).saturating_sub(after);
        self.within(
            bars.left,
            bars.top,
            inner(self.width(), bars.left, bars.right),
            inner(self.height(), bars.top, bars.bottom),
        )
    }
}

/// Black lines at both ends of `side` lines; `None` when they are no pair and yet no content.
fn pair(side: usize, black: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let most = side.saturating_mul(MOST.0) / MOST.1;
    let reach = most.saturating_add(1).min(side);
    let first = (0..reach).take_while(|i| black(*i)).count();
    let ends = (0..side).rev().take(reach);
    let last = ends.take_while(|i| black(*i)).count();
    let least = side.div_ceil(LEAST_PART).max(LEAST);
    if first.min(last) < least {
        return Some((0, 0));
    }
    let alike = first.abs_diff(last) <= (side / LEAST_PART).max(2);
    (alike && first.max(last) <= most).then_some((first, last))
}

fn is_black(line: impl Iterator<Item = f64>) -> bool {
    let (mean, variance) = moments(line);
    mean <= BLACK && variance <= NOISE * NOISE
}

/// A part of the picture; right and bottom are the first lines behind it.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Area {
    fn whole(luma: &Luma) -> Self {
        Self {
            left: 0,
            right: luma.width(),
            top: 0,
            bottom: luma.height(),
        }
    }

    /// Row `y` of the picture, between this part's sides.
    fn row(self, luma: &Luma, y: usize) -> impl Iterator<Item = f64> {
        let start = y.saturating_mul(luma.width()).saturating_add(self.left);
        let count = self.right.saturating_sub(self.left);
        let values = luma.values().iter().skip(start).take(count);
        values.map(|v| f64::from(*v))
    }

    /// Column `x` of the picture, between this part's upper and lower end.
    fn column(self, luma: &Luma, x: usize) -> impl Iterator<Item = f64> {
        let start = self.top.saturating_mul(luma.width()).saturating_add(x);
        let count = self.bottom.saturating_sub(self.top);
        let values = luma.values().iter().skip(start);
        let values = values.step_by(luma.width().max(1)).take(count);
        values.map(|v| f64::from(*v))
    }

    /// Whether the content begins at once above and below.
    fn has_row_edges(self, luma: &Luma) -> bool {
        let is_edge = |bar: usize, first: usize, second: usize| {
            is_edge(
                self.row(luma, bar),
                self.row(luma, first).chain(self.row(luma, second)),
            )
        };
        let (first, last) = (self.top, self.bottom.saturating_sub(1));
        is_edge(first.saturating_sub(1), first, first.saturating_add(1))
            && is_edge(self.bottom, last, last.saturating_sub(1))
    }

    /// Whether the content begins at once left and right.
    fn has_column_edges(self, luma: &Luma) -> bool {
        let is_edge = |bar: usize, first: usize, second: usize| {
            is_edge(
                self.column(luma, bar),
                self.column(luma, first).chain(self.column(luma, second)),
            )
        };
        let (first, last) = (self.left, self.right.saturating_sub(1));
        is_edge(first.saturating_sub(1), first, first.saturating_add(1))
            && is_edge(self.right, last, last.saturating_sub(1))
    }
}

fn is_edge(bar: impl Iterator<Item = f64>, content: impl Iterator<Item = f64>) -> bool {
    let (black, _) = moments(bar);
    let (bright, _) = moments(content.map(|v| f64::from(u8::from(v > black + EDGE))));
    bright >= EDGE_PART
}

#[cfg(test)]
mod tests;
