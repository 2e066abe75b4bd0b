//! Measures of drift beside scipy's (`tests/reference/drift.py`).

use std::io::Write;
use std::process::{Command, Stdio};

use jaga::domain::drift::{BINS, ScoreHistogram};

use crate::inference::support::{python, root};
use crate::random::Random;

/// Counts with gaps, of a few scores up to many.
fn histogram(random: &mut Random, number: u64) -> [u64; BINS] {
    let most = [2, 30, 5000][usize::try_from(number % 3).unwrap()];
    let mut counts = [0; BINS];
    for count in &mut counts {
        if random.below(4) > 0 {
            *count = random.below(most) as u64;
        }
    }
    counts[usize::try_from(number).unwrap() % BINS] += 1;
    counts
}

#[test]
fn both_measures_are_those_of_scipy() {
    let Some(python) = python() else { return };
    let mut random = Random(5);
    let mut pairs: Vec<[[u64; BINS]; 2]> = (0..60)
        .map(|number| {
            [
                histogram(&mut random, number),
                histogram(&mut random, number + 1),
            ]
        })
        .collect();
    let mut ends = [[0; BINS]; 2];
    (ends[0][0], ends[1][BINS - 1]) = (100, 7);
    pairs.push(ends);
    let mut child = Command::new(python)
        .arg(root().join("tests/reference/drift.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = serde_json::to_string(&pairs).unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let theirs: Vec<[f64; 3]> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), pairs.len());
    for ([live, reference], theirs) in pairs.iter().zip(theirs) {
        let (live, reference) = (ScoreHistogram::new(*live), ScoreHistogram::new(*reference));
        let drift = live.drift(&reference).unwrap();
        let ours = [drift.psi, drift.ks, drift.ks_critical];
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            // The quantile is written with six digits.
            let tolerance = 1e-9 + 1e-5 * theirs.abs();
            assert!((ours - theirs).abs() <= tolerance, "{ours} {theirs}");
        }
    }
}
