//! Frames that are scored from coarse to fine, no further than the verdicts need.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::error::AnalyzeError;
use super::frames::Outcome;
use super::inputs::{Done, Job};
use super::sight::Terms;
use super::views::Group;
use crate::domain::adaptive::{FLOOR, ROUND, Stop, coarse_to_fine, is_settled};
use crate::domain::aggregation::Aggregation;
use crate::domain::policy::Policy;
use crate::inference::Model;

/// The inputs of one group, kept until all are there.
pub(super) struct Ladder {
    judges: Vec<Judge>,
    jobs: Vec<Job>,
}

/// One model's values so far, against the thresholds that count for it.
struct Judge {
    /// Calibrated log-odds from a model's own: slope and offset.
    line: (f64, f64),
    /// Calibrated log-odds at which its verdict or the policy's action changes.
    thresholds: Vec<f64>,
    values: Vec<f64>,
    /// Inputs that it is asked about.
    planned: usize,
}

impl Ladder {
    /// For a group of whole single frames, of whose models each one's value is the mean of its
    /// frames' log-odds and its calibration a straight line; `None` for others and where sampling
    /// isn't adaptive.
    pub(super) fn of(group: &Group, terms: &Terms) -> Option<Self> {
        let policy = terms.adaptive.as_ref()?;
        if !group.view.is_whole() {
            return None;
        }
        let members = group.members.iter();
        let judge = |member: &usize| Judge::of(terms.models.get(*member)?, policy);
        Some(Self {
            judges: members.map(judge).collect::<Option<_>>()?,
            jobs: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// Scores as many inputs as it takes; what came of each, and why it stopped.
    pub(super) async fn climb(mut self, terms: &Terms) -> Result<(Vec<Done>, Stop), AnalyzeError> {
        let (asked, others): (Vec<_>, Vec<_>) = self.jobs.into_iter().partition(Job::asks);
        let mut all = run(others, terms).await?;
        for (member, judge) in self.judges.iter_mut().enumerate() {
            let own = asked.iter().filter(|job| job.left_out(member).is_none());
            judge.planned = own.count();
        }
        let order = coarse_to_fine(asked.len(), terms.content.as_bytes());
        let mut waiting: Vec<Option<Job>> = asked.into_iter().map(Some).collect();
        let mut steps = order.as_slice();
        while !steps.is_empty() {
            let size = if steps.len() == order.len() {
                FLOOR
            } else {
                ROUND
            };
            let (round, later) = steps.split_at(size.min(steps.len()));
            let take = |place: &usize| waiting.get_mut(*place)?.take();
            let done = run(round.iter().filter_map(take).collect(), terms).await?;
            steps = later;
            for done in &done {
                for (judge, outcome) in self.judges.iter_mut().zip(&done.outcomes) {
                    judge.hear(*outcome);
                }
            }
            all.extend(done);
            if self.judges.iter().all(Judge::is_settled) {
                break;
            }
        }
        let stop = if steps.is_empty() {
            Stop::AllScored
        } else {
            Stop::Settled
        };
        all.extend(waiting.into_iter().flatten().map(Job::spared));
        Ok((all, stop))
    }
}

async fn run(jobs: Vec<Job>, terms: &Terms) -> Result<Vec<Done>, AnalyzeError> {
    stream::iter(jobs)
        .map(|job| job.run(terms))
        .buffered(terms.config.frames_in_flight)
        .try_collect()
        .await
}

impl Judge {
    fn of(model: &Arc<Model>, policy: &Policy) -> Option<Self> {
        if model.aggregation() != Aggregation::MeanLogit {
            return None;
        }
        let own = model.thresholds();
        let own = [own.substantial_evidence, own.little_evidence];
        let asked = policy.thresholds(&model.info().question);
        let all = own.into_iter().chain(asked);
        Some(Self {
            line: model.calibration().line()?,
            thresholds: all.map(|threshold| threshold.logit().get()).collect(),
            values: Vec::new(),
            planned: 0,
        })
    }

    fn hear(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Scored(logit) => {
                let (slope, offset) = self.line;
                self.values.push(slope * logit.get() + offset);
            }
            // One that failed is no longer part of what the mean will be of.
            Outcome::Failed => self.planned = self.planned.saturating_sub(1),
            Outcome::LeftOut(_) | Outcome::Spared => {}
        }
    }

    fn is_settled(&self) -> bool {
        self.planned == 0 || is_settled(&self.values, self.planned, &self.thresholds)
    }
}
