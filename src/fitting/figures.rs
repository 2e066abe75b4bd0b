//! What a head is worth, by clips of groups that it never saw.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::clips::Clips;
use super::cross::{Fitted, Round};
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
    /// How often the groups were put into folds; all below are means of as many figures.
    pub repeats: usize,
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

/// How many clips of a class get each verdict, the mean of the repeats with one digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Shares {
    /// Of the class.
    pub clips: usize,
    /// At or above the upper limit.
    pub substantial_evidence: f64,
    /// Between.
    pub uncertain: f64,
    /// Below the lower limit.
    pub little_evidence: f64,
}

/// Judges `fitted` by what heads without a clip's fold say of it; `seed` is of the bootstrap. Metrics
/// of order come from [`Round::unseen_order`], those of probability from [`Round::unseen`].
pub fn figures(clips: &Clips, fitted: &Fitted, seed: u64) -> Figures {
    let limits = fitted.settled.limits;
    Figures {
        clips: counts(clips),
        repeats: fitted.rounds.len(),
        metrics: metrics(clips, fitted, seed),
        families: families(clips, &fitted.rounds),
        calibration: fitted.settled.calibration.clone(),
        thresholds: limits,
        verdicts: verdicts(clips, &fitted.rounds, |round, clip| {
            (round.seen[clip], Some(limits))
        }),
        verdicts_unseen: verdicts(clips, &fitted.rounds, |round, clip| {
            let inner = round.inner.get(round.fold[clip]);
            (round.unseen[clip], inner.map(|inner| inner.limits))
        }),
    }
}

/// Of real and of synthetic clips, by score and limits of a clip in a round.
fn verdicts(
    clips: &Clips,
    rounds: &[Round],
    of: impl Fn(&Round, usize) -> (f64, Option<Limits>),
) -> [Shares; 2] {
    let mut shares = [false, true].map(|class| Shares {
        clips: clips.synthetic.iter().filter(|own| **own == class).count(),
        ..Shares::default()
    });
    for round in rounds {
        for (clip, class) in clips.synthetic.iter().enumerate() {
            if let (score, Some(limits)) = of(round, clip) {
                shares[usize::from(*class)].add(score, limits);
            }
        }
    }
    shares.map(|all| all.mean(rounds.len()))
}

impl Shares {
    fn add(&mut self, score: f64, limits: Limits) {
        let own = if score >= limits.substantial_evidence {
            &mut self.substantial_evidence
        } else if score >= limits.little_evidence {
            &mut self.uncertain
        } else {
            &mut self.little_evidence
        };
        *own += 1.0;
    }

    fn mean(self, rounds: usize) -> Self {
        let mean = |sum: f64| (10.0 * sum / rounds.max(1) as f64).round() / 10.0;
        Self {
            clips: self.clips,
            substantial_evidence: mean(self.substantial_evidence),
            uncertain: mean(self.uncertain),
            little_evidence: mean(self.little_evidence),
        }
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

/// One clip in one round, for every metric.
struct Case {
    clip: usize,
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

/// A round's clips, those with the highest log-odds first.
fn cases(clips: &Clips, round: &Round) -> Vec<Case> {
    let case = |clip: usize| Case {
        clip,
        matched: clips.matched.as_ref().is_some_and(|all| all[clip]),
        order: Sample::new(clips.synthetic[clip], round.unseen_order[clip]),
        score: Sample::new(clips.synthetic[clip], round.unseen[clip]),
    };
    let mut cases: Vec<Case> = (0..round.fold.len()).map(case).collect();
    cases.sort_by(|a, b| b.order.score.total_cmp(&a.order.score));
    cases
}

fn metrics(clips: &Clips, fitted: &Fitted, seed: u64) -> BTreeMap<&'static str, Metric> {
    let rounds = fitted.rounds.iter();
    let rounds: Vec<Vec<Case>> = rounds.map(|round| cases(clips, round)).collect();
    let groups = clips.groups.iter().map(String::as_str);
    let clusters = Clusters::of(clips.synthetic.iter().copied().zip(groups));
    let found = means(&rounds, None);
    let drawn = clusters.replicate(REPLICATES, seed, |weights| means(&rounds, Some(weights)));
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

/// Of all rounds, under the same weights of clips; `None` where one has none.
fn means(rounds: &[Vec<Case>], weights: Option<&[f64]>) -> [Option<f64>; METRICS.len()] {
    let all: Vec<_> = rounds.iter().map(|cases| values(cases, weights)).collect();
    std::array::from_fn(|place| mean(all.iter().map(|values| values[place])))
}

fn mean(values: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = values.len().max(1) as f64;
    let sum: Option<f64> = values.sum();
    sum.map(|sum| sum / count)
}

/// In the order of [`METRICS`]; `cases` have their highest log-odds first, `weights` are by clip.
fn values(cases: &[Case], weights: Option<&[f64]>) -> [Option<f64>; METRICS.len()] {
    let weighted = |only: fn(&Case) -> bool, of: fn(&Case) -> Sample| -> Vec<Sample> {
        let kept = cases.iter().filter(|case| only(case));
        let kept = kept.map(|case| Sample {
            weight: weights.map_or(1.0, |all| all[case.clip]),
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

fn families(clips: &Clips, rounds: &[Round]) -> Vec<Family> {
    let mut of: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    let mut real = Vec::new();
    for (clip, group) in clips.groups.iter().enumerate() {
        if clips.synthetic[clip] {
            of.entry(group).or_default().push(clip);
        } else {
            real.push(clip);
        }
    }
    let auc = |own: &[usize], round: &Round| {
        let sample = |clip: &usize| Sample::new(clips.synthetic[*clip], round.unseen_order[*clip]);
        let mut samples: Vec<Sample> = own.iter().chain(&real).map(sample).collect();
        rank(&mut samples);
        Curve::of(&samples).roc_auc()
    };
    let family = |(group, own): (&String, Vec<usize>)| Family {
        group: group.clone(),
        clips: own.len(),
        roc_auc: mean(rounds.iter().map(|round| auc(&own, round))).map(rounded),
    };
    let mut families: Vec<Family> = of.into_iter().map(family).collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.clips));
    families
}
