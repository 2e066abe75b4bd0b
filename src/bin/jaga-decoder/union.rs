//! The union of everything that a plan wants of a video: each frame once.

use std::collections::{BTreeMap, BTreeSet};

use jaga::domain::plan::FramePlan;
use jaga::domain::sampling::{Choice, choose};
use jaga::domain::windows::{Listing, choose_windows};
use jaga::media::protocol::{Chosen, ChosenStills, ChosenWindows};

use crate::timeline::Timeline;

/// Frames by their place in the timeline.
pub(crate) struct Union {
    /// All of them, ascending.
    pub(crate) places: Vec<usize>,
    stills: Vec<Choice>,
    windows: Vec<Vec<Option<Vec<usize>>>>,
}

impl Union {
    /// What `plan` wants of a video with `timeline` that claims `duration` ticks of `tick_s`.
    pub(crate) fn of(plan: &FramePlan, timeline: &Timeline, duration: i64, tick_s: f64) -> Self {
        let frames = timeline.listed();
        let listing = Listing {
            frames: &frames,
            duration,
            readable_end: timeline.end,
            tick_s,
        };
        let stills = choose(plan.stills, &frames, duration, timeline.end);
        let windows: Vec<_> = plan
            .windows
            .iter()
            .map(|kind| choose_windows(*kind, listing))
            .collect();
        let single = stills.iter().filter_map(|choice| match choice {
            Choice::Frame(place) => Some(*place),
            Choice::Missing => None,
        });
        let in_windows = windows.iter().flatten().flatten().flatten().copied();
        let places: BTreeSet<usize> = single.chain(in_windows).collect();
        Self {
            places: places.into_iter().collect(),
            stills,
            windows,
        }
    }

    /// The same by index into `places`, which have `times_s`.
    pub(crate) fn chosen(&self, times_s: Vec<f64>) -> Chosen {
        let indices: BTreeMap<usize, u32> = self.places.iter().copied().zip(0..).collect();
        let index = |place: &usize| indices.get(place).copied();
        let mut stills = ChosenStills::default();
        for choice in &self.stills {
            match choice {
                Choice::Frame(place) => stills.frames.extend(index(place)),
                Choice::Missing => stills.missing += 1,
            }
        }
        let windows = self.windows.iter().map(|kind| {
            let mut chosen = ChosenWindows::default();
            for window in kind {
                match window {
                    Some(places) => chosen
                        .windows
                        .push(places.iter().filter_map(index).collect()),
                    None => chosen.missing += 1,
                }
            }
            chosen
        });
        Chosen {
            windows: windows.collect(),
            times_s,
            stills,
        }
    }
}
