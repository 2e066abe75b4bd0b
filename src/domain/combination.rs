//! How the scores of several models on one question become one.

use serde::Serialize;

use super::score::Probability;
use super::verdict::{Thresholds, Verdict};

/// A rule that joins calibrated scores; a policy names one a question. Models without a score do
/// not vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Combination {
    /// The highest score.
    #[default]
    Max,
    /// The mean of the scores: a linear opinion pool with equal weights (Stone 1961).
    Mean,
    /// 1 − Π(1 − p), the noisy-or of Pearl 1988 (Probabilistic Reasoning in Intelligent Systems,
    /// 4.3.2): that at least one is right. It takes the models for independent; where they err
    /// together it says too much.
    NoisyOr,
    /// The `k`-th highest score, which reaches a threshold exactly when at least `k` scores do.
    Vote {
        /// How many must agree, at least 1.
        k: u32,
        /// How many must have a score, at least `k`; with fewer there is no score.
        of: u32,
    },
}

/// A rule that a policy cannot mean.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCombination {
    /// A name that no rule has.
    #[error("rule `{0}` is not known (max, mean, noisy_or, vote)")]
    UnknownRule(String),
    /// `k` or `of` beside a rule that does not count.
    #[error("`{key}` belongs to rule `vote`, not to `{rule}`")]
    NotAVote {
        /// The key that is too much.
        key: &'static str,
        /// The rule beside it.
        rule: String,
    },
    /// A vote that does not say how many must agree, or says none.
    #[error("rule `vote` needs `k` of at least 1")]
    K,
    /// Fewer voters than must agree.
    #[error("rule `vote`: `of` is {of} and must be at least `k`, {k}")]
    Of {
        /// How many must agree.
        k: u32,
        /// How many must have a score.
        of: u32,
    },
}

/// What one model says on the question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ballot {
    /// Calibrated; `None` when it does not vote.
    pub score: Option<Probability>,
    /// The model's own.
    pub thresholds: Thresholds,
}

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combined {
    /// Of the question.
    pub score: Probability,
    /// On that score.
    pub verdict: Verdict,
    /// Place, among the ballots, of the model whose score it is; `None` when it is nobody's own.
    pub decided_by: Option<usize>,
}

/// A ballot that counts, with its place.
#[derive(Debug, Clone, Copy)]
struct Vote {
    place: usize,
    score: Probability,
    thresholds: Thresholds,
}

impl Vote {
    fn verdict(self) -> Verdict {
        self.thresholds.judge(Some(self.score))
    }
}

impl Combination {
    /// A rule by its name in a policy; `of` defaults to `k`.
    pub fn new(rule: &str, k: Option<u32>, of: Option<u32>) -> Result<Self, InvalidCombination> {
        let plain = match rule {
            "max" => Self::Max,
            "mean" => Self::Mean,
            "noisy_or" => Self::NoisyOr,
            "vote" => return Self::vote(k, of),
            _ => return Err(InvalidCombination::UnknownRule(rule.to_owned())),
        };
        let stray = k.map(|_| "k").or(of.map(|_| "of"));
        stray.map_or(Ok(plain), |key| {
            Err(InvalidCombination::NotAVote {
                key,
                rule: rule.to_owned(),
            })
        })
    }

    fn vote(k: Option<u32>, of: Option<u32>) -> Result<Self, InvalidCombination> {
        let k = k.filter(|k| *k > 0).ok_or(InvalidCombination::K)?;
        let of = of.unwrap_or(k);
        if of < k {
            return Err(InvalidCombination::Of { k, of });
        }
        Ok(Self::Vote { k, of })
    }

    /// The name that a policy gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Mean => "mean",
            Self::NoisyOr => "noisy_or",
            Self::Vote { .. } => "vote",
        }
    }

    /// Joins the ballots; `None` when too few have a score. Their order does not matter, save
    /// that the first of equal ones is named.
    ///
    /// The verdict is that of the model whose score it is, by its own thresholds; of a score that
    /// is nobody's own it is by the strictest thresholds of those who voted.
    pub fn apply(&self, ballots: &[Ballot]) -> Option<Combined> {
        let votes = votes(ballots);
        match *self {
            Self::Max => place(&votes, 0),
            Self::Vote { k, of } => {
                let enough = votes.len() >= usize::try_from(of.max(k)).ok()?;
                let last = usize::try_from(k).ok()?.saturating_sub(1);
                place(&votes, last).filter(|_| enough)
            }
            Self::Mean => {
                let sum: f64 = votes.iter().map(|v| v.score.get()).sum();
                pooled(&votes, sum / votes.len() as f64)
            }
            Self::NoisyOr => {
                let none: f64 = votes.iter().map(|v| 1.0 - v.score.get()).product();
                // Rounding must not bring it below the highest score.
                let highest = votes.first()?.score.get();
                pooled(&votes, (1.0 - none).max(highest))
            }
        }
    }
}

/// Ballots with a score, highest first; of equal ones the more severe, then the earlier.
fn votes(ballots: &[Ballot]) -> Vec<Vote> {
    let mut votes: Vec<Vote> = ballots
        .iter()
        .enumerate()
        .filter_map(|(place, ballot)| {
            Some(Vote {
                place,
                score: ballot.score?,
                thresholds: ballot.thresholds,
            })
        })
        .collect();
    votes.sort_by(|a, b| {
        let scores = b.score.get().total_cmp(&a.score.get());
        let severities = b.verdict().severity().cmp(&a.verdict().severity());
        scores.then(severities).then(a.place.cmp(&b.place))
    });
    votes
}

fn place(votes: &[Vote], rank: usize) -> Option<Combined> {
    let vote = votes.get(rank)?;
    Some(Combined {
        score: vote.score,
        verdict: vote.verdict(),
        decided_by: Some(vote.place),
    })
}

fn pooled(votes: &[Vote], value: f64) -> Option<Combined> {
    let thresholds = votes.iter().map(|v| v.thresholds);
    let strictest = thresholds.reduce(Thresholds::strictest)?;
    let score = Probability::new(value.clamp(0.0, 1.0)).ok()?;
    Some(Combined {
        score,
        verdict: strictest.judge(Some(score)),
        decided_by: None,
    })
}

/// A policy's entry for one question.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Combine {
    /// How the scores are joined.
    #[serde(flatten)]
    pub combination: Combination,
    /// The verdict's thresholds, instead of the models' own.
    #[serde(flatten)]
    pub thresholds: Option<Thresholds>,
}

impl Combine {
    /// As [`Combination::apply`], with the verdict by the policy's thresholds where it has some.
    pub fn apply(&self, ballots: &[Ballot]) -> Option<Combined> {
        let combined = self.combination.apply(ballots)?;
        Some(Combined {
            verdict: self.thresholds.map_or(combined.verdict, |thresholds| {
                thresholds.judge(Some(combined.score))
            }),
            ..combined
        })
    }
}

#[cfg(test)]
mod tests;
