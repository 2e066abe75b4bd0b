//! Heads that some folds were left out of, and what is chosen by them.

use super::calibrate::apply;
use super::clips::Clips;
use super::cross::{Choice, Plan, Round};
use super::error::FitError;
use super::folds::folds;
use super::heads::{exact, path};
use super::second::Second;
use super::settle::{Held, settle};
use super::solver::{Data, Linear};
use crate::evaluation::each;

/// A round, and the heads that it left one fold out of.
pub(super) struct Played {
    pub(super) round: Round,
    pub(super) ones: Vec<HeldOut>,
}

/// Log-odds of heads that some folds were left out of.
pub(super) struct HeldOut {
    folds: Vec<usize>,
    /// By choice, then by clip; 0 for clips that were not left out.
    logits: Vec<Vec<f64>>,
}

/// Clips in folds.
pub(super) struct Stage<'a> {
    clips: &'a Clips,
    plan: &'a Plan,
    weights: Vec<f64>,
    fold: Vec<usize>,
    second: Option<&'a Second<'a>>,
}

impl<'a> Stage<'a> {
    /// Puts whole groups into folds, in the order of `seed` where they are of one size.
    pub(super) fn new(
        clips: &'a Clips,
        plan: &'a Plan,
        second: Option<&'a Second<'a>>,
        seed: u64,
    ) -> Result<Self, FitError> {
        Ok(Self {
            clips,
            plan,
            weights: clips.weights(plan.balance),
            fold: folds(&clips.synthetic, &clips.groups, plan.folds, seed)?,
            second,
        })
    }

    /// What a head is worth, by folds of whole groups: for each fold it is chosen and calibrated
    /// inside of the others. Heads without folds i and j tell what to choose for fold i by their
    /// log-odds of j, and the other way round.
    pub(super) fn round(&self, choices: &[Choice]) -> Result<Played, FitError> {
        let folds = 0..self.plan.folds;
        let ones: Vec<Vec<usize>> = folds.clone().map(|i| vec![i]).collect();
        let pairs = folds.clone().flat_map(|i| (0..i).map(move |j| vec![j, i]));
        let pairs: Vec<Vec<usize>> = pairs.collect();
        let (ones, pairs) = (self.all(&ones)?, self.all(&pairs)?);
        let mut round = Round {
            fold: self.fold.clone(),
            seen: vec![0.0; self.fold.len()],
            inner: Vec::new(),
            unseen: vec![0.0; self.fold.len()],
            unseen_order: vec![0.0; self.fold.len()],
        };
        for (held, own) in ones.iter().enumerate() {
            let of_pairs = pairs.iter().filter(|pair| pair.folds.contains(&held));
            let parts = of_pairs.flat_map(|pair| {
                let others = pair.folds.iter().filter(move |fold| **fold != held);
                others.map(move |other| (pair, *other))
            });
            let parts: Vec<_> = parts.collect();
            let found = settle(self.plan, choices, |place| vec![self.held(&parts, place)])?;
            for clip in self.members(held) {
                let logit = own.logits[found.best][clip];
                round.unseen[clip] = apply(&found.settled.calibration, logit)?;
                round.unseen_order[clip] = found.scale.0.mul_add(logit, found.scale.1);
            }
            round.inner.push(found.settled);
        }
        Ok(Played { round, ones })
    }

    /// What a choice said of clips, by heads without their fold.
    pub(super) fn without_own(&self, ones: &[HeldOut], place: usize) -> Held {
        let parts: Vec<_> = ones.iter().enumerate().map(|(i, held)| (held, i)).collect();
        self.held(&parts, place)
    }

    fn members(&self, fold: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.fold.len()).filter(move |clip| self.fold[*clip] == fold)
    }

    /// For each set of folds, the log-odds of its clips by heads fitted to the rest.
    pub(super) fn all(&self, left_out: &[Vec<usize>]) -> Result<Vec<HeldOut>, FitError> {
        let found = each(left_out, |folds| self.held_out(folds));
        found.into_iter().collect()
    }

    fn held_out(&self, folds: &[usize]) -> Result<HeldOut, FitError> {
        let mut logits = Vec::new();
        for array in 0..self.clips.arrays.len() {
            let heads = self.path(array, folds)?;
            let added = self.added(array, folds)?;
            for head in heads {
                for share in &self.plan.shares {
                    let sum = added
                        .as_ref()
                        .map_or(head.clone(), |a| head.plus(a, *share));
                    logits.push(self.logits(array, folds, &sum));
                }
            }
        }
        Ok(HeldOut {
            folds: folds.to_vec(),
            logits,
        })
    }

    fn logits(&self, array: usize, folds: &[usize], head: &Linear) -> Vec<f64> {
        let rows = self.clips.arrays[array].rows();
        let of = |(row, fold): (ndarray::ArrayView1<'_, f64>, &usize)| {
            if folds.contains(fold) {
                head.logit(&row)
            } else {
                0.0
            }
        };
        rows.into_iter().zip(&self.fold).map(of).collect()
    }

    /// Heads fitted to all but `folds`, one a strength, each from where the one before ended.
    fn path(&self, array: usize, folds: &[usize]) -> Result<Vec<Linear>, FitError> {
        let kept =
            |(weight, fold): (&f64, &usize)| if folds.contains(fold) { 0.0 } else { *weight };
        let weights: Vec<f64> = self.weights.iter().zip(&self.fold).map(kept).collect();
        let rows = self.clips.arrays[array].view();
        let data = Data {
            rows: &rows,
            synthetic: &self.clips.synthetic,
            weights: &weights,
        };
        path(&data, &self.plan.strengths)
    }

    /// The second set's head for this array, fitted to none of the groups of `folds`.
    fn added(&self, array: usize, folds: &[usize]) -> Result<Option<Linear>, FitError> {
        let Some(second) = self.second else {
            return Ok(None);
        };
        let groups = self.clips.groups.iter().zip(&self.fold);
        let left_out: std::collections::BTreeSet<&String> = groups
            .filter(|(_, fold)| folds.contains(fold))
            .map(|(group, _)| group)
            .collect();
        second
            .head(array, |group| left_out.contains(group))
            .map(Some)
    }

    /// What a choice said of these folds.
    fn held(&self, parts: &[(&HeldOut, usize)], place: usize) -> Held {
        let mut held = Held::default();
        for (found, fold) in parts {
            for clip in self.members(*fold) {
                held.clips.push(clip);
                held.logits.push(found.logits[place][clip]);
                held.synthetic.push(self.clips.synthetic[clip]);
                held.weights.push(self.weights[clip]);
            }
        }
        held
    }

    /// The head of `choice`, fitted to all clips.
    pub(super) fn head(&self, choice: Choice) -> Result<Linear, FitError> {
        let rows = self.clips.arrays[choice.array].view();
        let data = Data {
            rows: &rows,
            synthetic: &self.clips.synthetic,
            weights: &self.weights,
        };
        let head = exact(&data, choice.strength)?;
        let second = self.second.map(|second| second.exact(choice.array));
        Ok(match second.transpose()? {
            Some(added) => head.plus(&added, choice.share),
            None => head,
        })
    }
}
