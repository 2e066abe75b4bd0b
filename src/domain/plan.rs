//! Everything that one request wants to see of a video: single frames, and windows of them.

use serde::{Deserialize, Serialize};

use super::sampling::SamplingPlan;
use super::windows::{InvalidWindow, WindowPlan};

/// The union of what all models of a request want; each frame is decoded once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramePlan {
    /// Single frames.
    pub stills: SamplingPlan,
    /// Windows, each kind once.
    pub windows: Vec<WindowPlan>,
}

/// A plan that asks for too much.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidPlan {
    /// A window out of range.
    #[error(transparent)]
    Window(#[from] InvalidWindow),
    /// Too many frames together.
    #[error(
        "the request's models want up to {got} frames of a video together, at most {} are decoded",
        FramePlan::MAX_FRAMES
    )]
    TooManyFrames {
        /// What they want.
        got: u64,
    },
}

impl FramePlan {
    /// The most frames that one request's models can want together.
    pub const MAX_FRAMES: u32 = 2048;

    /// A plan of single frames and windows, equal ones once; an error when that is too much.
    pub fn new(
        stills: SamplingPlan,
        windows: impl IntoIterator<Item = WindowPlan>,
    ) -> Result<Self, InvalidPlan> {
        let mut distinct: Vec<WindowPlan> = Vec::new();
        for window in windows {
            window.validate()?;
            if !distinct.contains(&window) {
                distinct.push(window);
            }
        }
        let plan = Self {
            stills,
            windows: distinct,
        };
        let got = plan.most_frames();
        if got > u64::from(Self::MAX_FRAMES) {
            return Err(InvalidPlan::TooManyFrames { got });
        }
        Ok(plan)
    }

    /// Frames that the plan can come down to at most.
    pub fn most_frames(&self) -> u64 {
        let windows = self
            .windows
            .iter()
            .map(|window| u64::from(window.count).saturating_mul(u64::from(window.frames)));
        windows.fold(u64::from(self.stills.frames), u64::saturating_add)
    }
}

impl From<SamplingPlan> for FramePlan {
    /// Single frames only.
    fn from(stills: SamplingPlan) -> Self {
        Self {
            stills,
            windows: Vec::new(),
        }
    }
}

impl std::fmt::Display for FramePlan {
    /// The form that stands in a receipt, such as `keyframe/16+4x16/2`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.stills)?;
        self.windows
            .iter()
            .try_for_each(|window| write!(f, "+{window}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::windows::Step;

    fn window(count: u32, step: Step) -> WindowPlan {
        WindowPlan {
            count,
            frames: 64,
            step,
        }
    }

    #[test]
    fn equal_windows_count_once_and_all_stand_in_the_receipt() {
        let (two, other) = (window(4, Step::Stride(2)), window(4, Step::Rate(12.5)));
        let plan = FramePlan::new(SamplingPlan::default(), [two, other, two]).unwrap();
        assert_eq!(plan.to_string(), "keyframe/16+4x64/2+4x64@12.5");
        assert_eq!(plan.most_frames(), 16 + 2 * 4 * 64);
    }

    #[test]
    fn too_much_together_is_refused() {
        let error = FramePlan::new(SamplingPlan::default(), [window(32, Step::Stride(1))]);
        assert_eq!(error, Err(InvalidPlan::TooManyFrames { got: 2064 }));
        assert!(FramePlan::new(SamplingPlan::default(), [window(0, Step::Stride(1))]).is_err());
    }
}
