//! A day in an election: `scripts/election_day.py` against the tiny model.

use std::process::Command;

use crate::inference::support::library;
use crate::server::tiny_model;

/// `JAGA_TEST_BACKFILL` sets how many the catalogue has; 1,000 by default.
#[test]
fn a_day_in_an_election_adds_up() {
    let Some(library) = library() else { return };
    let backfill = std::env::var("JAGA_TEST_BACKFILL").unwrap_or_else(|_| "1000".to_owned());
    let models = tempfile::tempdir().unwrap();
    tiny_model(models.path());
    let root = env!("CARGO_MANIFEST_DIR");
    let day = Command::new("python3")
        .arg(format!("{root}/scripts/election_day.py"))
        .args(["--jaga", env!("CARGO_BIN_EXE_jaga"), "--model", "tiny"])
        .args([
            "--everyday",
            "0.8",
            "--election",
            "0.6",
            "--backfill",
            &backfill,
        ])
        .current_dir(models.path())
        .env("JAGA_RUNTIME__LIBRARY", library)
        .env("JAGA_MODELS_DIR", models.path())
        .env("JAGA_ANALYSIS__QUALITY__MAX_BLOCKINESS", "100")
        .output()
        .unwrap();
    let printed = String::from_utf8(day.stdout).unwrap();
    let told = String::from_utf8(day.stderr).unwrap();
    assert!(day.status.success(), "{told}");
    // 2 × 30 live, 2 × 10 flags of three organisations, the catalogue.
    let all = 120 + backfill.parse::<u64>().unwrap();
    let last = printed.lines().last().unwrap();
    assert!(last.starts_with(&format!("{all} decisions, ")), "{last}");
    assert!(last.ends_with("everything adds up"), "{last}");
    let head = printed.lines().next().unwrap();
    assert_eq!(head, "day,lane,action,automation,count,median_s,p95_s");
    let counts = printed
        .lines()
        .skip(1)
        .map_while(|line| line.split(',').nth(4)?.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), all);
    assert!(
        printed.contains("2027-02-14,flagger,escalate,not,"),
        "{printed}"
    );
}
