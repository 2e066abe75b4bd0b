use super::bootstrap::{Clusters, quantile};
use super::*;
use proptest::prelude::*;

fn samples(pairs: &[(bool, f64)]) -> Vec<Sample> {
    let mut all: Vec<Sample> = pairs.iter().map(|(y, s)| Sample::new(*y, *s)).collect();
    rank(&mut all);
    all
}

/// Scores of a few values only, so that most are tied.
fn tied() -> impl Strategy<Value = Vec<(bool, f64)>> {
    prop::collection::vec(
        (any::<bool>(), (0u8..12).prop_map(|s| f64::from(s) / 11.0)),
        2..60,
    )
}

fn by_pairs(pairs: &[(bool, f64)]) -> Option<f64> {
    let (mut won, mut all) = (0.0, 0.0);
    for (_, fake) in pairs.iter().filter(|(y, _)| *y) {
        for (_, real) in pairs.iter().filter(|(y, _)| !*y) {
            all += 1.0;
            won += match fake.total_cmp(real) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    (all > 0.0).then(|| won / all)
}

proptest! {
    #[test]
    fn auc_is_the_share_of_pairs_that_are_in_order(pairs in tied()) {
        let (fast, slow) = (Curve::of(&samples(&pairs)).roc_auc(), by_pairs(&pairs));
        prop_assert_eq!(fast.is_some(), slow.is_some());
        prop_assert!((fast.unwrap_or(0.0) - slow.unwrap_or(0.0)).abs() < 1e-12);
    }

    #[test]
    fn a_weight_is_a_number_of_copies(pairs in tied(), times in prop::collection::vec(0u8..4, 60)) {
        let mut heavy = samples(&pairs);
        let mut copies = Vec::new();
        for (sample, times) in heavy.iter_mut().zip(&times) {
            sample.weight = f64::from(*times);
            copies.extend((0..*times).map(|_| Sample::new(sample.synthetic, sample.score)));
        }
        let (a, b) = (Curve::of(&heavy), Curve::of(&copies));
        let both = |f: fn(&Curve) -> Option<f64>| (f(&a).unwrap_or(-1.0), f(&b).unwrap_or(-1.0));
        for (x, y) in [both(Curve::roc_auc), both(Curve::average_precision), both(Curve::eer)] {
            prop_assert!((x - y).abs() < 1e-12);
        }
        for f in [brier, log_loss, ece] {
            let (x, y) = (f(&heavy).unwrap_or(-1.0), f(&copies).unwrap_or(-1.0));
            prop_assert!((x - y).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_prepared_gives_the_same_to_the_bit(
        pairs in tied(), times in prop::collection::vec(0u8..4, 60)
    ) {
        let mut weighed = samples(&pairs);
        let prepared = probability::Prepared::of(&weighed).unwrap();
        for (sample, times) in weighed.iter_mut().zip(&times) {
            sample.weight = f64::from(*times);
        }
        let expected = [log_loss(&weighed), brier(&weighed), ece(&weighed)];
        prop_assert_eq!(prepared.metrics(&weighed), expected);
    }

    #[test]
    fn turned_scores_give_the_rest_of_the_area(pairs in tied()) {
        let turned: Vec<_> = pairs.iter().map(|(y, s)| (*y, -s)).collect();
        let (a, b) = (Curve::of(&samples(&pairs)), Curve::of(&samples(&turned)));
        if let (Some(a), Some(b)) = (a.roc_auc(), b.roc_auc()) {
            prop_assert!((a + b - 1.0).abs() < 1e-12);
        }
        if let (Some(a), Some(b)) = (a.eer(), b.eer()) {
            prop_assert!((a + b - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_threshold_for_a_rate_keeps_it(pairs in tied(), max in 0.0f64..1.0) {
        let ranked = samples(&pairs);
        if let Some(threshold) = threshold_for_fpr(&Curve::of(&ranked), max) {
            prop_assert!(Confusion::at(&ranked, threshold).fpr().unwrap() <= max);
        }
    }
}

#[test]
fn eer_is_where_the_lines_cross() {
    // FPR 0, 0, 1/2, 1/2, 1 and TPR 1/2, …: between (0, 1/2) and (1/2, 1/2) lies (1/2, 1/2).
    let ranked = samples(&[(true, 0.9), (false, 0.8), (true, 0.7), (false, 0.1)]);
    assert!((Curve::of(&ranked).eer().unwrap() - 0.5).abs() < 1e-12);
    // All tied: the diagonal crosses at a half.
    let ranked = samples(&[(true, 0.5), (false, 0.5), (false, 0.5)]);
    assert!((Curve::of(&ranked).eer().unwrap() - 0.5).abs() < 1e-12);
}

#[test]
fn what_the_data_cannot_carry_has_a_reason_and_no_number() {
    let rules = Rules::default();
    let of = |pairs: &[(bool, f64)], names: &[&str]| {
        let all: Vec<_> = pairs.iter().map(|(y, s)| Sample::new(*y, *s)).collect();
        sheet(&all, names, &rules)
    };
    let auc = |sheet: Sheet| sheet["roc_auc"];
    let none = of(&[], &[]);
    assert_eq!(auc(none).reason, Some(Absent::NoScores));
    let one = of(&[(true, 0.5); 9], &["a"; 9]);
    assert_eq!(
        (auc(one.clone()).value, auc(one).reason),
        (None, Some(Absent::OneClass))
    );
    let three = of(&[(true, 0.9), (true, 0.8), (false, 0.1)], &["a", "b", "c"]);
    assert_eq!(auc(three).reason, Some(Absent::TooFewSamples));
    let ten: Vec<_> = (0..10).map(|i| (i % 2 == 0, 3.0 - f64::from(i))).collect();
    let of_one_source = of(&ten, &["a"; 10]);
    let got = auc(of_one_source.clone());
    assert_eq!((got.low, got.reason), (None, Some(Absent::TooFewSources)));
    assert!(got.value.is_some());
    assert_eq!(
        of_one_source["brier"].reason,
        Some(Absent::NotProbabilities)
    );
    assert_eq!(
        of_one_source["tpr_at_fpr_0.1"].reason,
        Some(Absent::TooFewReal)
    );
    let nothing_called: Vec<_> = (0..10).map(|i| (i % 2 == 0, 0.1)).collect();
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        of(&nothing_called, &names)["precision"].reason,
        Some(Absent::Undefined)
    );
}

fn separable(n: u32) -> (Vec<Sample>, Vec<String>) {
    let mut numbers = 1u32;
    let draw = |i: u32| {
        numbers = numbers.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(numbers >> 8) / f64::from(1 << 24);
        Sample::new(
            i.is_multiple_of(2),
            if i.is_multiple_of(2) {
                noise.sqrt()
            } else {
                noise
            },
        )
    };
    (
        (0..n).map(draw).collect(),
        (0..n).map(|i| format!("s{}", i / 4)).collect(),
    )
}

#[test]
fn intervals_hold_the_value_and_do_not_depend_on_order() {
    let (all, names) = separable(400);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let got = sheet(&all, &names, &Rules::default());
    for (name, metric) in &got {
        if let Metric {
            value: Some(v),
            low: Some(l),
            high: Some(h),
            ..
        } = metric
        {
            // A bootstrapped ECE is biased upwards; it may lie above the value.
            assert!(
                l < h && *v <= *h && (*name == "ece" || l <= v),
                "{name}: {l} {v} {h}"
            );
        }
    }
    assert!(got["roc_auc"].high.unwrap() - got["roc_auc"].low.unwrap() < 0.15);
    let (mut back, mut back_names) = (all, names);
    back.reverse();
    back_names.reverse();
    assert_eq!(sheet(&back, &back_names, &Rules::default()), got);
}

#[test]
fn a_model_beside_itself_differs_by_nothing() {
    let (all, names) = separable(200);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let same = paired(&all, &all, &names, &Rules::default())["roc_auc"];
    assert_eq!(
        (same.value, same.low, same.high),
        (Some(0.0), Some(0.0), Some(0.0))
    );
    let worse: Vec<_> = all
        .iter()
        .map(|s| Sample::new(s.synthetic, 1.0 - s.score))
        .collect();
    let metric = paired(&worse, &all, &names, &Rules::default())["roc_auc"];
    assert!(metric.low.unwrap() > 0.0);
}

#[test]
fn every_draw_has_as_many_clusters_of_each_kind() {
    let clusters = Clusters::of([
        (true, "a"),
        (true, "a"),
        (false, "b"),
        (false, "c"),
        (true, "d"),
    ]);
    assert_eq!(clusters.counts(), (2, 2));
    for weights in clusters.replicate(50, 7, <[f64]>::to_vec) {
        assert!((weights[2] + weights[3] - 2.0).abs() < 1e-12);
        assert!(
            (weights[0] + weights[4] - 2.0).abs() < 1e-12
                && weights[0].to_bits() == weights[1].to_bits()
        );
    }
}

#[test]
fn quantiles_are_numpys() {
    assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 0.25), Some(1.75));
    assert_eq!(quantile(&mut [], 0.5), None);
}
