//! `jaga fit` and `jaga calibrate`; the solver beside scikit-learn (`tests/reference/logistic.py`).

mod command;

use std::io::Write;
use std::process::{Command, Stdio};

use jaga::domain::calibration::Calibration;
use jaga::fitting::{
    Balance, Clips, Data, Kind, Linear, Plan, Scale, Terms, budget, by_class, calibrate, fit,
    folds, logistic,
};
use ndarray::Array2;
use serde_json::json;

use crate::inference::support::{python, root};
use crate::random::Random;

/// Rows around two centres, unevenly many of each.
fn data(count: usize, dim: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut random = Random(seed);
    let synthetic: Vec<bool> = (0..count).map(|i| i % 3 == 0).collect();
    let value = |(row, column): (usize, usize)| {
        let noise: usize = (0..6).map(|_| random.below(1000)).sum();
        let lift = if synthetic[row] && column % 4 == 0 {
            0.4
        } else {
            0.0
        };
        (noise as f64 - 3000.0) / 700.0 + lift
    };
    (Array2::from_shape_fn((count, dim), value), synthetic)
}

#[test]
fn coefficients_are_those_of_scikit_learn() {
    let Some(python) = python() else { return };
    let mut sets = Vec::new();
    let mut ours = Vec::new();
    for (seed, (count, dim, strength)) in [
        (60, 3, 1.0),
        (200, 20, 0.01),
        (500, 64, 0.1),
        (90, 120, 0.001),
    ]
    .into_iter()
    .enumerate()
    {
        let (rows, synthetic) = data(count, dim, seed as u64);
        let weights = by_class(&synthetic);
        let data = Data {
            rows: &rows.view(),
            synthetic: &synthetic,
            weights: &weights,
        };
        let terms = Terms {
            strength,
            tolerance: 1e-9,
        };
        let head = logistic(&data, &Scale::none(dim), terms, &Linear::zero(dim)).unwrap();
        let lines: Vec<Vec<f64>> = rows.rows().into_iter().map(|row| row.to_vec()).collect();
        sets.push(json!({ "rows": lines, "synthetic": synthetic, "c": strength }));
        ours.push(head);
    }
    let mut child = Command::new(python)
        .arg(root().join("tests/reference/logistic.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = serde_json::to_vec(&sets).unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let output = child.wait_with_output().unwrap();
    let theirs: Vec<Vec<f64>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), ours.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        let ours = ours.weights.iter().chain([&ours.bias]);
        for (a, b) in ours.zip(&theirs) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
    }
}

#[test]
fn no_group_is_in_two_folds_and_every_fold_has_both_classes() {
    let synthetic: Vec<bool> = (0..200).map(|i| i / 4 % 2 == 0).collect();
    let groups: Vec<String> = (0..200).map(|i| format!("g{}", i / 4)).collect();
    let fold = folds(&synthetic, &groups, 5, 1).unwrap();
    for (clips, folds) in groups.chunks(4).zip(fold.chunks(4)) {
        assert!(folds.iter().all(|f| *f == folds[0]), "{}", clips[0]);
    }
    for number in 0..5 {
        let of = |class: bool| {
            fold.iter()
                .zip(&synthetic)
                .filter(move |(f, y)| **f == number && **y == class)
        };
        assert_eq!(
            (of(true).count(), of(false).count()),
            (20, 20),
            "fold {number}"
        );
    }
    assert!(
        folds(&synthetic[..8], &groups[..8], 5, 1).is_err(),
        "two groups make no five folds"
    );
}

#[test]
fn calibrations_find_the_line_that_was_drawn() {
    let mut random = Random(5);
    let logits: Vec<f64> = (0..20_000)
        .map(|_| random.below(8000) as f64 / 1000.0 - 4.0)
        .collect();
    let synthetic: Vec<bool> = logits
        .iter()
        .map(|x| (random.below(1 << 20) as f64) < f64::from(1 << 20) / (1.0 + (-0.5 * x).exp()))
        .collect();
    let weights = vec![1.0; logits.len()];
    let Calibration::Platt { a, b } =
        calibrate(Kind::Platt, &logits, &synthetic, &weights).unwrap()
    else {
        panic!("no line");
    };
    // Three standard errors of a slope from 20,000 samples.
    assert!((a - 0.5).abs() < 0.03 && b.abs() < 0.06, "{a}, {b}");
    let Calibration::Temperature { temperature } =
        calibrate(Kind::Temperature, &logits, &synthetic, &weights).unwrap()
    else {
        panic!("no temperature");
    };
    assert!((temperature - 2.0).abs() < 0.12, "{temperature}");
    assert!(
        calibrate(Kind::Isotonic, &logits, &synthetic, &weights)
            .unwrap()
            .validate()
            .is_ok()
    );
    let turned: Vec<bool> = synthetic.iter().map(|y| !y).collect();
    assert!(
        calibrate(Kind::Platt, &logits, &turned, &weights).is_err(),
        "higher must mean synthetic"
    );
}

#[test]
fn a_budget_of_false_positives_gives_a_threshold_and_says_what_proves_it() {
    // Real ones at 0.000, 0.001 … 0.199, synthetic ones at 0.1 and above.
    let mut scores: Vec<f64> = (0..200).map(|i| f64::from(i) / 1000.0).collect();
    scores.extend((0..50).map(|i| 0.1 + f64::from(i) / 100.0));
    let synthetic: Vec<bool> = (0..250).map(|i| i >= 200).collect();
    let found = budget(&synthetic, &scores, 0.05).unwrap();
    // 190 and above are ten; the lowest score of any video that lets in no more is 0.19.
    assert_eq!(found.threshold, Some(0.19));
    assert_eq!((found.fpr.hits, found.fpr.of), (10, 200));
    assert_eq!((found.tpr.hits, found.tpr.of), (41, 50));
    assert!(found.fpr.low < 0.05 && found.fpr.high > 0.05 && !found.proven);
    assert_eq!(
        found.real_needed_at_this_rate, None,
        "the rate is the budget"
    );
    let found = budget(&synthetic, &scores, 0.001).unwrap();
    assert_eq!((found.fpr.hits, found.real_needed), (0, 3688));
    assert!(!found.proven, "200 can't prove 0.1 %");
    assert!(budget(&synthetic[200..], &scores[200..], 0.05).is_err());
}

/// Two kinds of noise: what is chosen for a fold must not come from the fold.
#[test]
fn no_clip_of_a_fold_is_in_its_own_score() {
    let (rows, synthetic) = data(300, 12, 9);
    let groups: Vec<String> = (0..300).map(|i| format!("g{}", i / 10)).collect();
    let clips = |rows: Array2<f64>| Clips {
        arrays: vec![rows],
        synthetic: synthetic.clone(),
        sources: groups.clone(),
        groups: groups.clone(),
        matched: None,
        files: Vec::new(),
    };
    let plan = Plan {
        folds: 3,
        seed: 0,
        repeats: 2,
        balance: Balance::Groups,
        strengths: vec![0.01, 1.0],
        shares: vec![0.0],
        kind: Kind::Platt,
        max_fpr: 0.02,
    };
    let whole = fit(&clips(rows.clone()), None, &plan).unwrap();
    assert_eq!((whole.tried.len(), whole.rounds.len()), (2, 2));
    let first = &whole.rounds[0];
    assert_eq!(first.inner.len(), 3);
    assert_ne!(first.fold, whole.rounds[1].fold);
    // Other embeddings in fold 0 move the scores of the other folds only, but for their own.
    let mut other = rows.clone();
    let inside: Vec<usize> = (0..300).filter(|c| first.fold[*c] == 0).collect();
    for (clip, from) in inside.iter().zip(inside.iter().rev()) {
        other.row_mut(*clip).assign(&rows.row(*from));
    }
    let moved = fit(&clips(other), None, &plan).unwrap();
    let moved = &moved.rounds[0];
    for (clip, from) in inside.iter().zip(inside.iter().rev()) {
        assert!((moved.unseen[*clip] - first.unseen[*from]).abs() < 1e-9);
    }
    assert!(
        moved
            .unseen
            .iter()
            .zip(&first.unseen)
            .any(|(a, b)| (a - b).abs() > 1e-3)
    );
    let again = fit(&clips(rows), None, &plan).unwrap();
    assert_eq!(
        (&again.head, &again.rounds[1].unseen),
        (&whole.head, &whole.rounds[1].unseen),
        "to the bit"
    );
}
