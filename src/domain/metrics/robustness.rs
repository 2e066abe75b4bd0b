//! What a change of the videos does to their scores: the same videos before and after, in pairs.

use serde::Serialize;

use super::bootstrap::Clusters;
use super::sheet::interval;
use super::{Absent, Curve, Metric, Rules, Sample, rank};

/// One video's scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// True for synthetic.
    pub synthetic: bool,
    /// Score of the unchanged video; finite.
    pub before: f64,
    /// Score of the changed one; finite.
    pub after: f64,
}

/// What became of the scores. All intervals are of the same draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shift {
    /// Area under the ROC curve of the changed videos.
    pub roc_auc: Metric,
    /// That less the area of the same videos unchanged.
    pub roc_auc_difference: Metric,
    /// Mean of score after less score before, of the real videos.
    pub score_drift_real: Metric,
    /// The same of the synthetic ones.
    pub score_drift_synthetic: Metric,
    /// Share of the videos that are on the other side of the threshold than before.
    pub verdict_flips: Metric,
}

/// In the order of [`Shift`]'s fields.
type Values = [Option<f64>; 5];

/// The pairs with their places in both rankings.
struct Ranked<'a> {
    pairs: &'a [Pair],
    /// Samples, best first, and the pair of each.
    before: Vec<(Sample, usize)>,
    after: Vec<(Sample, usize)>,
    threshold: f64,
}

impl<'a> Ranked<'a> {
    fn of(pairs: &'a [Pair], threshold: f64) -> Self {
        let by = |score: fn(&Pair) -> f64| {
            let places = pairs.iter().enumerate();
            let mut samples: Vec<(Sample, usize)> = places
                .map(|(place, pair)| (Sample::new(pair.synthetic, score(pair)), place))
                .collect();
            samples.sort_by(|(a, _), (b, _)| b.score.total_cmp(&a.score));
            samples
        };
        Self {
            before: by(|pair| pair.before),
            after: by(|pair| pair.after),
            pairs,
            threshold,
        }
    }

    fn values(&self, weights: &[f64]) -> Values {
        let auc = |ranked: &[(Sample, usize)]| {
            let weighted = ranked.iter().map(|(sample, place)| Sample {
                weight: weights.get(*place).copied().unwrap_or(0.0),
                ..*sample
            });
            let mut samples: Vec<Sample> = weighted.collect();
            rank(&mut samples);
            Curve::of(&samples).roc_auc()
        };
        let (before, after) = (auc(&self.before), auc(&self.after));
        let mean = |of: &dyn Fn(&Pair) -> Option<f64>| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (pair, w) in self.pairs.iter().zip(weights) {
                if let Some(value) = of(pair) {
                    sum += w * value;
                    weight += w;
                }
            }
            super::share(sum, weight)
        };
        let drift = |synthetic: bool| {
            mean(&|pair: &Pair| (pair.synthetic == synthetic).then_some(pair.after - pair.before))
        };
        let says = |score: f64| score >= self.threshold;
        [
            after,
            after.zip(before).map(|(after, before)| after - before),
            drift(false),
            drift(true),
            mean(&|pair: &Pair| Some(f64::from(u8::from(says(pair.before) != says(pair.after))))),
        ]
    }
}

/// What happened to the scores of `pairs`, each of which belongs to the cluster of the same place in
/// `names`.
pub fn shift(pairs: &[Pair], names: &[&str], rules: &Rules) -> Shift {
    let ranked = Ranked::of(pairs, rules.threshold);
    let clusters = Clusters::of(
        pairs
            .iter()
            .zip(names)
            .map(|(pair, name)| (pair.synthetic, *name)),
    );
    let found = ranked.values(&vec![1.0; pairs.len()]);
    let drawn = clusters.replicate(rules.replicates, rules.seed, |w| ranked.values(w));
    let synthetic = pairs.iter().filter(|pair| pair.synthetic).count();
    let real = pairs.len().saturating_sub(synthetic);
    let sources = clusters.counts();
    let both = too_few(real.min(synthetic), rules);
    let both = match (real, synthetic) {
        (0, 0) => Some(Absent::NoScores),
        (0, _) | (_, 0) => Some(Absent::OneClass),
        (_, _) => both,
    };
    let metric = |place: usize, absent: Option<Absent>, sources: usize| {
        let of = |values: &Values| values.get(place).copied().flatten();
        if let Some(reason) = absent {
            return Metric {
                reason: Some(reason),
                ..Metric::default()
            };
        }
        let spread = if sources >= 2 {
            drawn.iter().filter_map(of).collect()
        } else {
            Vec::new()
        };
        interval(of(&found), spread, rules.confidence)
    };
    let least = sources.0.min(sources.1);
    Shift {
        roc_auc: metric(0, both, least),
        roc_auc_difference: metric(1, both, least),
        score_drift_real: metric(2, too_few(real, rules), sources.0),
        score_drift_synthetic: metric(3, too_few(synthetic, rules), sources.1),
        verdict_flips: metric(4, too_few(pairs.len(), rules), sources.0.max(sources.1)),
    }
}

fn too_few(count: usize, rules: &Rules) -> Option<Absent> {
    match count {
        0 => Some(Absent::NoScores),
        count if count < rules.min_per_class => Some(Absent::TooFewSamples),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            replicates: 200,
            ..Rules::default()
        }
    }

    /// Ten of each class; synthetic ones score high before, and lose `by` afterwards.
    fn pairs(by: f64) -> Vec<Pair> {
        let pair = |place: u32| {
            let synthetic = place % 2 == 1;
            let small = f64::from(place) / 100.0;
            let before = if synthetic { 0.7 + small } else { 0.3 - small };
            let after = if synthetic { before - by } else { before };
            Pair {
                synthetic,
                before,
                after,
            }
        };
        (0..20).map(pair).collect()
    }

    fn shifted(pairs: &[Pair]) -> Shift {
        let names: Vec<String> = (0..pairs.len()).map(|place| format!("v{place}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        shift(pairs, &names, &rules())
    }

    #[test]
    fn nothing_changed_is_no_shift() {
        let same = shifted(&pairs(0.0));
        assert_eq!(same.roc_auc.value, Some(1.0));
        for metric in [
            same.roc_auc_difference,
            same.score_drift_real,
            same.score_drift_synthetic,
            same.verdict_flips,
        ] {
            let values = (metric.value, metric.low, metric.high);
            assert_eq!(values, (Some(0.0), Some(0.0), Some(0.0)));
        }
    }

    #[test]
    fn a_loss_of_one_class_shows_in_each_figure() {
        let lost = shifted(&pairs(0.65));
        let auc = lost.roc_auc.value.unwrap();
        assert!(auc < 0.9, "{auc}");
        assert_eq!(lost.roc_auc_difference.value, Some(auc - 1.0));
        assert!(lost.roc_auc_difference.high.unwrap() < 0.0);
        assert_eq!(lost.score_drift_real.value, Some(0.0));
        let drift = lost.score_drift_synthetic.value.unwrap();
        assert!((drift + 0.65).abs() < 1e-12, "{drift}");
        assert_eq!(lost.verdict_flips.value, Some(0.5));
    }

    #[test]
    fn what_the_pairs_cant_carry_is_no_number() {
        let few = shifted(&pairs(0.1)[..8]);
        assert_eq!(few.roc_auc.reason, Some(Absent::TooFewSamples));
        assert_eq!(few.score_drift_real.reason, Some(Absent::TooFewSamples));
        assert!(few.verdict_flips.value.is_some());
        let real: Vec<Pair> = pairs(0.1).into_iter().filter(|p| !p.synthetic).collect();
        let one = shifted(&real);
        assert_eq!(one.roc_auc.reason, Some(Absent::OneClass));
        assert_eq!(one.score_drift_synthetic.reason, Some(Absent::NoScores));
        assert!(one.score_drift_real.low.is_some());
        let names = vec!["one"; 20];
        let alone = shift(&pairs(0.1), &names, &rules());
        assert_eq!(alone.roc_auc.reason, Some(Absent::TooFewSources));
        assert!(alone.roc_auc.value.is_some());
        assert_eq!(shifted(&[]).verdict_flips.reason, Some(Absent::NoScores));
    }
}
