//! `jaga eval --perturb`, from the table to the page.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::cli::Shell;
use crate::evaluation::page::{browse, browser, look};
use crate::media_files::{have_ffmpeg, numbered};

const H264: &[&str] = &["-c:v", "libx264", "-pix_fmt", "yuv420p"];

#[test]
fn nonsense_is_misuse() {
    let Some(shell) = Shell::new() else { return };
    for (perturb, words) in [
        (&["--perturb", "nonsense"][..], &["nonsense", "h264"][..]),
        (&["--perturb", "h264=99"], &["h264", "0 to 51", "99"]),
        (&["--perturb", "blur,blur"], &["twice"]),
        (
            &["--perturb", "blur", "--perturb-seconds", "0"],
            &["seconds"],
        ),
        (&["--perturb-seconds", "3"], &["--perturb"]),
        (&["--perturb", "--from", "scores.csv"], &["--from"]),
    ] {
        let mut arguments = vec!["eval", "m.csv", "--out", "out"];
        if perturb.contains(&"--from") {
            arguments.truncate(1);
        }
        arguments.extend(perturb);
        let (code, out, err) = shell.run(&arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{perturb:?}: {err}");
        assert!(words.iter().all(|word| err.contains(word)), "{err}");
    }
}

/// Twelve clips, half of them called synthetic, and a file that is none.
fn table(folder: &Path) -> PathBuf {
    let mut rows = String::from("path,label,source\ntext.mp4,0,s0\n");
    fs::write(folder.join("text.mp4"), "no video\n".repeat(99)).unwrap();
    for place in 0..12_u32 {
        let name = format!("c{place}.mp4");
        let clip = numbered("sweep", "mp4", 8 + place, "25", H264);
        fs::copy(clip, folder.join(&name)).unwrap();
        let source = place / 2 * 2 + place % 2;
        writeln!(rows, "{name},{},s{source}", place % 2).unwrap();
    }
    let path = folder.join("m.csv");
    fs::write(&path, rows).unwrap();
    path
}

/// Names and times of change of what is kept.
fn kept(out: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let files = fs::read_dir(out.join("cache")).unwrap().map(Result::unwrap);
    let files = files.filter(|entry| entry.path().is_file());
    files
        .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
        .collect()
}

const FILES: [&str; 4] = [
    "metrics.json",
    "robustness.csv",
    "report.html",
    "scores.csv",
];

fn read(out: &Path) -> [String; 4] {
    FILES.map(|name| fs::read_to_string(out.join(name)).unwrap())
}

#[test]
fn a_sweep_is_scored_kept_and_drawn() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let manifest = table(place.path());
    let out = place.path().join("out");
    let mut arguments = vec![
        "eval",
        manifest.to_str().unwrap(),
        "--model",
        "tiny",
        "--frames",
        "3",
        "--replicates",
        "100",
        "--out",
        out.to_str().unwrap(),
    ];
    // Without a sweep there is no trace of one.
    let (code, _, err) = shell.run(&arguments);
    assert_eq!((code, err.as_str()), (3, ""));
    let plain = fs::read_to_string(out.join("metrics.json")).unwrap();
    assert!(!plain.contains("robustness") && !out.join("robustness.csv").exists());
    arguments.extend([
        "--perturb",
        "h264=40,noise=20,letterbox=1:1",
        "--perturb-seconds",
        "0.3",
    ]);
    let (code, _, err) = shell.run(&arguments);
    assert_eq!((code, err.as_str()), (3, ""));
    let first = read(&out);
    let [metrics, rows, page, _] = &first;
    // 13 files, 4 variants.
    assert_eq!(rows.lines().count(), 1 + 13 * 4, "{rows}");
    let failed = rows
        .lines()
        .filter(|row| row.contains("perturb_unsupported_media"));
    assert_eq!(failed.count(), 4, "{rows}");
    let document: Value = serde_json::from_str(metrics).unwrap();
    let facts = &document["robustness"];
    assert_eq!(facts["seconds"], 0.3);
    let failures = facts["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 4);
    assert_eq!(
        (&failures[0]["path"], &failures[0]["kind"]),
        (&"text.mp4".into(), &"h264".into())
    );
    let robustness = &document["models"]["tiny"]["robustness"];
    assert_eq!(
        (
            &robustness["baseline"]["n"],
            &robustness["baseline"]["failures"]
        ),
        (&12.into(), &1.into())
    );
    let point = &robustness["kinds"]["noise"][0];
    assert_eq!(
        (&point["strength"], &point["n"], &point["failures"]),
        (&20.into(), &12.into(), &1.into())
    );
    for figure in [
        "roc_auc",
        "roc_auc_difference",
        "score_drift_real",
        "score_drift_synthetic",
        "verdict_flips",
    ] {
        let metric = &point[figure];
        assert!(
            metric["value"].is_f64() && metric["low"].is_f64(),
            "{figure}: {metric}"
        );
    }
    assert_eq!(robustness["kinds"]["letterbox"][0]["strength"], "1:1");
    for text in [
        "h264: ROC AUC",
        "letterbox: change of score",
        "perturbed videos failed",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // The same again: nothing is made or scored, and every byte is the same.
    let before = kept(&out);
    assert_eq!(before.len(), 13 * 5);
    let mut again = shell.command(&arguments);
    again.env("JAGA_PERTURB__PROGRAM", "/nowhere/jaga-perturber");
    assert_eq!(again.output().unwrap().status.code(), Some(3));
    assert_eq!(read(&out), first);
    assert_eq!(kept(&out), before);
    // A run that was cut off goes on: what is gone is made again, to the same answer.
    let lost = before
        .keys()
        .find(|path| path.to_str().unwrap().contains("noise-20"));
    fs::remove_file(lost.unwrap()).unwrap();
    assert_eq!(shell.run(&arguments).0, 3);
    assert_eq!(read(&out), first);
    let changed = kept(&out)
        .into_iter()
        .filter(|(path, at)| before[path] != *at);
    assert_eq!(changed.count(), 1);
    assert_eq!(fs::read_dir(out.join("cache/spool")).unwrap().count(), 0);
    looks_right(&out.join("report.html"), place.path());
}

/// In a real browser: a histogram and slices of before, and two curves of each kind.
fn looks_right(page: &Path, folder: &Path) {
    let Some(browser) = browser() else { return };
    let document = browse(&browser, page, &["--dump-dom"]);
    assert!(document.matches("<svg").count() >= 4 + 1 + 6);
    for (name, more) in [
        ("sweep-light.png", &[][..]),
        (
            "sweep-dark.png",
            &["--blink-settings=preferredColorScheme=0"],
        ),
    ] {
        let shot = folder.join(name);
        let option = format!("--screenshot={}", shot.display());
        browse(&browser, page, &[&[option.as_str()], more].concat());
        if let Some(kept) = std::env::var_os("JAGA_TEST_SCREENSHOTS") {
            fs::copy(&shot, Path::new(&kept).join(name)).unwrap();
        }
        let (mean, ink) = look(&shot);
        let light = name.contains("light");
        assert!(
            if light { mean > 200.0 } else { mean < 70.0 },
            "{name}: {mean}"
        );
        assert!(ink > 20_000, "{name}: {ink}");
    }
}

#[test]
fn a_perturber_that_is_not_there_ends_the_run() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let clip = numbered("sweep", "mp4", 8, "25", H264);
    fs::copy(clip, place.path().join("a.mp4")).unwrap();
    let manifest = place.path().join("m.csv");
    fs::write(&manifest, "path,label\na.mp4,1\n").unwrap();
    let out = place.path().join("out");
    let mut command = shell.command(&[
        "eval",
        manifest.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--perturb",
        "fps",
    ]);
    command.env("JAGA_PERTURB__PROGRAM", "/nowhere/jaga-perturber");
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("/nowhere/jaga-perturber"), "{err}");
}
