//! From frame outputs to the parts of a report. No I/O.

use std::collections::BTreeMap;

use super::error::AnalyzeError;
use super::frames::Outputs;
use crate::domain::coverage::Coverage;
use crate::domain::policy::Finding;
use crate::domain::report::{Answer, FrameReport, ModelReport, NoAnswer, STANDING_QUESTIONS};
use crate::domain::score::{Logit, Probability};
use crate::domain::segments::{Scale, ScoredFrame, segments};
use crate::domain::verdict::Verdict;
use crate::inference::Model;

/// What a model's report is made from, besides the model.
pub(super) struct Evidence<'a> {
    pub(super) outputs: &'a Outputs,
    pub(super) planned: u32,
    pub(super) duration_s: f64,
    pub(super) frame_scores: bool,
}

/// One model's report over its `frames`.
pub(super) fn model_report(
    model: &Model,
    frames: &[ScoredFrame],
    evidence: &Evidence<'_>,
) -> Result<ModelReport, AnalyzeError> {
    let scale = Scale {
        aggregation: model.aggregation(),
        calibration: model.calibration(),
        thresholds: model.thresholds(),
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let coverage = Coverage::new(
        evidence.planned,
        count(evidence.outputs.decoded_s.len()),
        count(frames.len()),
    );
    let enough = if coverage.is_enough() { frames } else { &[] };
    let info = model.info();
    let raw = scale.aggregate(enough);
    let score = raw
        .map(|raw| scale.calibration.apply(raw))
        .transpose()
        .map_err(|source| AnalyzeError::Calibration {
            model: info.name.clone(),
            source,
        })?;
    Ok(ModelReport {
        name: info.name.clone(),
        version: info.version.clone(),
        sha256: info.sha256.clone(),
        status: info.status.name(),
        question: info.question.clone(),
        provider: info.provider.name().to_owned(),
        score,
        verdict: scale.thresholds.judge(score),
        raw_score: raw.map(Logit::probability),
        calibration: scale.calibration.name(),
        aggregation: scale.aggregation.name(),
        coverage,
        segments: segments(enough, evidence.duration_s, evidence.planned, &scale),
        frames: evidence
            .frame_scores
            .then(|| frame_reports(&evidence.outputs.decoded_s, frames, &scale)),
    })
}

fn frame_reports(decoded_s: &[f64], frames: &[ScoredFrame], scale: &Scale<'_>) -> Vec<FrameReport> {
    let mut scored = frames.iter().peekable();
    decoded_s
        .iter()
        .map(|time_s| {
            let frame = scored.next_if(|f| f.time_s.total_cmp(time_s).is_eq());
            let score = frame.and_then(|f| scale.calibration.apply(f.logit).ok());
            FrameReport {
                time_s: *time_s,
                score,
            }
        })
        .collect()
}

/// Each question's answer: the score of its worst model. Standing questions that no model was
/// asked say so.
pub(super) fn answers(models: &[ModelReport]) -> BTreeMap<String, Answer> {
    let unasked = Answer {
        score: None,
        models: Vec::new(),
        reason: Some(NoAnswer::NoModel),
    };
    let mut answers: BTreeMap<String, Answer> = STANDING_QUESTIONS
        .iter()
        .map(|q| ((*q).to_owned(), unasked.clone()))
        .collect();
    for model in models {
        let answer = answers
            .entry(model.question.clone())
            .or_insert_with(|| unasked.clone());
        answer.models.push(model.name.clone());
        answer.score = worse(answer.score, model.score);
        answer.reason = answer.score.is_none().then_some(NoAnswer::LowCoverage);
    }
    answers
}

fn worse(a: Option<Probability>, b: Option<Probability>) -> Option<Probability> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b > a { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// The video's score and verdict: those of the model with the highest score.
pub(super) fn overall(models: &[ModelReport]) -> (Option<Probability>, Verdict) {
    worst(models.iter()).map_or((None, Verdict::Inconclusive), |m| (m.score, m.verdict))
}

/// For the policy: each question's score with the coverage that it rests on.
pub(super) fn findings(models: &[ModelReport]) -> BTreeMap<String, Finding> {
    let questions: std::collections::BTreeSet<&String> =
        models.iter().map(|m| &m.question).collect();
    questions
        .into_iter()
        .filter_map(|question| {
            let asked = || models.iter().filter(|m| &m.question == question);
            let model = worst(asked()).or_else(|| asked().next())?;
            let finding = Finding {
                score: model.score,
                coverage: model.coverage,
            };
            Some((question.clone(), finding))
        })
        .collect()
}

/// The model with the highest score; the first of equals; `None` when none has a score.
fn worst<'a>(models: impl Iterator<Item = &'a ModelReport>) -> Option<&'a ModelReport> {
    models
        .filter(|m| m.score.is_some())
        .reduce(|a, b| if b.score > a.score { b } else { a })
}
