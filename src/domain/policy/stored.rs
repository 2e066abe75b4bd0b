//! Reports that are decided anew, without looking at the video again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Case, Decision, Finding, Policy};
use crate::domain::combination::Ballot;
use crate::domain::coverage::Coverage;
use crate::domain::lanes::Lane;
use crate::domain::region::Region;
use crate::domain::score::Probability;
use crate::domain::verdict::{Thresholds, Verdict};

/// What a stored report has that a decision rests on; the rest of it is passed over. Reports of
/// before there were regions, or lanes in them, are read as `live` and of no region.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredFindings {
    /// The report's.
    #[serde(default)]
    pub id: String,
    /// When it was made; its UTC date chooses the rules.
    pub created_at: Timestamp,
    models: Vec<StoredModel>,
    /// What was decided then.
    #[serde(rename = "policy")]
    pub decision: StoredDecision,
}

/// What was decided for a stored report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredDecision {
    /// Name of the policy.
    #[serde(default)]
    pub name: String,
    /// The action.
    pub action: String,
    /// The request's lane.
    #[serde(default)]
    pub lane: Lane,
    /// The request's region.
    #[serde(default)]
    pub region: Option<Region>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct StoredModel {
    question: String,
    score: Option<Probability>,
    verdict: Verdict,
    coverage: Coverage,
    #[serde(default)]
    left_out: NoFaces,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
struct NoFaces {
    #[serde(default)]
    no_face: u32,
}

/// What one model says of a video, as far as a decision rests on it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAnswer {
    /// What it answers.
    pub question: String,
    /// Calibrated; `None` for no answer.
    pub score: Option<Probability>,
    /// On that score.
    pub verdict: Verdict,
    /// What the score rests on.
    pub coverage: Coverage,
    /// Units of the plan in which there is no face.
    pub no_face: u32,
}

impl From<ModelAnswer> for StoredModel {
    fn from(answer: ModelAnswer) -> Self {
        Self {
            question: answer.question,
            score: answer.score,
            verdict: answer.verdict,
            coverage: answer.coverage,
            left_out: NoFaces {
                no_face: answer.no_face,
            },
        }
    }
}

impl StoredModel {
    /// As the report of the time counted it.
    fn covered(&self) -> f64 {
        self.coverage.ratio_with(self.left_out.no_face)
    }

    /// A report has the verdict, not the thresholds that it is by: some that give the same one, as
    /// of two models with one score the more severe counts.
    fn ballot(&self) -> Ballot {
        let (none, all) = (Probability(0.0), Probability(1.0));
        let (substantial_evidence, little_evidence) = match self.verdict {
            Verdict::SubstantialEvidence => (none, none),
            Verdict::Uncertain | Verdict::Inconclusive => (all, none),
            Verdict::LittleEvidence => (all, all),
        };
        Ballot {
            score: self.score,
            thresholds: Thresholds {
                substantial_evidence,
                little_evidence,
            },
        }
    }
}

impl StoredFindings {
    /// The UTC date of the report.
    pub fn date(&self) -> Date {
        self.created_at.to_zoned_datetime(TimeZone::UTC).date()
    }

    /// What kind of request it was, on its own date.
    pub fn case(&self) -> Case {
        Case {
            lane: self.decision.lane,
            region: self.decision.region.clone(),
            date: self.date(),
        }
    }

    /// The same with `answers` in place of all answers to the same questions; those to other
    /// questions stay.
    #[must_use]
    pub fn answered_anew(&self, answers: Vec<ModelAnswer>) -> Self {
        let own = self.models.iter();
        let is_open = |model: &&StoredModel| answers.iter().all(|a| a.question != model.question);
        let mut models: Vec<StoredModel> = own.filter(is_open).cloned().collect();
        models.extend(answers.into_iter().map(StoredModel::from));
        Self {
            models,
            ..self.clone()
        }
    }

    /// Score and verdict of the worst question, as a report has them.
    pub fn worst(&self, policy: &Policy) -> (Option<Probability>, Verdict) {
        let mut worst = (None, Verdict::Inconclusive);
        for question in self.asked() {
            let (ballots, _) = self.ballots(question);
            let combined = policy.combination(question).apply(&ballots);
            let found = combined.map_or((None, Verdict::Inconclusive), |c| {
                (Some(c.score), c.verdict)
            });
            let rank = |(score, verdict): (Option<Probability>, Verdict)| {
                (verdict.severity(), score.map(Probability::get))
            };
            if rank(found) > rank(worst) {
                worst = found;
            }
        }
        worst
    }

    fn asked(&self) -> BTreeSet<&str> {
        self.models.iter().map(|m| m.question.as_str()).collect()
    }

    /// Of one question, with what goes with them.
    fn ballots(&self, question: &str) -> (Vec<Ballot>, Vec<f64>) {
        let own = self.models.iter().filter(|m| m.question == question);
        own.map(|m| (m.ballot(), m.covered())).unzip()
    }

    /// By question, as `policy` joins the models' scores.
    fn findings(&self, policy: &Policy) -> BTreeMap<String, Finding> {
        let finding = |question: &str| {
            let (ballots, covered) = self.ballots(question);
            let combined = policy.combination(question).apply(&ballots);
            Finding::of(combined, &ballots, &covered)
        };
        let each = self.asked().into_iter();
        each.map(|question| (question.to_owned(), finding(question)))
            .collect()
    }
}

impl Policy {
    /// Decides a stored report by this policy, as if the request had been `case`; see
    /// [`StoredFindings::case`] for what it was. The scores of several models are joined as this
    /// policy says, so nothing of the old decision counts.
    pub fn redecide(&self, stored: &StoredFindings, case: &Case) -> Decision {
        self.decide(&stored.findings(self), case)
    }
}
