//! What a head is worth, by clips of groups that it never saw.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::clips::Clips;
use super::cross::Fitted;
use super::limits::{Limits, rounded};
use crate::domain::calibration::Calibration;
use crate::domain::metrics::bootstrap::{Clusters, quantile};
use crate::domain::metrics::{Curve, Metric, Sample, brier, ece, log_loss, rank};

/// Draws of the bootstrap.
const REPLICATES: usize = 2000;

/// What a head is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// What was measured on.
    pub clips: Counts,
    /// By name, with 95 % intervals by drawing groups.
    pub metrics: BTreeMap<&'static str, Metric>,
    /// Each group with synthetic clips, against all real clips; largest first.
    pub families: Vec<Family>,
    /// The calibration, fitted to all unseen log-odds.
    pub calibration: Calibration,
    /// Where verdicts begin.
    pub thresholds: Limits,
    /// Verdicts on the clips that the thresholds were chosen on.
    pub verdicts: [Shares; 2],
    /// Verdicts where calibration and thresholds come from the other folds.
    pub verdicts_unseen: [Shares; 2],
}

/// How many clips of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Generated or manipulated.
    pub synthetic: usize,
    /// Camera footage.
    pub real: usize,
    /// Groups of any class.
    pub groups: usize,
    /// Groups with synthetic clips.
    pub synthetic_groups: usize,
    /// Synthetic clips among the matched ones.
    pub matched_synthetic: usize,
    /// Real clips among the matched ones.
    pub matched_real: usize,
}

/// A group that was left out of the training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Family {
    /// Its name.
    pub group: String,
    /// Its synthetic clips.
    pub clips: usize,
    /// Against the real clips of all groups.
    pub roc_auc: Option<f64>,
}

/// How many clips of a class get each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// Of the class.
    pub clips: usize,
    /// At or above the upper limit.
    pub substantial_evidence: usize,
    /// Between.
    pub uncertain: usize,
    /// Below the lower limit.
    pub little_evidence: usize,
}

/// Judges `fitted` by what heads without a clip's fold say of it; `seed` is of the bootstrap. Metrics
/// of order come from [`Fitted::unseen_order`], those of probability from [`Fitted::unseen`].
pub fn figures(clips: &Clips, fitted: &Fitted, seed: u64) -> Figures {
    let mut verdicts = [Shares::default(); 2];
    let mut unseen = [Shares::default(); 2];
    for (clip, class) in clips.synthetic.iter().enumerate() {
        let class = usize::from(*class);
        verdicts[class].add(fitted.seen[clip], fitted.settled.limits);
        if let Some(inner) = fitted.inner.get(fitted.fold[clip]) {
            unseen[class].add(fitted.unseen[clip], inner.limits);
        }
    }
    Figures {
        clips: counts(clips),
        metrics: metrics(clips, fitted, seed),
        families: families(clips, &fitted.unseen_order),
        calibration: fitted.settled.calibration.clone(),
        thresholds: fitted.settled.limits,
        verdicts,
        verdicts_unseen: unseen,
    }
}

impl Shares {
    fn add(&mut self, score: f64, limits: Limits) {
        self.clips = self.clips.saturating_add(1);
        let own = if score >= limits.substantial_evidence {
            &mut self.substantial_evidence
        } else if score >= limits.little_evidence {
            &mut self.uncertain
        } else {
            &mut self.little_evidence
        };
        *own = own.saturating_add(1);
    }
}

fn counts(clips: &Clips) -> Counts {
    let synthetic = clips.synthetic.iter().filter(|class| **class).count();
    let of_synthetic = clips.groups.iter().zip(&clips.synthetic);
    let of_synthetic = of_synthetic
        .filter(|(_, class)| **class)
        .map(|(group, _)| group);
    let matched = |wanted: bool| {
        let both = clips.matched.iter().flatten().zip(&clips.synthetic);
        both.filter(|(matched, class)| **matched && **class == wanted)
            .count()
    };
    Counts {
        synthetic,
        real: clips.synthetic.len().saturating_sub(synthetic),
        groups: clips.groups.iter().collect::<BTreeSet<_>>().len(),
        synthetic_groups: of_synthetic.collect::<BTreeSet<_>>().len(),
        matched_synthetic: matched(true),
        matched_real: matched(false),
    }
}

/// One clip, for every metric.
struct Case {
    group: String,
    matched: bool,
    /// By log-odds.
    order: Sample,
    /// By score.
    score: Sample,
}

const METRICS: [&str; 9] = [
    "roc_auc",
    "roc_auc_matched",
    "average_precision",
    "tpr_at_fpr_0.05",
    "tpr_at_fpr_0.02",
    "tpr_at_fpr_0.01",
    "log_loss",
    "brier",
    "ece",
];

fn metrics(clips: &Clips, fitted: &Fitted, seed: u64) -> BTreeMap<&'static str, Metric> {
    let case = |clip: usize| Case {
        group: clips.groups[clip].clone(),
        matched: clips.matched.as_ref().is_some_and(|all| all[clip]),
        order: Sample::new(clips.synthetic[clip], fitted.unseen_order[clip]),
        score: Sample::new(clips.synthetic[clip], fitted.unseen[clip]),
    };
    let mut cases: Vec<Case> = (0..fitted.fold.len()).map(case).collect();
    cases.sort_by(|a, b| b.order.score.total_cmp(&a.order.score));
    let names = cases.iter();
    let names = names.map(|case| (case.order.synthetic, case.group.as_str()));
    let clusters = Clusters::of(names);
    let found = values(&cases, None);
    let drawn = clusters.replicate(REPLICATES, seed, |weights| values(&cases, Some(weights)));
    let metric = |(place, name): (usize, &&'static str)| {
        let mut spread: Vec<f64> = drawn.iter().filter_map(|values| values[place]).collect();
        let metric = Metric {
            value: found[place].map(rounded),
            low: quantile(&mut spread, 0.025).map(rounded),
            high: quantile(&mut spread, 0.975).map(rounded),
            reason: None,
        };
        (*name, metric)
    };
    let metrics = METRICS.iter().enumerate().map(metric);
    metrics
        .filter(|(_, metric)| metric.value.is_some())
        .collect()
}

/// In the order of [`METRICS`]; `cases` have their highest log-odds first.
fn values(cases: &[Case], weights: Option<&[f64]>) -> [Option<f64>; METRICS.len()] {
    let weighted = |only: fn(&Case) -> bool, of: fn(&Case) -> Sample| -> Vec<Sample> {
        let kept = cases.iter().enumerate().filter(|(_, case)| only(case));
        let kept = kept.map(|(place, case)| Sample {
            weight: weights.map_or(1.0, |all| all[place]),
            ..of(case)
        });
        kept.collect()
    };
    let curve = Curve::of(&weighted(|_| true, |case| case.order));
    let matched = Curve::of(&weighted(|case| case.matched, |case| case.order));
    let mut scores = weighted(|_| true, |case| case.score);
    balance(&mut scores);
    [
        curve.roc_auc(),
        matched.roc_auc(),
        curve.average_precision(),
        curve.tpr_at_fpr(0.05),
        curve.tpr_at_fpr(0.02),
        curve.tpr_at_fpr(0.01),
        log_loss(&scores),
        brier(&scores),
        ece(&scores),
    ]
}

/// Both classes count the same, as for the calibration.
fn balance(samples: &mut [Sample]) {
    let mut totals = [0.0; 2];
    for sample in samples.iter() {
        totals[usize::from(sample.synthetic)] += sample.weight;
    }
    for sample in samples {
        sample.weight /= totals[usize::from(sample.synthetic)].max(f64::MIN_POSITIVE);
    }
}

fn families(clips: &Clips, scores: &[f64]) -> Vec<Family> {
    let sample = |clip: usize| Sample::new(clips.synthetic[clip], scores[clip]);
    let mut of: BTreeMap<&String, Vec<Sample>> = BTreeMap::new();
    let mut real = Vec::new();
    for (clip, group) in clips.groups.iter().enumerate() {
        if clips.synthetic[clip] {
            of.entry(group).or_default().push(sample(clip));
        } else {
            real.push(sample(clip));
        }
    }
    let family = |(group, own): (&String, Vec<Sample>)| {
        let count = own.len();
        let mut samples = own;
        samples.extend_from_slice(&real);
        rank(&mut samples);
        Family {
            group: group.clone(),
            clips: count,
            roc_auc: Curve::of(&samples).roc_auc().map(rounded),
        }
    };
    let mut families: Vec<Family> = of.into_iter().map(family).collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.clips));
    families
}
