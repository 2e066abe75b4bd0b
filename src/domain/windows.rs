//! Runs of consecutive frames, for models that look at time.
//!
//! The video is cut into K slices of equal length, as for single frames. Each slice's window lies
//! around the slice's centre, moved inwards where it would leave the video.

use serde::{Deserialize, Serialize};

use super::sampling::{Choice, ListedFrame, on_screen_at, slice_center};

/// How far apart the frames of a window are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Every n-th frame of the video, n ≥ 1.
    Stride(u32),
    /// Frames a second, positive: the frame on screen at each moment, so a video with fewer
    /// frames shows some twice.
    Rate(f64),
}

/// What a model that looks at time wants to see of a video.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowPlan {
    /// Windows that are wanted, 1..=[`WindowPlan::MAX_COUNT`].
    pub count: u32,
    /// Frames of each, 2..=[`WindowPlan::MAX_FRAMES`].
    pub frames: u32,
    /// How far apart they are.
    pub step: Step,
}

/// A window that can't be asked for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidWindow {
    /// Too few or too many frames.
    #[error("a window has 2..={max} frames, not {0}", max = WindowPlan::MAX_FRAMES)]
    Frames(u32),
    /// None, or too many.
    #[error("there can be 1..={max} windows, not {0}", max = WindowPlan::MAX_COUNT)]
    Count(u32),
    /// Every 0th frame, or a very long stride.
    #[error("a stride is 1..={max}, not {0}", max = WindowPlan::MAX_STRIDE)]
    Stride(u32),
    /// Not a rate, or more frames a second than any video has.
    #[error("a rate is above 0 and at most {max} frames a second, not {0}", max = WindowPlan::MAX_RATE)]
    Rate(f64),
}

impl WindowPlan {
    /// The most frames of a window.
    pub const MAX_FRAMES: u32 = 64;
    /// The most windows of a video.
    pub const MAX_COUNT: u32 = 64;
    /// The longest stride, in frames.
    pub const MAX_STRIDE: u32 = 1000;
    /// The highest rate, in frames a second.
    pub const MAX_RATE: f64 = 120.0;

    /// Checks the figures.
    pub fn validate(self) -> Result<(), InvalidWindow> {
        if !(2..=Self::MAX_FRAMES).contains(&self.frames) {
            return Err(InvalidWindow::Frames(self.frames));
        }
        if !(1..=Self::MAX_COUNT).contains(&self.count) {
            return Err(InvalidWindow::Count(self.count));
        }
        match self.step {
            Step::Stride(stride) if !(1..=Self::MAX_STRIDE).contains(&stride) => {
                Err(InvalidWindow::Stride(stride))
            }
            Step::Rate(rate) if !(rate > 0.0 && rate <= Self::MAX_RATE) => {
                Err(InvalidWindow::Rate(rate))
            }
            Step::Stride(_) | Step::Rate(_) => Ok(()),
        }
    }
}

impl std::fmt::Display for WindowPlan {
    /// The form that stands in a receipt: `4x16/2` for every second frame, `4x16@8` for 8 frames
    /// a second.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            count,
            frames,
            step,
        } = self;
        match step {
            Step::Stride(stride) => write!(f, "{count}x{frames}/{stride}"),
            Step::Rate(rate) => write!(f, "{count}x{frames}@{rate}"),
        }
    }
}

/// A video's frames as its container lists them.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// In order of presentation.
    pub frames: &'a [ListedFrame],
    /// Ticks that the video claims to have, at least 1.
    pub duration: i64,
    /// The tick at which the last frame leaves the screen.
    pub readable_end: i64,
    /// Seconds a tick.
    pub tick_s: f64,
}

/// Chooses the windows of `plan`: for each, places in the list of frames, ascending (with repeats
/// for a rate above the video's), or `None` for a window that can't be had, because the video is
/// too short for it or cut short before it. A window equal to the one before counts once.
pub fn choose_windows(plan: WindowPlan, listing: Listing<'_>) -> Vec<Option<Vec<usize>>> {
    let mut windows: Vec<Option<Vec<usize>>> = Vec::new();
    for index in 0..plan.count {
        let center = slice_center(index, plan.count, listing.duration.max(1));
        let window = match plan.step {
            Step::Stride(stride) => every_nth(plan.frames, stride, center, listing),
            Step::Rate(rate) => at_rate(plan.frames, rate, center, listing),
        };
        if window.is_none() || windows.last() != Some(&window) {
            windows.push(window);
        }
    }
    windows
}

fn every_nth(count: u32, stride: u32, center: i64, listing: Listing<'_>) -> Option<Vec<usize>> {
    let Choice::Frame(middle) = on_screen_at(listing.frames, center, listing.readable_end) else {
        return None;
    };
    let (count, stride) = (usize::try_from(count).ok()?, usize::try_from(stride).ok()?);
    let span = count.checked_sub(1)?.checked_mul(stride)?;
    let last_start = listing.frames.len().checked_sub(span.saturating_add(1))?;
    let start = middle.saturating_sub(span / 2).min(last_start);
    Some(
        (0..count)
            .map(|i| start.saturating_add(i.saturating_mul(stride)))
            .collect(),
    )
}

fn at_rate(count: u32, rate: f64, center: i64, listing: Listing<'_>) -> Option<Vec<usize>> {
    if center >= listing.readable_end {
        return None;
    }
    let step = 1.0 / (rate * listing.tick_s);
    let span = f64::from(count.checked_sub(1)?) * step;
    let last_start = listing.readable_end.saturating_sub(1) as f64 - span;
    if last_start.is_nan() || last_start < 0.0 {
        return None;
    }
    let start = (center as f64 - span / 2.0).clamp(0.0, last_start);
    (0..count)
        .map(|i| {
            let tick = whole(start + f64::from(i) * step);
            match on_screen_at(listing.frames, tick, listing.readable_end) {
                Choice::Frame(index) => Some(index),
                Choice::Missing => None,
            }
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and the value lies between 0 and the readable end"
)]
fn whole(ticks: f64) -> i64 {
    ticks as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    /// 25 frames a second in ticks of a millisecond.
    fn listed(count: usize) -> Vec<ListedFrame> {
        (0..count)
            .map(|i| ListedFrame {
                tick: i64::try_from(i).unwrap() * 40,
                keyframe: i == 0,
            })
            .collect()
    }

    fn windows(count: u32, frames: u32, step: Step, video: usize) -> Vec<Option<Vec<usize>>> {
        let plan = WindowPlan {
            count,
            frames,
            step,
        };
        plan.validate().unwrap();
        let listed = listed(video);
        let end = i64::try_from(video).unwrap() * 40;
        choose_windows(
            plan,
            Listing {
                frames: &listed,
                duration: end,
                readable_end: end,
                tick_s: 0.001,
            },
        )
    }

    #[test]
    fn windows_lie_around_the_centres_of_their_slices() {
        let got = windows(2, 4, Step::Stride(2), 100);
        assert_eq!(
            got,
            [Some(vec![22, 24, 26, 28]), Some(vec![72, 74, 76, 78])]
        );
        // The centres are at 1 s and 3 s; four frames at 5 a second span 0.6 s.
        let got = windows(2, 4, Step::Rate(5.0), 100);
        assert_eq!(
            got,
            [Some(vec![17, 22, 27, 32]), Some(vec![67, 72, 77, 82])]
        );
    }

    #[test]
    fn a_window_is_moved_inwards_and_counts_once() {
        assert_eq!(
            windows(3, 4, Step::Stride(1), 5),
            [Some(vec![0, 1, 2, 3]), Some(vec![1, 2, 3, 4])]
        );
    }

    #[test]
    fn a_rate_above_the_videos_shows_frames_twice() {
        assert_eq!(windows(1, 4, Step::Rate(50.0), 4), [Some(vec![1, 1, 2, 2])]);
    }

    #[test]
    fn a_video_that_is_too_short_has_no_window() {
        assert_eq!(windows(2, 16, Step::Stride(1), 15), [None, None]);
        assert_eq!(windows(1, 16, Step::Rate(8.0), 25), [None]);
        assert_eq!(windows(1, 2, Step::Stride(1), 1), [None]);
    }

    #[test]
    fn figures_out_of_range_are_refused() {
        let plan = |count, frames, step| WindowPlan {
            count,
            frames,
            step,
        };
        for bad in [
            plan(0, 2, Step::Stride(1)),
            plan(65, 2, Step::Stride(1)),
            plan(1, 1, Step::Stride(1)),
            plan(1, 65, Step::Stride(1)),
            plan(1, 2, Step::Stride(0)),
            plan(1, 2, Step::Rate(0.0)),
            plan(1, 2, Step::Rate(f64::NAN)),
            plan(1, 2, Step::Rate(121.0)),
        ] {
            assert!(bad.validate().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn windows_are_whole_ascending_and_inside(
            video in 1usize..300,
            count in 1u32..=64,
            frames in 2u32..=64,
            stride in 1u32..20,
            rate in 0.5f64..120.0,
        ) {
            for step in [Step::Stride(stride), Step::Rate(rate)] {
                let got = windows(count, frames, step, video);
                prop_assert!(!got.is_empty() && got.len() <= count as usize);
                for window in got.into_iter().flatten() {
                    prop_assert_eq!(window.len(), frames as usize);
                    prop_assert!(window.windows(2).all(|w| w[0] <= w[1]));
                    prop_assert!(window.iter().all(|i| *i < video));
                }
            }
        }
    }
}
