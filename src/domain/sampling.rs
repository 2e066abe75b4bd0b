//! Which frames of a video are looked at.
//!
//! The video is cut into N slices of equal length. Both strategies take at most one frame a slice:
//! `uniform` the frame on screen at the slice's centre, `keyframe` the keyframe of the slice that
//! is nearest to the centre, or the uniform choice when no keyframe lies in the slice.
//! All arithmetic is in the stream's integer ticks, so the choice is exact at any frame rate.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How frames are chosen within the slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The slice's keyframe nearest to its centre, else the exact frame. Cheapest to decode.
    #[default]
    Keyframe,
    /// The exact frame at each slice's centre.
    Uniform,
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keyframe => "keyframe",
            Self::Uniform => "uniform",
        })
    }
}

impl std::str::FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        match text {
            "keyframe" => Ok(Self::Keyframe),
            "uniform" => Ok(Self::Uniform),
            other => Err(UnknownStrategy(other.to_owned())),
        }
    }
}

/// A sampling strategy that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sampling `{0}` is not known; supported: keyframe, uniform")]
pub struct UnknownStrategy(pub String);

/// What a request wants to see of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingPlan {
    /// How frames are chosen.
    pub strategy: Strategy,
    /// Slices, so at most this many frames; 1..=[`SamplingPlan::MAX_FRAMES`].
    pub frames: u32,
}

/// A number of frames outside 1..=256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frames must be 1..={max}, not {got}")]
pub struct FramesOutOfRange {
    /// What was asked.
    pub got: u64,
    /// The most that can be asked.
    pub max: u32,
}

impl SamplingPlan {
    /// The most frames that a request can ask for.
    pub const MAX_FRAMES: u32 = 256;
    /// Frames when a request says nothing.
    pub const DEFAULT_FRAMES: u32 = 16;

    /// A plan of `frames` slices.
    pub fn new(strategy: Strategy, frames: u32) -> Result<Self, FramesOutOfRange> {
        if (1..=Self::MAX_FRAMES).contains(&frames) {
            Ok(Self { strategy, frames })
        } else {
            Err(FramesOutOfRange {
                got: u64::from(frames),
                max: Self::MAX_FRAMES,
            })
        }
    }
}

impl Default for SamplingPlan {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            frames: Self::DEFAULT_FRAMES,
        }
    }
}

impl std::fmt::Display for SamplingPlan {
    /// The form that stands in a receipt, such as `keyframe/16`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.strategy, self.frames)
    }
}

/// One frame of the video as its container lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedFrame {
    /// Presentation time in ticks after the first frame; not negative.
    pub tick: i64,
    /// True when it can be decoded without any other frame.
    pub keyframe: bool,
}

/// A slice's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Index into the list of frames.
    Frame(usize),
    /// The slice's centre lies after the last frame that is really there (a file cut short).
    Missing,
}

/// Chooses a frame for each slice of `plan`.
///
/// `frames` are in order of presentation; `readable_end` is the tick at which the last of them
/// leaves the screen and `duration` the ticks that the video claims to have (at least 1). Slices
/// that choose the same frame as the slice before are merged, so the result has distinct frames
/// in ascending order and may be shorter than the plan.
pub fn choose(
    plan: SamplingPlan,
    frames: &[ListedFrame],
    duration: i64,
    readable_end: i64,
) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for slice in 0..plan.frames {
        let span = Slice::of(slice, plan.frames, duration.max(1));
        let choice = match plan.strategy {
            Strategy::Keyframe => nearest_keyframe(frames, span),
            Strategy::Uniform => None,
        }
        .map_or_else(
            || on_screen_at(frames, span.center, readable_end),
            Choice::Frame,
        );
        let again = matches!(choice, Choice::Frame(_)) && choices.last() == Some(&choice);
        if !again {
            choices.push(choice);
        }
    }
    choices
}

/// Ticks of one slice: `start ≤ tick < end`.
#[derive(Debug, Clone, Copy)]
struct Slice {
    start: i64,
    center: i64,
    end: i64,
}

impl Slice {
    /// Slice `index` of `count` over `duration` ticks; rounds down, in 128 bits so that no
    /// duration overflows.
    fn of(index: u32, count: u32, duration: i64) -> Self {
        let at = |halves: u32| {
            let numerator = i128::from(duration).saturating_mul(i128::from(halves));
            let denominator = i128::from(count.max(1)).saturating_mul(2);
            i64::try_from(numerator.checked_div(denominator).unwrap_or(0)).unwrap_or(i64::MAX)
        };
        let twice = index.saturating_mul(2);
        Self {
            start: at(twice),
            center: at(twice.saturating_add(1)),
            end: at(twice.saturating_add(2)),
        }
    }
}

/// The tick at the centre of slice `index` of `count` over `duration` ticks.
pub(super) fn slice_center(index: u32, count: u32, duration: i64) -> i64 {
    Slice::of(index, count, duration).center
}

fn nearest_keyframe(frames: &[ListedFrame], slice: Slice) -> Option<usize> {
    let from = frames.partition_point(|f| f.tick < slice.start);
    let to = frames.partition_point(|f| f.tick < slice.end);
    (from..to)
        .filter(|i| frames.get(*i).is_some_and(|f| f.keyframe))
        .min_by_key(|i| {
            frames
                .get(*i)
                .map_or(u64::MAX, |f| f.tick.abs_diff(slice.center))
        })
}

/// The frame on screen at `tick`.
pub(super) fn on_screen_at(frames: &[ListedFrame], tick: i64, readable_end: i64) -> Choice {
    if tick >= readable_end {
        return Choice::Missing;
    }
    frames
        .partition_point(|f| f.tick <= tick)
        .checked_sub(1)
        .map_or(Choice::Missing, Choice::Frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, prop_assert, proptest};

    fn constant(count: usize, step: i64, key_every: usize) -> Vec<ListedFrame> {
        (0..count)
            .map(|i| ListedFrame {
                tick: i64::try_from(i).unwrap() * step,
                keyframe: i % key_every == 0,
            })
            .collect()
    }

    fn plan(strategy: Strategy, frames: u32) -> SamplingPlan {
        SamplingPlan::new(strategy, frames).unwrap()
    }

    #[test]
    fn uniform_takes_the_centres() {
        let frames = constant(100, 10, 1);
        let got = choose(plan(Strategy::Uniform, 4), &frames, 1000, 1000);
        assert_eq!(got, [12, 37, 62, 87].map(Choice::Frame));
    }

    #[test]
    fn keyframe_prefers_the_slices_keyframe_nearest_to_its_centre() {
        let frames = constant(100, 10, 20); // keyframes at 0, 20, 40, 60, 80
        let got = choose(plan(Strategy::Keyframe, 4), &frames, 1000, 1000);
        assert_eq!(got, [20, 40, 60, 80].map(Choice::Frame));
    }

    #[test]
    fn keyframe_falls_back_to_the_exact_frame() {
        let frames = constant(100, 10, 100);
        let got = choose(plan(Strategy::Keyframe, 4), &frames, 1000, 1000);
        assert_eq!(got, [0, 37, 62, 87].map(Choice::Frame));
    }

    #[test]
    fn a_short_video_gives_each_frame_once() {
        let frames = constant(3, 10, 3);
        let got = choose(plan(Strategy::Uniform, 16), &frames, 30, 30);
        assert_eq!(got, [0, 1, 2].map(Choice::Frame));
    }

    #[test]
    fn one_frame_without_duration_is_chosen() {
        let frames = constant(1, 1, 1);
        for strategy in [Strategy::Uniform, Strategy::Keyframe] {
            assert_eq!(
                choose(plan(strategy, 16), &frames, 0, 1),
                [Choice::Frame(0)]
            );
        }
    }

    #[test]
    fn what_lies_behind_the_cut_is_missing() {
        let frames = constant(50, 10, 100);
        let got = choose(plan(Strategy::Uniform, 4), &frames, 1000, 500);
        assert_eq!(
            got,
            [
                Choice::Frame(12),
                Choice::Frame(37),
                Choice::Missing,
                Choice::Missing
            ]
        );
    }

    proptest! {
        #[test]
        fn choices_ascend_and_stay_in_the_plan(
            steps in prop::collection::vec((1i64..1000, any::<bool>()), 1..200),
            count in 1u32..=256,
            keyframes in any::<bool>(),
        ) {
            let mut tick = 0;
            let mut frames = Vec::new();
            for (step, keyframe) in steps {
                frames.push(ListedFrame { tick, keyframe });
                tick += step;
            }
            let strategy = if keyframes { Strategy::Keyframe } else { Strategy::Uniform };
            let got = choose(plan(strategy, count), &frames, tick, tick);
            prop_assert!(!got.is_empty() && got.len() <= count as usize);
            let indices: Vec<usize> = got
                .iter()
                .map(|c| match c { Choice::Frame(i) => *i, Choice::Missing => usize::MAX })
                .collect();
            prop_assert!(indices.windows(2).all(|w| w[0] < w[1]), "{indices:?}");
            prop_assert!(indices.iter().all(|i| *i < frames.len()));
        }

        #[test]
        fn no_duration_overflows(duration in any::<i64>(), count in 1u32..=256) {
            let frames = constant(2, 1, 2);
            choose(plan(Strategy::Keyframe, count), &frames, duration, i64::MAX);
        }
    }
}
