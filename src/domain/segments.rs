//! Which part of the video a score comes from.
//!
//! Each scored frame stands for the time around it: half-way to its neighbours, and never more
//! than one slice of the sampling plan, so that a stretch without a scored frame is not covered.
//! Neighbouring frames with the same verdict form a segment.

use serde::Serialize;
use utoipa::ToSchema;

use super::aggregation::Aggregation;
use super::calibration::Calibration;
use super::score::{Logit, Probability};
use super::verdict::Thresholds;

/// A stretch of the video whose frames agree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Segment {
    /// Seconds after the first video frame.
    pub start_s: f64,
    /// Seconds after the first video frame; equal to the start for a still image.
    pub end_s: f64,
    /// Aggregated and calibrated as the video's score is, over this segment's frames.
    pub score: Probability,
}

/// A frame with its model's raw output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredFrame {
    /// Seconds after the first video frame.
    pub time_s: f64,
    /// Uncalibrated.
    pub logit: Logit,
}

/// How a model turns frame outputs into a score.
#[derive(Debug, Clone, Copy)]
pub struct Scale<'a> {
    /// Over time.
    pub aggregation: Aggregation,
    /// Of the aggregated value, and of a frame's for display.
    pub calibration: &'a Calibration,
    /// On the calibrated score.
    pub thresholds: Thresholds,
}

impl Scale<'_> {
    /// The aggregated value of some frames, not calibrated; `None` without a frame.
    pub fn aggregate(&self, frames: &[ScoredFrame]) -> Option<Logit> {
        let logits: Vec<Logit> = frames.iter().map(|f| f.logit).collect();
        self.aggregation.apply(&logits)
    }

    /// The calibrated score of some frames; `None` without a frame.
    pub fn score(&self, frames: &[ScoredFrame]) -> Option<Probability> {
        self.calibration.apply(self.aggregate(frames)?).ok()
    }
}

/// Cuts `frames` (ascending in time) into segments. `duration_s` is the video's length and
/// `planned` the number of frames that its plan asked for.
pub fn segments(
    frames: &[ScoredFrame],
    duration_s: f64,
    planned: u32,
    scale: &Scale<'_>,
) -> Vec<Segment> {
    let reach_s = duration_s / f64::from(planned.max(1));
    runs(frames, reach_s, scale)
        .filter_map(|(before, run, after)| {
            let (first, last) = (run.first()?, run.last()?);
            let start_s = before.map_or(0.0, |b| f64::midpoint(b.time_s, first.time_s));
            let end_s = after.map_or(duration_s, |a| f64::midpoint(last.time_s, a.time_s));
            Some(Segment {
                start_s: start_s.max(first.time_s - reach_s).max(0.0),
                end_s: end_s.min(last.time_s + reach_s).max(last.time_s),
                score: scale.score(run)?,
            })
        })
        .collect()
}

type Neighbours<'a> = (
    Option<&'a ScoredFrame>,
    &'a [ScoredFrame],
    Option<&'a ScoredFrame>,
);

/// Runs of frames with the same verdict and no gap, each with the frames beside it.
fn runs<'a>(
    frames: &'a [ScoredFrame],
    reach_s: f64,
    scale: &Scale<'_>,
) -> impl Iterator<Item = Neighbours<'a>> {
    // Rounding of times must not open a gap between neighbours of an even plan.
    let gap_s = reach_s * 2.0 * (1.0 + 1e-9);
    let verdict = |frame: &ScoredFrame| {
        scale
            .thresholds
            .judge(scale.calibration.apply(frame.logit).ok())
    };
    let mut rest = frames;
    let mut before = None;
    std::iter::from_fn(move || {
        let level = verdict(rest.first()?);
        let same = rest.windows(2).take_while(|pair| match pair {
            [a, b] => verdict(b) == level && b.time_s - a.time_s <= gap_s,
            _ => false,
        });
        let length = same.count().saturating_add(1);
        let (run, tail) = rest.split_at_checked(length)?;
        let found = (before, run, tail.first());
        before = run.last();
        rest = tail;
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(scores: &[(f64, f64)]) -> Vec<ScoredFrame> {
        scores
            .iter()
            .map(|(time_s, p)| ScoredFrame {
                time_s: *time_s,
                logit: Probability::new(*p).unwrap().logit(),
            })
            .collect()
    }

    fn cut(scores: &[(f64, f64)], duration_s: f64, planned: u32) -> Vec<(f64, f64, f64)> {
        let scale = Scale {
            aggregation: Aggregation::Mean,
            calibration: &Calibration::None,
            thresholds: Thresholds {
                substantial_evidence: Probability::new(0.9).unwrap(),
                little_evidence: Probability::new(0.2).unwrap(),
            },
        };
        segments(&frames(scores), duration_s, planned, &scale)
            .into_iter()
            .map(|s| (s.start_s, s.end_s, (s.score.get() * 1e6).round() / 1e6))
            .collect()
    }

    #[test]
    fn a_changed_verdict_starts_a_segment_half_way() {
        let got = cut(&[(1.0, 0.5), (3.0, 0.7), (5.0, 0.95), (7.0, 0.97)], 8.0, 4);
        assert_eq!(got, [(0.0, 4.0, 0.6), (4.0, 8.0, 0.96)]);
    }

    #[test]
    fn a_stretch_without_scored_frames_is_not_covered() {
        let got = cut(&[(1.0, 0.5), (9.0, 0.5)], 16.0, 8);
        assert_eq!(got, [(0.0, 3.0, 0.5), (7.0, 11.0, 0.5)]);
    }

    #[test]
    fn a_still_image_is_one_segment_of_no_length() {
        assert_eq!(cut(&[(0.0, 0.5)], 0.0, 1), [(0.0, 0.0, 0.5)]);
    }

    #[test]
    fn no_frame_no_segment() {
        assert!(cut(&[], 5.0, 4).is_empty());
    }
}
