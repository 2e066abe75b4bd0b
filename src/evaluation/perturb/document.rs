//! The sweep's part of `metrics.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Robustness, SweepColumn};
use crate::domain::metrics::robustness::{Pair, Shift, shift};
use crate::domain::metrics::{Metric, Rules, Sample, sheet};
use crate::domain::perturbation::{Perturbation, Strength};
use crate::evaluation::document::Document;
use crate::evaluation::manifest::Video;
use crate::evaluation::outcome::Outcome;

/// What was done, and what of it came to nothing.
#[derive(Debug, Serialize)]
pub struct SweepFacts {
    /// Of each video the first so many seconds were looked at.
    pub seconds: f64,
    /// Every perturbed video that could not be made or scored; codes that begin with `perturb_` are
    /// of the making.
    pub failures: Vec<SweepFailure>,
}

/// A perturbed video that could not be made or scored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SweepFailure {
    /// As in the table.
    pub path: String,
    /// `none` for the baseline.
    pub kind: &'static str,
    /// Absent for the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<String>,
    /// What is wrong.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// One model.
#[derive(Debug, Serialize)]
pub struct ModelRobustness {
    /// The same stretches unchanged, encoded in the same way.
    pub baseline: Baseline,
    /// By kind; each in the order of its strengths.
    pub kinds: BTreeMap<&'static str, Vec<Point>>,
}

/// How many videos have a score.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Reach {
    /// Videos that figures rest on: of a perturbation those that have a score before and after.
    pub n: usize,
    /// Share of all videos that have a score; absent where there are none.
    pub coverage: Option<f64>,
    /// Videos that the model could not tell of.
    pub inconclusive: usize,
    /// Videos that could not be made or scored.
    pub failures: usize,
}

/// The unchanged videos.
#[derive(Debug, Serialize)]
pub struct Baseline {
    /// What the figure rests on.
    #[serde(flatten)]
    pub reach: Reach,
    /// Area under their ROC curve.
    pub roc_auc: Metric,
}

/// One kind at one strength.
#[derive(Debug, Serialize)]
pub struct Point {
    /// As asked for.
    pub strength: Strength,
    /// What the figures rest on.
    #[serde(flatten)]
    pub reach: Reach,
    /// What became of the scores.
    #[serde(flatten)]
    pub shift: Shift,
}

/// Puts the sweep into `document`, which is of the same models.
pub fn add_robustness(document: &mut Document, robustness: &Robustness) {
    let rules = document.rules;
    for column in &robustness.columns {
        if let Some(model) = document.models.get_mut(&column.model) {
            model.robustness = Some(of_model(robustness, column, &rules));
        }
    }
    document.robustness = Some(SweepFacts {
        seconds: robustness.seconds,
        failures: failures(robustness),
    });
}

fn of_model(robustness: &Robustness, column: &SweepColumn, rules: &Rules) -> ModelRobustness {
    let mut kinds: BTreeMap<&'static str, Vec<Point>> = BTreeMap::new();
    for (perturbation, outcomes) in robustness.perturbations.iter().zip(&column.perturbed) {
        let point = point(
            robustness,
            *perturbation,
            (&column.baseline, outcomes),
            rules,
        );
        kinds
            .entry(perturbation.kind.name())
            .or_default()
            .push(point);
    }
    ModelRobustness {
        baseline: baseline(robustness, &column.baseline, rules),
        kinds,
    }
}

fn reach(outcomes: &[Outcome], n: usize) -> Reach {
    let count = |test: fn(&Outcome) -> bool| outcomes.iter().filter(|o| test(o)).count();
    let scored = count(|outcome| matches!(outcome, Outcome::Scored { .. }));
    Reach {
        n,
        coverage: (!outcomes.is_empty()).then(|| scored as f64 / outcomes.len() as f64),
        inconclusive: count(|outcome| matches!(outcome, Outcome::Inconclusive { .. })),
        failures: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
    }
}

fn baseline(robustness: &Robustness, outcomes: &[Outcome], rules: &Rules) -> Baseline {
    let scored = robustness.videos.iter().zip(outcomes);
    let (samples, names): (Vec<Sample>, Vec<&str>) = scored
        .filter_map(|(video, outcome)| {
            let sample = Sample::new(video.synthetic, outcome.score()?);
            Some((sample, video.cluster()))
        })
        .unzip();
    let metrics = sheet(&samples, &names, rules);
    Baseline {
        reach: reach(outcomes, samples.len()),
        roc_auc: metrics.get("roc_auc").copied().unwrap_or_default(),
    }
}

fn point(
    robustness: &Robustness,
    perturbation: Perturbation,
    (before, after): (&[Outcome], &[Outcome]),
    rules: &Rules,
) -> Point {
    let scored = robustness.videos.iter().zip(before.iter().zip(after));
    let pair = |(video, (before, after)): (&'_ Video, (&Outcome, &Outcome))| {
        Some(Pair {
            synthetic: video.synthetic,
            before: before.score()?,
            after: after.score()?,
        })
    };
    let (mut pairs, mut names) = (Vec::new(), Vec::new());
    for (video, outcomes) in scored {
        if let Some(pair) = pair((video, outcomes)) {
            pairs.push(pair);
            names.push(video.cluster());
        }
    }
    Point {
        strength: perturbation.strength,
        reach: reach(after, pairs.len()),
        shift: shift(&pairs, &names, rules),
    }
}

/// A video fails for all models at once.
fn failures(robustness: &Robustness) -> Vec<SweepFailure> {
    let mut found = BTreeSet::new();
    for column in &robustness.columns {
        let perturbed = robustness.perturbations.iter().map(Some);
        let variants = std::iter::once(None).chain(perturbed);
        let outcomes = std::iter::once(&column.baseline).chain(&column.perturbed);
        for (variant, outcomes) in variants.zip(outcomes) {
            for (video, outcome) in robustness.videos.iter().zip(outcomes) {
                if let Outcome::Failed { code, detail } = outcome {
                    found.insert(SweepFailure {
                        path: video.path.clone(),
                        kind: variant.map_or("none", |variant| variant.kind.name()),
                        strength: variant.map(|variant| variant.strength.to_string()),
                        code: code.clone(),
                        detail: detail.clone(),
                    });
                }
            }
        }
    }
    found.into_iter().collect()
}
