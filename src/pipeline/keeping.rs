//! What is kept of an analysis, so that its report can be scored again.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::AnalyzeError;
use crate::domain::frame::Frame;
use crate::domain::media::MediaFacts;
use crate::domain::plan::FramePlan;
use crate::media::protocol::{Chosen, ChosenStills, ChosenWindows};
use crate::store::kept::{FrameWriter, pack};
use crate::store::{KeptError, Shelf};

/// What frames are worth nothing without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keepsake {
    /// BLAKE3 of the upload, hex: what is drawn is drawn by it.
    pub(super) blake3: String,
    /// Bytes of the upload.
    pub(super) bytes: u64,
    /// What the decoder found.
    pub(super) facts: MediaFacts,
    /// What was asked for.
    pub(super) plan: FramePlan,
    /// What that came down to.
    pub(super) chosen: Chosen,
}

/// A part of the kept frames.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// As if only that had been asked for.
    pub(super) chosen: Chosen,
    /// By old place the new one; none for frames of other parts.
    pub(super) wanted: Vec<Option<usize>>,
}

impl Keepsake {
    /// What `plan` would have come down to; an error for windows that weren't asked for then.
    pub(super) fn part(&self, plan: &FramePlan) -> Result<Part, AnalyzeError> {
        let mut windows = Vec::with_capacity(plan.windows.len());
        for kind in &plan.windows {
            let mut known = self.plan.windows.iter().zip(&self.chosen.windows);
            let found = known.find(|(own, _)| *own == kind);
            let (_, chosen) = found.ok_or_else(|| AnalyzeError::KeptPlan {
                kept: self.plan.to_string(),
                wanted: plan.to_string(),
            })?;
            windows.push(chosen.clone());
        }
        let stills = &self.chosen.stills;
        let of_windows = windows
            .iter()
            .flat_map(|kind| kind.windows.iter().flatten());
        let all: BTreeSet<u32> = stills.frames.iter().chain(of_windows).copied().collect();
        let mut wanted = vec![None; self.chosen.times_s.len()];
        let mut times_s = Vec::with_capacity(all.len());
        for old in all {
            let old = usize::try_from(old).unwrap_or(usize::MAX);
            let slot = wanted.get_mut(old).zip(self.chosen.times_s.get(old));
            let (slot, moment) = slot.ok_or(AnalyzeError::Kept(KeptError::Picture {
                what: "a frame without a time",
            }))?;
            *slot = Some(times_s.len());
            times_s.push(*moment);
        }
        let new = |old: &u32| {
            let place = usize::try_from(*old).ok().and_then(|old| *wanted.get(old)?);
            place.and_then(|place| u32::try_from(place).ok())
        };
        let chosen = Chosen {
            times_s,
            stills: ChosenStills {
                frames: stills.frames.iter().filter_map(new).collect(),
                missing: stills.missing,
            },
            windows: windows
                .iter()
                .map(|kind| ChosenWindows {
                    windows: kind
                        .windows
                        .iter()
                        .map(|window| window.iter().filter_map(new).collect())
                        .collect(),
                    missing: kind.missing,
                })
                .collect(),
        };
        Ok(Part { chosen, wanted })
    }
}

/// Takes the frames of one analysis while they pass. What goes wrong is told at the end: the report
/// doesn't depend on it.
#[derive(Debug)]
pub(super) struct Keeper {
    /// `None` once it was taken.
    writer: Mutex<Option<Result<FrameWriter, KeptError>>>,
}

impl Keeper {
    pub(super) fn begin(shelf: &Shelf) -> Self {
        Self {
            writer: Mutex::new(Some(shelf.begin())),
        }
    }

    /// Takes the frame that came in `place`. Computes, and blocks on the disk.
    pub(super) fn add(&self, place: usize, frame: &Frame) {
        let has_failed = matches!(&*self.lock(), None | Some(Err(_)));
        if has_failed {
            return;
        }
        let packed = pack(&frame.picture);
        let mut slot = self.lock();
        if let Some(Ok(writer)) = &mut *slot
            && let Err(error) = writer.add(place, (frame.index, frame.time_s), &packed)
        {
            *slot = Some(Err(error));
        }
    }

    /// Keeps them as those of `report`. Blocks on the disk.
    pub(super) fn finish(
        &self,
        archive: &Shelf,
        report: &str,
        keepsake: &Keepsake,
    ) -> Result<(), KeptError> {
        let writer = self.lock().take();
        let Some(writer) = writer else { return Ok(()) };
        let about = serde_json::to_string(keepsake).map_err(|_| KeptError::Picture {
            what: "a keepsake without a JSON form",
        })?;
        archive.keep(writer?, report, about)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Result<FrameWriter, KeptError>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media::ColorFacts;
    use crate::domain::sampling::{SamplingPlan, Strategy};
    use crate::domain::windows::{Step, WindowPlan};
    use crate::media::protocol::check_chosen;

    fn window(frames: u32) -> WindowPlan {
        WindowPlan {
            count: 1,
            frames,
            step: Step::Stride(1),
        }
    }

    fn keepsake() -> Keepsake {
        let stills = SamplingPlan::new(Strategy::Uniform, 3).unwrap();
        Keepsake {
            blake3: String::new(),
            bytes: 1,
            facts: MediaFacts {
                container: "mov".to_owned(),
                video_codec: "h264".to_owned(),
                width: 4,
                height: 4,
                rotation_deg: 0,
                duration_s: 3.0,
                frame_rate: Some(2.0),
                variable_frame_rate: false,
                color: ColorFacts::default(),
                has_audio: false,
                frame_count: 6,
                truncated: false,
            },
            plan: FramePlan::new(stills, [window(2), window(3)]).unwrap(),
            chosen: Chosen {
                times_s: vec![0.0, 0.5, 1.0, 1.5, 2.0],
                stills: ChosenStills {
                    frames: vec![0, 4],
                    missing: 1,
                },
                windows: vec![
                    ChosenWindows {
                        windows: vec![vec![1, 2]],
                        missing: 0,
                    },
                    ChosenWindows {
                        windows: vec![vec![2, 3, 4]],
                        missing: 0,
                    },
                ],
            },
        }
    }

    #[test]
    fn a_part_is_what_the_smaller_plan_would_have_come_down_to() {
        let keepsake = keepsake();
        let smaller = FramePlan::new(keepsake.plan.stills, [window(3)]).unwrap();
        let part = keepsake.part(&smaller).unwrap();
        check_chosen(&part.chosen, &smaller).unwrap();
        assert_eq!(part.chosen.times_s, [0.0, 1.0, 1.5, 2.0]);
        assert_eq!(part.chosen.windows[0].windows, [[1, 2, 3]]);
        assert_eq!(part.wanted, [Some(0), None, Some(1), Some(2), Some(3)]);
        let whole = keepsake.part(&keepsake.plan).unwrap();
        assert_eq!(whole.chosen, keepsake.chosen);
    }

    #[test]
    fn windows_that_were_not_asked_for_are_not_there() {
        let keepsake = keepsake();
        let other = FramePlan::new(keepsake.plan.stills, [window(4)]).unwrap();
        let error = keepsake.part(&other).unwrap_err().to_string();
        assert!(error.contains("uniform/3+1x4/1"), "{error}");
    }

    #[test]
    fn a_keepsake_comes_back_bit_by_bit() {
        let mut keepsake = keepsake();
        keepsake.chosen.times_s[1] = 1.0 / 3.0;
        let text = serde_json::to_string(&keepsake).unwrap();
        assert_eq!(serde_json::from_str::<Keepsake>(&text).unwrap(), keepsake);
    }
}
