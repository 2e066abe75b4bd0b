//! `jaga eval` and its files.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use jaga::domain::drift::{DriftReference, Population};
use serde_json::Value;

use crate::cli::Shell;
use crate::media_files::{have_ffmpeg, numbered};
use crate::random::Random;

/// Scores of two models for 60 videos of 12 sources; one is inconclusive and one failed.
pub(super) fn scores(folder: &Path) -> PathBuf {
    let mut random = Random(3);
    let mut text = String::from("path,label,source,method,model,score,failure,reason\n");
    for model in ["good", "poor"] {
        for video in 0..60 {
            let fake = video % 2 == 0;
            let noise = random.below(1000) as f64 / 1000.0;
            let score = match (model, fake) {
                ("good", true) => noise.powf(0.2),
                _ => noise,
            };
            let method = if fake {
                ["gan", "diffusion"][video / 2 % 2]
            } else {
                ""
            };
            let (source, label) = (video / 5, ["real", "fake"][usize::from(fake)]);
            let (score, rest) = match video {
                7 => (String::new(), ",no_face"),
                8 => (String::new(), "corrupt_media,\"cut, short\""),
                _ => (score.to_string(), ","),
            };
            writeln!(
                text,
                "v{video}.mp4,{label},s{source},{method},{model},{score},{rest}"
            )
            .unwrap();
        }
    }
    let path = folder.join("scores.csv");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn other_tools_scores_are_judged_without_a_model() {
    let Some(shell) = Shell::new() else { return };
    let place = tempfile::tempdir().unwrap();
    let table = scores(place.path());
    let run = || {
        shell.run(&[
            "eval",
            "--from",
            table.to_str().unwrap(),
            "--replicates",
            "200",
        ])
    };
    let (code, out, err) = run();
    assert_eq!((code, err.as_str()), (3, ""), "a file failed: {out}");
    let document: Value = serde_json::from_str(&out).unwrap();
    let good = &document["models"]["good"];
    let auc = &good["video"]["metrics"]["roc_auc"];
    let [low, value, high] = ["low", "value", "high"].map(|end| auc[end].as_f64().unwrap());
    assert!(low < value && value < high && low > 0.4, "{auc}");
    let counts = &good["video"]["counts"];
    for (name, expected) in [
        ("total", 60),
        ("scored", 58),
        ("inconclusive", 1),
        ("failed", 1),
    ] {
        assert_eq!(counts[name], expected, "{name}");
    }
    assert_eq!(document["failures"][0]["path"], "v8.mp4");
    assert_eq!(document["failures"][0]["detail"], "cut, short");
    let gan = &good["slices"]["method"]["values"]["gan"];
    assert_eq!(gan["against"], "all_real");
    assert!(gan["metrics"]["roc_auc"]["value"].is_f64());
    let tiny = &good["slices"]["source"]["values"]["s0"]["metrics"]["roc_auc"];
    assert_eq!(
        (&tiny["value"], &tiny["reason"]),
        (&Value::Null, &"too_few_samples".into())
    );
    let rare = &good["video"]["metrics"]["tpr_at_fpr_0.001"];
    assert_eq!(
        (&rare["value"], &rare["reason"]),
        (&Value::Null, &"too_few_real".into())
    );
    let apart = &document["comparisons"][0];
    assert_eq!(
        (&apart["a"], &apart["b"], &apart["videos"]),
        (&"good".into(), &"poor".into(), &58.into())
    );
    assert!(apart["difference"]["roc_auc"]["high"].is_f64());
    assert_eq!(run().1, out, "the same bytes again");
}

/// The example of scikit-learn's pages of `roc_auc_score` and `average_precision_score`, five times,
/// as fewer videos of a class have no number.
#[test]
fn a_published_table_gives_the_published_numbers() {
    let Some(shell) = Shell::new() else { return };
    let place = tempfile::tempdir().unwrap();
    let mut table = "path,label,score\n".to_owned();
    for copy in 0..5 {
        for (number, row) in ["0,0.1", "0,0.4", "1,0.35", "1,0.8"].iter().enumerate() {
            writeln!(table, "{copy}-{number}.mp4,{row}").unwrap();
        }
    }
    let path = place.path().join("published.csv");
    fs::write(&path, table).unwrap();
    let (code, out, err) = shell.run(&["eval", "--from", path.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&out).unwrap();
    let metrics = &document["models"]["scores"]["video"]["metrics"];
    let value = |name: &str| metrics[name]["value"].as_f64().unwrap();
    assert!((value("roc_auc") - 0.75).abs() < 1e-12);
    assert!((value("average_precision") - 5.0 / 6.0).abs() < 1e-12);
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let Some(shell) = Shell::new() else { return };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("t.csv");
    for (text, words) in [
        ("path,score\na,1\n", &["label", "path, score"][..]),
        (
            "path,label,score\na,0,0.5\nb,maybe,0.5\n",
            &["line 3", "label", "maybe"],
        ),
        ("path,label,score\na,0,high\n", &["line 2", "score", "high"]),
        ("path,label,score\na,0,NaN\n", &["line 2", "score"]),
        ("path,label,score\na,0,0.1\na,0,0.2\n", &["line 3", "twice"]),
        ("path,label,score\na,0,0.1\na,1,0.2\n", &["line 3", "label"]),
        ("path,label,score\n", &["no rows"]),
    ] {
        fs::write(&path, text).unwrap();
        let (code, _, err) = shell.run(&["eval", "--from", path.to_str().unwrap()]);
        assert_eq!(code, 2, "{text}: {err}");
        assert!(words.iter().all(|word| err.contains(word)), "{text}: {err}");
    }
    let (code, _, _) = shell.run(&["eval", "manifest.csv"]);
    assert_eq!(code, 2, "a manifest needs --out");
}

fn clip(name: &str, frames: u32) -> PathBuf {
    numbered(
        name,
        "mp4",
        frames,
        "25",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    )
}

#[test]
fn a_manifest_is_scored_once_and_every_file_is_there() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    fs::copy(clip("eval-a", 30), place.path().join("a.mp4")).unwrap();
    fs::copy(clip("eval-b", 40), place.path().join("b.mp4")).unwrap();
    fs::write(place.path().join("text.mp4"), "no video\n".repeat(99)).unwrap();
    let manifest = place.path().join("m.csv");
    let rows = "path,label,split\na.mp4,fake,test\nb.mp4,0,test\ntext.mp4,0,test\nnowhere.mp4,1,test\nc.mp4,1,train\n";
    fs::write(&manifest, rows).unwrap();
    let out = place.path().join("out");
    let arguments = [
        "eval",
        manifest.to_str().unwrap(),
        "--model",
        "tiny",
        "--split",
        "test",
        "--out",
        out.to_str().unwrap(),
    ];
    let (code, table, err) = shell.run(&arguments);
    assert_eq!((code, err.as_str()), (3, ""), "{table}");
    assert!(
        table.contains("2/4") && table.contains("too_few_samples"),
        "{table}"
    );
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let (metrics, scores) = (read("metrics.json"), read("scores.csv"));
    assert_eq!(scores.lines().count(), 5, "{scores}");
    assert!(
        scores.contains("unsupported_media") && scores.contains("not_found"),
        "{scores}"
    );
    assert!(read("frames.csv").lines().count() > 20);
    let document: Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!(document["failures"].as_array().unwrap().len(), 2);
    assert!(document["scored_by"]["onnxruntime"].is_string());
    assert!(document["models"]["tiny"]["sha256"].is_string());
    assert_eq!(
        document["models"]["tiny"]["provider"],
        "CPUExecutionProvider"
    );
    let reference = DriftReference::parse(&read("drift.json")).unwrap();
    let tiny = &reference.models["tiny"];
    assert_eq!(document["models"]["tiny"]["sha256"], tiny.sha256.as_str());
    let counts = [Population::All, Population::Real, Population::Synthetic]
        .map(|population| tiny.histograms[&population].total());
    assert_eq!(counts, [2, 1, 1]);
    // A file that isn't there might come; without it all answers are kept, and no model is loaded.
    let rows = rows.replace(
        "nowhere.mp4,1,test
",
        "",
    );
    fs::write(&manifest, rows).unwrap();
    let mut again = shell.command(&arguments);
    again.args(["--threshold", "0.7"]);
    fs::rename(place.path().join("a.mp4"), place.path().join("moved.mp4")).unwrap();
    fs::copy(place.path().join("moved.mp4"), place.path().join("a.mp4")).unwrap();
    let before = entries(&out);
    assert_eq!(again.output().unwrap().status.code(), Some(3));
    assert_eq!(entries(&out), before, "nothing was scored again");
    let document: Value = serde_json::from_str(&read("metrics.json")).unwrap();
    assert_eq!(document["rules"]["threshold"], 0.7);
    assert!(document["scored_by"]["onnxruntime"].is_string());
    // What jaga wrote can be read again.
    let (code, _, _) = shell.run(&["eval", "--from", out.join("scores.csv").to_str().unwrap()]);
    assert_eq!(code, 3);
}

/// Names and times of change of what is kept.
fn entries(out: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let files = fs::read_dir(out.join("cache")).unwrap();
    let entries = files.map(Result::unwrap);
    let mut found: Vec<_> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
        .collect();
    found.sort();
    assert_eq!(found.len(), 3, "{found:?}");
    found
}
