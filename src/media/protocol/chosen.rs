//! What a plan came down to, as the child says and the server checks it.

use serde::{Deserialize, Serialize};

use super::ProtocolError;
use crate::domain::media::MediaFacts;
use crate::domain::plan::FramePlan;

/// Which frames the plan came down to, before they are decoded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Times of the distinct frames that will be tried, ascending, in seconds after the first
    /// video frame. A frame's index is its place here.
    pub times_s: Vec<f64>,
    /// The single frames.
    pub stills: ChosenStills,
    /// The windows, in the order of the plan.
    pub windows: Vec<ChosenWindows>,
}

/// The single frames of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenStills {
    /// Their indices, ascending.
    pub frames: Vec<u32>,
    /// Slices of the plan whose moment lies behind the readable end of the file.
    pub missing: u32,
}

/// The windows of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenWindows {
    /// For each window the indices of its frames, ascending; an index can come twice.
    pub windows: Vec<Vec<u32>>,
    /// Windows that can't be had: the video is too short, or cut short before them.
    pub missing: u32,
}

impl ChosenStills {
    /// Frames that count as planned: those to be tried and those that can't exist.
    pub fn planned(&self) -> u32 {
        planned(self.frames.len(), self.missing)
    }
}

impl ChosenWindows {
    /// Windows that count as planned: those to be tried and those that can't exist.
    pub fn planned(&self) -> u32 {
        planned(self.windows.len(), self.missing)
    }
}

fn planned(tried: usize, missing: u32) -> u32 {
    u32::try_from(tried)
        .unwrap_or(u32::MAX)
        .saturating_add(missing)
}

/// Checks that a choice can be an answer to `plan`: distinct finite ascending times, each wanted;
/// no more single frames and windows than were asked for, each window whole and in order.
pub fn check_chosen(chosen: &Chosen, plan: &FramePlan) -> Result<(), ProtocolError> {
    let lie = |what| Err(ProtocolError::Lie(what));
    let ascending = chosen.times_s.windows(2).all(|pair| match pair {
        [a, b] => a < b,
        _ => true,
    });
    if !ascending || chosen.times_s.iter().any(|t| !t.is_finite() || *t < 0.0) {
        return lie("chosen times do not ascend");
    }
    if chosen.stills.planned() > plan.stills.frames {
        return lie("more frames chosen than planned");
    }
    if chosen.windows.len() != plan.windows.len() {
        return lie("chosen windows of other kinds than planned");
    }
    let stills = &chosen.stills.frames;
    if !stills.is_sorted_by(|a, b| a < b) {
        return lie("chosen frames do not ascend");
    }
    let mut wanted = vec![false; chosen.times_s.len()];
    mark(&mut wanted, stills)?;
    for (windows, kind) in chosen.windows.iter().zip(&plan.windows) {
        if windows.planned() > kind.count {
            return lie("more windows chosen than planned");
        }
        for window in &windows.windows {
            if u32::try_from(window.len()) != Ok(kind.frames) || !window.is_sorted() {
                return lie("a window that is not whole or not in order");
            }
            mark(&mut wanted, window)?;
        }
    }
    if wanted.contains(&false) {
        return lie("a chosen time that nothing wants");
    }
    Ok(())
}

fn mark(wanted: &mut [bool], indices: &[u32]) -> Result<(), ProtocolError> {
    for index in indices {
        let index = usize::try_from(*index).unwrap_or(usize::MAX);
        *wanted
            .get_mut(index)
            .ok_or(ProtocolError::Lie("a chosen frame without a time"))? = true;
    }
    Ok(())
}

/// Checks that the chosen times lie within the video.
pub fn check_times(chosen: &Chosen, facts: &MediaFacts) -> Result<(), ProtocolError> {
    if chosen.times_s.iter().any(|time| *time > facts.duration_s) {
        return Err(ProtocolError::Lie("a chosen time behind the video's end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sampling::{SamplingPlan, Strategy};
    use crate::domain::windows::{Step, WindowPlan};

    fn plan() -> FramePlan {
        let stills = SamplingPlan::new(Strategy::Uniform, 2).unwrap();
        let windows = WindowPlan {
            count: 2,
            frames: 3,
            step: Step::Stride(1),
        };
        FramePlan::new(stills, [windows]).unwrap()
    }

    fn chosen() -> Chosen {
        Chosen {
            times_s: vec![0.0, 0.5, 1.0, 1.5],
            stills: ChosenStills {
                frames: vec![0, 2],
                missing: 0,
            },
            windows: vec![ChosenWindows {
                windows: vec![vec![1, 2, 3]],
                missing: 1,
            }],
        }
    }

    #[test]
    fn a_choice_of_the_plan_is_taken() {
        check_chosen(&chosen(), &plan()).unwrap();
        let twice = |c: &mut Chosen| c.windows[0].windows[0] = vec![1, 3, 3];
        let mut repeated = chosen();
        twice(&mut repeated);
        check_chosen(&repeated, &plan()).unwrap();
    }

    #[test]
    fn choices_that_do_not_answer_the_plan_are_lies() {
        type Lie = fn(&mut Chosen);
        let lies: [(&str, Lie); 12] = [
            ("times stand still", |c| c.times_s[1] = 0.0),
            ("no time", |c| c.times_s[0] = f64::NAN),
            ("before the video", |c| c.times_s[0] = -1.0),
            ("too many frames", |c| c.stills.missing = 1),
            ("frames stand still", |c| c.stills.frames = vec![2, 2]),
            ("no such frame", |c| c.stills.frames = vec![0, 4]),
            ("another kind", |c| c.windows.push(ChosenWindows::default())),
            ("too many windows", |c| c.windows[0].missing = 2),
            ("short window", |c| c.windows[0].windows[0] = vec![1, 3]),
            ("backwards", |c| c.windows[0].windows[0] = vec![3, 2, 1]),
            ("no such frame", |c| {
                c.windows[0].windows[0] = vec![1, 3, 9];
            }),
            ("unwanted time", |c| c.stills.frames = vec![2]),
        ];
        for (what, lie) in lies {
            let mut chosen = chosen();
            lie(&mut chosen);
            assert!(check_chosen(&chosen, &plan()).is_err(), "{what}");
        }
    }
}
