//! Metrics beside scikit-learn's (`tests/reference/metrics.py`) on random and degenerate data.

use std::io::Write;
use std::process::{Command, Stdio};

use jaga::domain::metrics::{self, Confusion, Curve, Sample};
use serde_json::{Value, json};

use crate::inference::support::{python, root};
use crate::random::Random;

const TOLERANCE: f64 = 1e-9;

type Set = Vec<(bool, f64)>;

/// Sets of different size, prevalence and coarseness; ties in most of them.
fn random_sets() -> Vec<Set> {
    let mut random = Random(8);
    let mut set = |number: usize| {
        let (size, steps) = (4 + random.below(300), [5, 40, 1 << 20][number % 3]);
        let prevalence = 1 + random.below(9);
        let mut draw = |place: usize| {
            let fake = if place < 2 {
                place == 0
            } else {
                random.below(10) < prevalence
            };
            let lift = if fake { steps / 5 } else { 0 };
            let score = (random.below(steps) + lift).min(steps) as f64 / steps as f64;
            (fake, score)
        };
        (0..size).map(&mut draw).collect()
    };
    (0..50).map(&mut set).collect()
}

fn degenerate_sets() -> Vec<Set> {
    let few = |pairs: &[(bool, f64)]| pairs.to_vec();
    vec![
        few(&[(true, 1.0), (false, 0.0)]),
        few(&[(true, 0.0), (false, 1.0)]),
        few(&[(true, 0.5), (false, 0.5)]),
        few(&[(true, 0.5), (false, 0.5), (false, 0.5), (true, 0.5)]),
        few(&[(true, 0.3), (true, 0.3), (false, 0.7)]),
        few(&[(false, 0.1), (false, 0.2), (false, 0.3), (true, 0.2)]),
        few(&[(true, 1.0), (true, 1.0), (false, 1.0), (false, 0.0)]),
        few(&[(true, 0.1), (true, 0.2), (true, 0.3), (false, 0.2)]),
        (1..10).map(|i| (i % 2 == 0, f64::from(i) * 0.1)).collect(),
        few(&[
            (true, 5e-324),
            (false, 0.0),
            (true, 1.0 - f64::EPSILON),
            (false, 1.0),
        ]),
    ]
}

/// What jaga computes, by the reference's names; `null` where it gives no number.
fn ours(set: &Set) -> Value {
    let mut samples: Vec<Sample> = set.iter().map(|(y, s)| Sample::new(*y, *s)).collect();
    metrics::rank(&mut samples);
    let (curve, at) = (Curve::of(&samples), Confusion::at(&samples, 0.5));
    json!({
        "roc_auc": curve.roc_auc(),
        "average_precision": curve.average_precision(),
        "eer": curve.eer(),
        "tpr_at_fpr_0.1": curve.tpr_at_fpr(0.1),
        "tpr_at_fpr_0.01": curve.tpr_at_fpr(0.01),
        "tpr_at_fpr_0.001": curve.tpr_at_fpr(0.001),
        "log_loss": metrics::log_loss(&samples),
        "brier": metrics::brier(&samples),
        "ece": metrics::ece(&samples),
        "accuracy": at.accuracy(),
        "precision": at.precision(),
        "recall": at.recall(),
        "f1": at.f1(),
    })
}

fn theirs(python: &std::path::Path, sets: &[Set]) -> Vec<Value> {
    let mut child = Command::new(python)
        .arg(root().join("tests/reference/metrics.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = serde_json::to_vec(sets).unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn metrics_are_those_of_scikit_learn() {
    let Some(python) = python() else { return };
    let mut sets = random_sets();
    sets.extend(degenerate_sets());
    assert_eq!(sets.len(), 60);
    for (number, (set, theirs)) in sets.iter().zip(theirs(&python, &sets)).enumerate() {
        let ours = ours(set);
        for (name, expected) in theirs.as_object().unwrap() {
            match (expected.as_f64(), ours[name].as_f64()) {
                (Some(a), Some(b)) => {
                    assert!(
                        (a - b).abs() < TOLERANCE,
                        "set {number}, {name}: {a} and {b}"
                    );
                }
                (a, b) => assert_eq!(a, b, "set {number}, {name}"),
            }
        }
    }
}
