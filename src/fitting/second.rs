//! A second set, whose own head is added to that of the clips.

use super::balance::Balance;
use super::clips::Clips;
use super::cross::Plan;
use super::error::FitError;
use super::heads::exact;
use super::settle::{best, calibrated_loss};
use super::solver::{Data, Linear};
use super::stage::Stage;

/// A set whose head is added to that of the clips.
pub(super) struct Second<'a> {
    clips: &'a Clips,
    balance: Balance,
    /// The C of its heads.
    pub(super) strength: f64,
    /// One an array, fitted to the whole set.
    heads: Vec<Linear>,
}

impl<'a> Second<'a> {
    /// Its own grouped folds choose its C, by the first array.
    pub(super) fn new(clips: &'a Clips, plan: &Plan) -> Result<Self, FitError> {
        let own = Plan {
            shares: vec![0.0],
            ..plan.clone()
        };
        let stage = Stage::new(clips, &own, None, plan.seed)?;
        let sets: Vec<Vec<usize>> = (0..plan.folds).map(|i| vec![i]).collect();
        let found = stage.all(&sets)?;
        let choices = own.choices(clips.arrays.len());
        let losses = (0..choices.len()).map(|place| {
            let held = stage.without_own(&found, place);
            calibrated_loss(&held)
        });
        let losses: Vec<f64> = losses.collect::<Result<_, _>>()?;
        let mut second = Self {
            clips,
            balance: plan.balance,
            strength: choices[best(&losses)].strength,
            heads: Vec::new(),
        };
        for array in 0..clips.arrays.len() {
            second.heads.push(second.exact(array)?);
        }
        Ok(second)
    }

    /// The array's head, fitted to the whole set.
    pub(super) fn exact(&self, array: usize) -> Result<Linear, FitError> {
        self.fitted(array, &|_| false)
    }

    /// The array's head, fitted to the set without the groups that are `left_out`.
    pub(super) fn head(
        &self,
        array: usize,
        left_out: impl Fn(&String) -> bool,
    ) -> Result<Linear, FitError> {
        match self.heads.get(array) {
            Some(head) if !self.clips.groups.iter().any(&left_out) => Ok(head.clone()),
            Some(_) | None => self.fitted(array, &left_out),
        }
    }

    fn fitted(&self, array: usize, left_out: &dyn Fn(&String) -> bool) -> Result<Linear, FitError> {
        let clips = self.clips;
        let mut weights = clips.weights(self.balance);
        for (weight, group) in weights.iter_mut().zip(&clips.groups) {
            if left_out(group) {
                *weight = 0.0;
            }
        }
        let rows = clips.arrays[array].view();
        let data = Data {
            rows: &rows,
            synthetic: &clips.synthetic,
            weights: &weights,
        };
        exact(&data, self.strength)
    }
}
