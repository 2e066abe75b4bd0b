//! A model's samples by what is counted: single frames, or windows.

use std::collections::BTreeMap;

use super::{Evidence, count};
use crate::domain::coverage::Coverage;
use crate::domain::quality::LeftOut;
use crate::domain::report::NoAnswer;
use crate::domain::score::Logit;
use crate::media::protocol::ChosenWindows;
use crate::pipeline::frames::{Outcome, Place, Sample};
use crate::pipeline::views::View;

/// What became of one model's inputs.
pub(super) struct Units<'a> {
    /// In order of time.
    pub(super) samples: &'a [Sample],
    /// What the model's coverage says.
    pub(super) coverage: Coverage,
    /// Units that it wasn't asked about.
    pub(super) left_out: BTreeMap<LeftOut, u32>,
    /// Which kind of window; single frames without.
    window: Option<usize>,
}

impl<'a> Units<'a> {
    /// The samples of the request's model in `place`, which sees `view`.
    pub(super) fn of(place: usize, view: &View, evidence: &'a Evidence<'_>) -> Self {
        let outputs = evidence.outputs;
        let samples: &[Sample] = outputs.samples.get(place).map_or(&[], Vec::as_slice);
        let mut units: BTreeMap<usize, Outcome> = BTreeMap::new();
        for sample in samples {
            let unit = sample.place.window.unwrap_or(sample.place.frame);
            let worst = units.entry(unit).or_insert(sample.outcome);
            *worst = joined(*worst, sample.outcome);
        }
        let mut left_out = BTreeMap::new();
        let (mut scored, mut spared) = (0_usize, 0_usize);
        for outcome in units.values() {
            match outcome {
                Outcome::Scored(_) => scored = scored.saturating_add(1),
                Outcome::LeftOut(reason) => {
                    let seen: &mut u32 = left_out.entry(*reason).or_default();
                    *seen = seen.saturating_add(1);
                }
                Outcome::Spared => spared = spared.saturating_add(1),
                Outcome::Failed => {}
            }
        }
        let (planned, decoded) = match view.window {
            None => {
                let stills = outputs.sights.iter().filter(|sight| sight.still);
                (outputs.chosen.stills.planned(), stills.count())
            }
            Some(kind) => {
                let windows = outputs.chosen.windows.get(kind);
                (windows.map_or(0, ChosenWindows::planned), units.len())
            }
        };
        let skipped = left_out
            .values()
            .fold(0, |sum: u32, n| sum.saturating_add(*n));
        Self {
            samples,
            coverage: Coverage::new(planned, count(decoded), count(scored))
                .leaving_out(skipped)
                .sparing(count(spared)),
            left_out,
            window: view.window,
        }
    }

    /// The inputs that have a score, each with its logit.
    pub(super) fn scored(&self) -> impl Iterator<Item = (Place, Logit)> {
        self.samples
            .iter()
            .filter_map(|sample| match sample.outcome {
                Outcome::Scored(logit) => Some((sample.place, logit)),
                Outcome::LeftOut(_) | Outcome::Spared | Outcome::Failed => None,
            })
    }

    /// Whether windows are counted, not frames.
    pub(super) fn is_windowed(&self) -> bool {
        self.window.is_some()
    }

    /// Times of the first and of the last picture of an input.
    pub(super) fn span_s(&self, place: Place, evidence: &Evidence<'_>) -> [f64; 2] {
        let chosen = &evidence.outputs.chosen;
        let time = |index: usize| chosen.times_s.get(index).copied().unwrap_or_default();
        let window = self
            .window
            .zip(place.window)
            .and_then(|(kind, window)| chosen.windows.get(kind)?.windows.get(window));
        let at = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
        window
            .and_then(|frames| Some([time(at(frames.first()?)), time(at(frames.last()?))]))
            .unwrap_or([time(place.frame); 2])
    }

    /// Why there is no score although pictures were looked at, or too few were.
    pub(super) fn reason(&self) -> NoAnswer {
        if self.coverage.decoded == 0 && self.window.is_some() {
            return NoAnswer::TooShort;
        }
        // The most frequent reason; of equal ones the first in their order.
        let most = self.left_out.iter().rev().max_by_key(|(_, n)| **n);
        match most {
            Some((reason, n)) if *n >= self.coverage.failed => NoAnswer::LeftOut(*reason),
            _ => NoAnswer::LowCoverage,
        }
    }
}

/// Of several faces in one unit: scored when one is, failed when one failed.
fn joined(a: Outcome, b: Outcome) -> Outcome {
    match (a, b) {
        (Outcome::Failed | Outcome::LeftOut(_) | Outcome::Spared, Outcome::Scored(_))
        | (Outcome::LeftOut(_), Outcome::Failed) => b,
        (Outcome::Scored(_) | Outcome::Failed | Outcome::LeftOut(_) | Outcome::Spared, _) => a,
    }
}
