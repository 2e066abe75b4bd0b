//! From the models' scores to the questions' answers, by the policy's rules.

use std::collections::BTreeMap;

use crate::domain::combination::Ballot;
use crate::domain::policy::{Finding, Policy};
use crate::domain::report::{Answer, ModelReport, NoAnswer, STANDING_QUESTIONS};
use crate::domain::score::Probability;
use crate::domain::verdict::{Thresholds, Verdict};

/// What was found out, question by question.
#[derive(Debug)]
pub(in crate::pipeline) struct Questions {
    /// For the report.
    pub(in crate::pipeline) answers: BTreeMap<String, Answer>,
    /// For the policy's rules.
    pub(in crate::pipeline) findings: BTreeMap<String, Finding>,
    /// Of the worst question.
    pub(in crate::pipeline) score: Option<Probability>,
    /// On that score.
    pub(in crate::pipeline) verdict: Verdict,
}

/// A model's report with the thresholds that its score is judged by.
pub(in crate::pipeline) type Voter<'a> = (&'a ModelReport, Thresholds);

/// Answers every question that a model was asked, and says of the standing ones that no model was.
pub(in crate::pipeline) fn questions(voters: &[Voter<'_>], policy: &Policy) -> Questions {
    let mut questions = Questions {
        answers: BTreeMap::new(),
        findings: BTreeMap::new(),
        score: None,
        verdict: Verdict::Inconclusive,
    };
    for question in STANDING_QUESTIONS {
        questions.answers.insert(question.to_owned(), unasked());
    }
    let asked: std::collections::BTreeSet<&str> = voters
        .iter()
        .map(|(model, _)| model.question.as_str())
        .collect();
    for question in asked {
        let own: Vec<Voter<'_>> = voters
            .iter()
            .filter(|(model, _)| model.question == question)
            .copied()
            .collect();
        questions.answer(question, &own, policy);
    }
    questions
}

fn unasked() -> Answer {
    Answer {
        score: None,
        verdict: Verdict::Inconclusive,
        rule: None,
        models: Vec::new(),
        voted: 0,
        reason: Some(NoAnswer::NoModel),
    }
}

impl Questions {
    fn answer(&mut self, question: &str, voters: &[Voter<'_>], policy: &Policy) {
        let ballots: Vec<Ballot> = voters
            .iter()
            .map(|(model, thresholds)| Ballot {
                score: model.score,
                thresholds: *thresholds,
            })
            .collect();
        let combine = policy.combination(question);
        let combined = combine.apply(&ballots);
        let voted = super::count(ballots.iter().filter(|b| b.score.is_some()).count());
        let score = combined.map(|c| c.score);
        let verdict = combined.map_or(Verdict::Inconclusive, |c| c.verdict);
        let answer = Answer {
            score,
            verdict,
            rule: Some(combine.combination.name()),
            models: voters.iter().map(|(model, _)| model.name.clone()).collect(),
            voted,
            reason: score.is_none().then(|| reason(voters, voted)),
        };
        let parts: Vec<f64> = voters.iter().map(|(model, _)| covered(model)).collect();
        let finding = Finding::of(combined, &ballots, &parts);
        // The worst question: by its verdict first, as scores of different models don't compare.
        let worse = (verdict.severity(), score.map(Probability::get))
            > (self.verdict.severity(), self.score.map(Probability::get));
        if worse {
            (self.score, self.verdict) = (score, verdict);
        }
        self.answers.insert(question.to_owned(), answer);
        self.findings.insert(question.to_owned(), finding);
    }
}

/// Why nobody has a score, by the first model; or that too few have.
fn reason(voters: &[Voter<'_>], voted: u32) -> NoAnswer {
    if voted > 0 {
        return NoAnswer::TooFewVotes;
    }
    let first = voters.first().and_then(|(model, _)| model.reason);
    first.unwrap_or(NoAnswer::LowCoverage)
}

/// Part of the plan that a model has an answer on; of a face model a frame without a face is one.
fn covered(model: &ModelReport) -> f64 {
    let no_face = crate::domain::quality::LeftOut::NoFace;
    let empty = model.left_out.get(&no_face).copied().unwrap_or_default();
    model.coverage.ratio_with(empty)
}
