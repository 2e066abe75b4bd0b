//! What is chosen by grouped cross-validation, and log-odds of clips that a head never saw.

use super::balance::Balance;
use super::calibrate::{Kind, apply};
use super::clips::Clips;
use super::error::FitError;
use super::limits::Limits;
use super::second::Second;
use super::settle::settle;
use super::solver::Linear;
use super::stage::Stage;
use crate::domain::calibration::Calibration;

/// Strengths C that are tried: how much the data counts against small weights.
pub const STRENGTHS: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.1];

/// What is tried, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Folds of whole groups, at least 3.
    pub folds: usize,
    /// Orders groups of equal size.
    pub seed: u64,
    /// How often it is done, with folds of seeds that follow `seed`; at least 1. The figures are
    /// means: which groups share a fold moves them, the more the fewer groups there are.
    pub repeats: usize,
    /// What counts the same.
    pub balance: Balance,
    /// Values of C, ascending, at least one.
    pub strengths: Vec<f64>,
    /// How much of the head of a second set is added; `[0.0]` without one.
    pub shares: Vec<f64>,
    /// The calibration.
    pub kind: Kind,
    /// Share of the real clips that may reach `substantial_evidence`.
    pub max_fpr: f64,
}

impl Plan {
    /// Of the folds, one a repeat.
    pub fn seeds(&self) -> impl Iterator<Item = u64> {
        let seed = self.seed;
        (0..self.repeats as u64).map(move |place| seed.wrapping_add(place))
    }

    /// Array by array, strength by strength, share by share.
    pub(super) fn choices(&self, arrays: usize) -> Vec<Choice> {
        let strengths =
            (0..arrays).flat_map(|array| self.strengths.iter().map(move |c| (array, *c)));
        let shares = strengths.flat_map(|(array, strength)| {
            self.shares.iter().map(move |share| Choice {
                array,
                strength,
                share: *share,
            })
        });
        shares.collect()
    }
}

/// One of the combinations that are tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Which array of the clips.
    pub array: usize,
    /// The C of the clips' head.
    pub strength: f64,
    /// How much of the second set's head is added.
    pub share: f64,
}

/// What came of choosing and calibrating on some folds, by clips that the heads didn't see.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// What won.
    pub choice: Choice,
    /// Fitted to the winner's log-odds; both classes weigh the same, and clips within a class.
    pub calibration: Calibration,
    /// Where verdicts begin.
    pub limits: Limits,
}

/// What one way to put the groups into folds says of the clips.
#[derive(Debug, Clone)]
pub struct Round {
    /// Fold of each clip.
    pub fold: Vec<usize>,
    /// By clip, the scores that [`Fitted::settled`] was found by: of a head without the clip's fold.
    pub seen: Vec<f64>,
    /// For each fold, what was settled inside of the others.
    pub inner: Vec<Settled>,
    /// By clip, the score of a head that was fitted, chosen and calibrated without the clip's fold.
    pub unseen: Vec<f64>,
    /// The same head's log-odds after the Platt map by which it was chosen, which brings heads of
    /// different folds to one scale.
    pub unseen_order: Vec<f64>,
}

/// A head and what is known of it.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// On the embeddings as they are.
    pub head: Linear,
    /// By all clips of all rounds.
    pub settled: Settled,
    /// All that was tried, with its loss on held-out groups (log loss after the best Platt map),
    /// the mean of the rounds.
    pub tried: Vec<(Choice, f64)>,
    /// At least one; [`Plan::repeats`] of them.
    pub rounds: Vec<Round>,
    /// The C of the second set's head, of [`Plan::strengths`].
    pub second_strength: Option<f64>,
}

/// Fits a head to `clips`, with a part of one that is fitted to `second` added to it. What is
/// chosen and calibrated is so by folds of whole groups, as often as [`Plan::repeats`] says with
/// other folds, and for the scores of unseen clips inside of the other folds. Clips of `second` in
/// groups of a fold that is left out are left out too.
pub fn fit(clips: &Clips, second: Option<&Clips>, plan: &Plan) -> Result<Fitted, FitError> {
    let second = second.map(|set| Second::new(set, plan)).transpose()?;
    let choices = plan.choices(clips.arrays.len());
    let mut stages = Vec::new();
    for seed in plan.seeds() {
        let stage = Stage::new(clips, plan, second.as_ref(), seed)?;
        let played = stage.round(&choices)?;
        stages.push((stage, played));
    }
    let found = settle(plan, &choices, |place| {
        let said = stages.iter();
        said.map(|(stage, played)| stage.without_own(&played.ones, place))
            .collect()
    })?;
    let whole = Stage::new(clips, plan, second.as_ref(), plan.seed)?;
    let mut rounds = Vec::new();
    for (stage, played) in stages {
        let held = stage.without_own(&played.ones, found.best);
        let mut round = played.round;
        for (clip, logit) in held.clips.iter().zip(&held.logits) {
            round.seen[*clip] = apply(&found.settled.calibration, *logit)?;
        }
        rounds.push(round);
    }
    Ok(Fitted {
        head: whole.head(found.settled.choice)?,
        settled: found.settled,
        tried: choices.into_iter().zip(found.losses).collect(),
        rounds,
        second_strength: second.as_ref().map(|second| second.strength),
    })
}
