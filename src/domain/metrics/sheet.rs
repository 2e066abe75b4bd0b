//! All metrics of one set of samples, with intervals, and what the set can't carry.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{Clusters, quantile};
use super::probability::Prepared;
use super::{Confusion, Curve, Sample};

/// The metrics, by the names that scikit-learn gives them where it has them.
pub const NAMES: [&str; 13] = [
    "roc_auc",
    "average_precision",
    "eer",
    "log_loss",
    "brier",
    "ece",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "tpr_at_fpr_0.1",
    "tpr_at_fpr_0.01",
    "tpr_at_fpr_0.001",
];

/// The false positive rates of the last three.
pub const FPRS: [f64; 3] = [0.1, 0.01, 0.001];

/// How metrics are computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rules {
    /// Scores of at least this are called synthetic.
    pub threshold: f64,
    /// Draws of the bootstrap.
    pub replicates: usize,
    /// Of its random numbers.
    pub seed: u64,
    /// Share of draws within an interval.
    pub confidence: f64,
    /// Samples of each class below which there is no number.
    pub min_per_class: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            replicates: 1000,
            seed: 0,
            confidence: 0.95,
            min_per_class: 5,
        }
    }
}

/// Why a metric has no value, or no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// No sample has a score.
    NoScores,
    /// All samples are real, or all are synthetic.
    OneClass,
    /// Fewer samples of a class than [`Rules::min_per_class`].
    TooFewSamples,
    /// Fewer real samples than one false positive at this rate needs.
    TooFewReal,
    /// Scores outside 0..=1.
    NotProbabilities,
    /// A division by zero: nothing is called synthetic.
    Undefined,
    /// No interval: all samples of a class are of one source, or of too few to draw from.
    TooFewSources,
}

/// A number with its interval, or why there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Metric {
    /// Of all samples.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Why value, or interval, is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Absent>,
}

/// Metrics by name.
pub type Sheet = BTreeMap<&'static str, Metric>;

/// No value for any metric, for `reason`.
pub fn blank(reason: Absent) -> Sheet {
    let metric = Metric {
        reason: Some(reason),
        ..Metric::default()
    };
    NAMES.iter().map(|name| (*name, metric)).collect()
}

/// Every metric of ranked samples, in the order of [`NAMES`]; `prepared` is of the same samples.
fn values(ranked: &[Sample], prepared: Option<&Prepared>, threshold: f64) -> Values {
    let (curve, at) = (Curve::of(ranked), Confusion::at(ranked, threshold));
    let [log_loss, brier, ece] = prepared.map_or([None; 3], |p| p.metrics(ranked));
    let [ten, one, tenth] = FPRS.map(|fpr| curve.tpr_at_fpr(fpr));
    [
        curve.roc_auc(),
        curve.average_precision(),
        curve.eer(),
        log_loss,
        brier,
        ece,
        at.accuracy(),
        at.precision(),
        at.recall(),
        at.f1(),
        ten,
        one,
        tenth,
    ]
}

/// The metrics of `samples`, each of which belongs to the cluster of the same place in `names`.
pub fn sheet(samples: &[Sample], names: &[&str], rules: &Rules) -> Sheet {
    let (ranked, clusters) = ranked(samples, names);
    let prepared = Prepared::of(&ranked);
    let found = values(&ranked, prepared.as_ref(), rules.threshold);
    let drawn = if carries_interval(&clusters) {
        replicate(&ranked, prepared.as_ref(), &clusters, rules)
    } else {
        Vec::new()
    };
    judged(&found, &drawn, samples, rules)
}

fn ranked<'a>(samples: &[Sample], names: &[&'a str]) -> (Vec<Sample>, Clusters) {
    let mut both: Vec<(Sample, &'a str)> =
        samples.iter().copied().zip(names.iter().copied()).collect();
    both.sort_by(|(a, x), (b, y)| b.score.total_cmp(&a.score).then_with(|| x.cmp(y)));
    let ranked = both.iter().map(|(sample, _)| *sample).collect();
    let clusters = Clusters::of(both.iter().map(|(sample, name)| (sample.synthetic, *name)));
    (ranked, clusters)
}

/// Two clusters of a class are the least that can differ.
fn carries_interval(clusters: &Clusters) -> bool {
    let (real, fake) = clusters.counts();
    real.min(fake) >= 2
}

fn replicate(
    ranked: &[Sample],
    prepared: Option<&Prepared>,
    clusters: &Clusters,
    rules: &Rules,
) -> Vec<Values> {
    let mut copy = ranked.to_vec();
    clusters.replicate(rules.replicates, rules.seed, |weights| {
        for (sample, weight) in copy.iter_mut().zip(weights) {
            sample.weight = *weight;
        }
        values(&copy, prepared, rules.threshold)
    })
}

type Values = [Option<f64>; NAMES.len()];

fn judged(found: &Values, drawn: &[Values], samples: &[Sample], rules: &Rules) -> Sheet {
    let metric = |(place, name): (usize, &&'static str)| {
        let of = |values: &Values| values.get(place).copied().flatten();
        let spread = drawn.iter().filter_map(of).collect();
        (*name, judge(name, of(found), spread, samples, rules))
    };
    NAMES.iter().enumerate().map(metric).collect()
}

fn judge(
    name: &str,
    value: Option<f64>,
    draws: Vec<f64>,
    samples: &[Sample],
    rules: &Rules,
) -> Metric {
    if let Some(reason) = missing(name, value, samples, rules) {
        return Metric {
            reason: Some(reason),
            ..Metric::default()
        };
    }
    interval(value, draws, rules.confidence)
}

pub(super) fn interval(value: Option<f64>, mut draws: Vec<f64>, confidence: f64) -> Metric {
    let tail = (1.0 - confidence) / 2.0;
    let low = quantile(&mut draws, tail);
    Metric {
        value,
        low,
        high: quantile(&mut draws, 1.0 - tail),
        reason: low.is_none().then_some(Absent::TooFewSources),
    }
}

/// Why `name` has no value that could be relied on.
fn missing(name: &str, value: Option<f64>, samples: &[Sample], rules: &Rules) -> Option<Absent> {
    let fake = samples.iter().filter(|sample| sample.synthetic).count();
    let real = samples.len().saturating_sub(fake);
    let place = NAMES.iter().position(|known| *known == name);
    let fpr = place
        .and_then(|p| p.checked_sub(NAMES.len().saturating_sub(FPRS.len())))
        .and_then(|p| FPRS.get(p).copied());
    if samples.is_empty() {
        Some(Absent::NoScores)
    } else if fake == 0 || real == 0 {
        Some(Absent::OneClass)
    } else if fake.min(real) < rules.min_per_class {
        Some(Absent::TooFewSamples)
    } else if fpr.is_some_and(|fpr| (real as f64) * fpr < 1.0 - 1e-9) {
        Some(Absent::TooFewReal)
    } else if value.is_some() {
        None
    } else if ["log_loss", "brier", "ece"].contains(&name) {
        Some(Absent::NotProbabilities)
    } else {
        Some(Absent::Undefined)
    }
}

/// How much higher each metric of `b` is than that of `a`, for two models' scores of the same
/// videos in the same order. Both get the same draws, so that what makes a video hard for both
/// doesn't widen the interval. `labels` and `names` are the videos' classes and clusters.
pub fn paired(a: &[Sample], b: &[Sample], names: &[&str], rules: &Rules) -> Sheet {
    let clusters = Clusters::of(
        a.iter()
            .zip(names)
            .map(|(sample, name)| (sample.synthetic, *name)),
    );
    let mut both = [a, b].map(Weighed::of);
    let mut difference = |weights: Option<&[f64]>| {
        let [x, y] = both
            .each_mut()
            .map(|of| of.values(weights, rules.threshold));
        let mut apart = [None; NAMES.len()];
        for (place, (x, y)) in apart.iter_mut().zip(x.into_iter().zip(y)) {
            *place = x.zip(y).map(|(x, y)| y - x);
        }
        apart
    };
    let found = difference(None);
    let drawn = if carries_interval(&clusters) {
        clusters.replicate(rules.replicates, rules.seed, |w| difference(Some(w)))
    } else {
        Vec::new()
    };
    judged(&found, &drawn, a, rules)
}

/// Samples that were ranked once, for weights in the order that they had before.
struct Weighed {
    ranked: Vec<Sample>,
    prepared: Option<Prepared>,
    /// By rank, the place before.
    places: Vec<usize>,
}

impl Weighed {
    fn of(samples: &[Sample]) -> Self {
        let mut both: Vec<(usize, Sample)> = samples.iter().copied().enumerate().collect();
        both.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
        let (places, ranked): (Vec<usize>, Vec<Sample>) = both.into_iter().unzip();
        Self {
            prepared: Prepared::of(&ranked),
            ranked,
            places,
        }
    }

    fn values(&mut self, weights: Option<&[f64]>, threshold: f64) -> Values {
        if let Some(weights) = weights {
            for (sample, place) in self.ranked.iter_mut().zip(&self.places) {
                sample.weight = weights.get(*place).copied().unwrap_or(0.0);
            }
        }
        values(&self.ranked, self.prepared.as_ref(), threshold)
    }
}
