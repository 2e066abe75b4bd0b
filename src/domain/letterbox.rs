//! Black bars around a picture: found, agreed on over a video, and cut away.
//!
//! Only bars that come in pairs count, above and below or left and right: that is what a player or
//! an editor adds. A dark scene is told from a bar by the edge to the content; where there is none,
//! or the two bars differ, the picture does not tell, and the video's other pictures decide.

use serde::Serialize;
use utoipa::ToSchema;

use super::frame::Picture;
use super::luma::{luma, moments};

/// Black pixels at each side of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
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

/// A bar takes at most so many twentieths of the picture's side.
const MOST_TWENTIETHS: usize = 9;

impl Bars {
    /// The bars of one picture; `None` when it does not tell: it is too dark, or its bars differ by
    /// more than 2 pixels or one in a hundred of the side (a subtitle in the lower bar, a dark
    /// ceiling below the upper one). Bars one way show that there is light enough; what is dark the
    /// other way is then a bar as far as this picture tells.
    pub fn of(picture: &Picture) -> Option<Self> {
        let pixels = Pixels::of(picture);
        let whole = Area::whole(&pixels);
        let mut rows = Ends::of(pixels.height, |y| is_black(whole.row(&pixels, y)));
        let middle = Area {
            top: rows.first,
            bottom: pixels.height.saturating_sub(rows.last),
            ..whole
        };
        let mut columns = Ends::of(pixels.width, |x| is_black(middle.column(&pixels, x)));
        let content = Area {
            left: columns.first,
            right: pixels.width.saturating_sub(columns.last),
            ..middle
        };
        rows.clear &= !rows.are_bars() || content.has_row_edges(&pixels);
        columns.clear &= !columns.are_bars() || content.has_column_edges(&pixels);
        let bars = |ends: Ends| ends.clear && ends.are_bars();
        let tells = (rows.clear && columns.clear) || bars(rows) || bars(columns);
        let width = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
        tells.then(|| Self {
            left: width(columns.first),
            top: width(rows.first),
            right: width(columns.last),
            bottom: width(rows.last),
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

/// Black lines at both ends of a side.
#[derive(Debug, Clone, Copy)]
struct Ends {
    first: usize,
    last: usize,
    /// Whether they are bars, or none, for all that can be seen; else they are dark content or the
    /// two differ, and there are at most so many lines of a bar.
    clear: bool,
}

impl Ends {
    /// Of `side` lines; too few are none.
    fn of(side: usize, black: impl Fn(usize) -> bool) -> Self {
        let most = side.saturating_mul(MOST_TWENTIETHS) / 20;
        let reach = most.saturating_add(1).min(side);
        let first = (0..reach).take_while(|i| black(*i)).count();
        let backwards = (0..side).rev().take(reach);
        let last = backwards.take_while(|i| black(*i)).count();
        let narrow = first.min(last).min(most);
        let enough = side.div_ceil(LEAST_PART).max(LEAST);
        let alike = first.abs_diff(last) <= (side / LEAST_PART).max(2);
        let (first, last, clear) = if narrow < enough {
            (0, 0, true)
        } else if alike && first.max(last) <= most {
            (first, last, true)
        } else {
            (narrow, narrow, false)
        };
        Self { first, last, clear }
    }

    fn are_bars(self) -> bool {
        self.first > 0
    }
}

fn is_black(line: impl Iterator<Item = f64>) -> bool {
    let (mean, variance) = moments(line);
    mean <= BLACK && variance <= NOISE * NOISE
}

/// A picture's pixels, row by row.
#[derive(Debug, Clone, Copy)]
struct Pixels<'a> {
    rgb: &'a [[u8; 3]],
    width: usize,
    height: usize,
}

impl<'a> Pixels<'a> {
    fn of(picture: &'a Picture) -> Self {
        Self {
            rgb: picture.rgb().as_chunks().0,
            width: picture.width() as usize,
            height: picture.height() as usize,
        }
    }
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
    fn whole(pixels: &Pixels<'_>) -> Self {
        Self {
            left: 0,
            right: pixels.width,
            top: 0,
            bottom: pixels.height,
        }
    }

    /// Row `y` of the picture, between this part's sides.
    fn row(self, pixels: &Pixels<'_>, y: usize) -> impl Iterator<Item = f64> {
        let start = y.saturating_mul(pixels.width).saturating_add(self.left);
        let count = self.right.saturating_sub(self.left);
        let line = pixels.rgb.iter().skip(start).take(count);
        line.map(|pixel| f64::from(luma(*pixel)))
    }

    /// Column `x` of the picture, between this part's upper and lower end.
    fn column(self, pixels: &Pixels<'_>, x: usize) -> impl Iterator<Item = f64> {
        let start = self.top.saturating_mul(pixels.width).saturating_add(x);
        let count = self.bottom.saturating_sub(self.top);
        let line = pixels.rgb.iter().skip(start);
        let line = line.step_by(pixels.width.max(1)).take(count);
        line.map(|pixel| f64::from(luma(*pixel)))
    }

    /// Whether the content begins at once above and below.
    fn has_row_edges(self, pixels: &Pixels<'_>) -> bool {
        let is_edge = |bar: usize, first: usize, second: usize| {
            is_edge(
                self.row(pixels, bar),
                self.row(pixels, first).chain(self.row(pixels, second)),
            )
        };
        let (first, last) = (self.top, self.bottom.saturating_sub(1));
        is_edge(first.saturating_sub(1), first, first.saturating_add(1))
            && is_edge(self.bottom, last, last.saturating_sub(1))
    }

    /// Whether the content begins at once left and right.
    fn has_column_edges(self, pixels: &Pixels<'_>) -> bool {
        let is_edge = |bar: usize, first: usize, second: usize| {
            is_edge(
                self.column(pixels, bar),
                self.column(pixels, first)
                    .chain(self.column(pixels, second)),
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
