//! The commands on videos, and the default models from their table.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jaga::inference::Bundle;
use serde_json::Value;

use crate::cli::Shell;
use crate::inference::support::{HEAD, PLAIN_NCHW, Tiny, library, root, skip, weights};
use crate::media_files::{have_ffmpeg, made};

/// A second of a test picture whose shadows are tinted: red in real clips, blue in synthetic ones.
fn tinted(number: u32, synthetic: bool) -> PathBuf {
    let side = if synthetic { "bs" } else { "rs" };
    let filter = format!("colorbalance={side}=0.{}", 3 + number % 5);
    let source =
        format!("testsrc2=size=256x128:rate=10:duration=1:alpha=255,hue=h={number},{filter}");
    made("tinted", "mp4", &source.clone(), |to| {
        let done = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", &source])
            .args(["-c:v", "libx264", "-pix_fmt", "yuv420p"])
            .arg(to)
            .status()
            .unwrap();
        assert!(done.success(), "{source}");
    })
}

/// A bundle `tokens`, whose embedding is what the mean red, green and blue are, beside the tiny
/// model; and a manifest of 24 clips of 12 sources and one file that is no video.
fn place(shell: &Shell) -> (PathBuf, PathBuf) {
    let folder = shell.data().parent().unwrap().to_owned();
    let bundle = Tiny {
        graph: "heads.onnx",
        input: PLAIN_NCHW,
        output: "name = \"tokens\"\nkind = \"embedding\"\npool = \"cls\"\nhead = \"head.json\"",
        max_batch: 4,
        more: &[],
    };
    bundle.write(&folder.join("models/tokens"), HEAD, |text| {
        text.replacen("name = \"tiny\"", "name = \"tokens\"", 1)
    });
    let mut rows = String::from("path,label,source\n");
    for number in 0..24 {
        let synthetic = number % 2 == 1;
        let name = format!("c{number}.mp4");
        fs::copy(tinted(number, synthetic), folder.join(&name)).unwrap();
        let label = u8::from(synthetic);
        writeln!(rows, "{name},{label},s{}-{label}", number / 4).unwrap();
    }
    fs::write(folder.join("text.mp4"), "no video\n".repeat(99)).unwrap();
    rows.push_str("text.mp4,0,s9\n");
    let manifest = folder.join("m.csv");
    fs::write(&manifest, rows).unwrap();
    (folder, manifest)
}

#[test]
fn videos_become_a_bundle_that_scores_them() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let (folder, manifest) = place(&shell);
    let manifest = manifest.to_str().unwrap();
    let fit = |out: &str| {
        let arguments = [
            "fit",
            manifest,
            "--backbone",
            "tokens",
            "--out",
            out,
            "--folds",
            "3",
            "--frames",
            "4",
        ];
        shell.run(&arguments)
    };
    let (code, out, err) = fit("models/mine");
    assert_eq!((code, err.as_str()), (3, ""), "text.mp4 fails: {out}");
    let figures: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(figures["clips"]["synthetic"], 12);
    assert_eq!(figures["failures"][0]["path"], "text.mp4");
    assert_eq!(figures["metrics"]["roc_auc"]["value"], 1.0, "{figures:#}");
    let read = |name: &str| fs::read_to_string(folder.join("models/mine").join(name)).unwrap();
    let card = read("CARD.md");
    for word in [
        "BLAKE3",
        "chosen",
        "Known failures",
        "experimental",
        "m.csv",
    ] {
        assert!(card.contains(word), "{word} is not in {card}");
    }
    // What it serves is what it was fitted to.
    for (clip, high) in [("c1.mp4", true), ("c2.mp4", false)] {
        let (code, out, err) = shell.run(&["score", clip, "--model", "mine", "--format", "json"]);
        assert_eq!(code, 0, "{err}");
        let score = serde_json::from_str::<Value>(&out).unwrap()[0]["report"]["score"].clone();
        assert_eq!(score.as_f64().unwrap() > 0.5, high, "{clip}: {score}");
    }
    // A second fit decodes nothing, writes the same bytes, and writes over nothing.
    let (code, _, err) = fit("models/mine");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("there already"), "{err}");
    let first = ["head.json", "model.toml", "CARD.md", "figures.json"].map(read);
    fs::rename(folder.join("models/mine"), folder.join("first")).unwrap();
    let before = kept(&folder.join("data/cache/embeddings"));
    assert_eq!(fit("models/mine").1, out);
    assert_eq!(kept(&folder.join("data/cache/embeddings")), before);
    assert_eq!(
        first,
        ["head.json", "model.toml", "CARD.md", "figures.json"].map(read)
    );
}

/// Names and times of change of what is kept.
fn kept(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut found: Vec<_> = files
        .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
        .collect();
    found.sort();
    assert_eq!(found.len(), 25, "{found:?}");
    found
}

#[test]
fn a_model_gets_another_calibration_or_threshold() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let (folder, manifest) = place(&shell);
    let manifest = manifest.to_str().unwrap();
    let tail = ["--frames", "4", "--out"];
    let threshold = ["calibrate", "tokens", manifest, "--max-fpr", "0.1"];
    let (code, out, err) = shell.run(&[&threshold[..], &tail, &["models/strict"]].concat());
    assert_eq!((code, err.as_str()), (3, ""), "{out}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let budget = &found["threshold"];
    assert_eq!(
        (&found["real"], &found["synthetic"]),
        (&12.into(), &12.into())
    );
    assert_eq!(budget["fpr"]["of"], 12);
    assert!(budget["fpr"]["hits"].as_u64().unwrap() <= 1, "{budget}");
    assert_eq!(
        (&budget["proven"], &budget["real_needed"]),
        (&false.into(), &36.into())
    );
    let strict = fs::read_to_string(folder.join("models/strict/model.toml")).unwrap();
    let strict: toml::Table = strict.parse().unwrap();
    assert_eq!(
        strict["verdict"]["substantial_evidence"].as_float(),
        budget["threshold"].as_f64()
    );

    let arguments = ["calibrate", "tokens", manifest, "--folds", "3"];
    let (code, out, err) = shell.run(&[&arguments[..], &tail, &["models/sure"]].concat());
    assert_eq!(code, 3, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let loss = |when: &str| found["calibration"][when]["log_loss"].as_f64().unwrap();
    assert!(loss("after") < loss("before"), "{out}");
    let platt = &found["calibration"]["calibration"];
    let sure = fs::read_to_string(folder.join("models/sure/model.toml")).unwrap();
    let sure: toml::Table = sure.parse().unwrap();
    assert_eq!(sure["calibration"]["a"].as_float(), platt["a"].as_f64());
    assert!(!sure.contains_key("verdict"));
    let (code, out, _) = shell.run(&["score", "c1.mp4", "--model", "sure", "--format", "json"]);
    assert_eq!(code, 0, "{out}");
}

/// The committed table, head, calibration, thresholds and figures of both default models belong
/// together.
#[test]
fn the_committed_table_gives_the_committed_models() {
    let Some(library) = library() else { return };
    if !weights().join("genai-clip/encoder.onnx").exists() {
        skip("the weights of genai-clip are not there; `./scripts/test` sets them up");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for bundle in ["genai-clip", "genai-clip-int8"] {
        let out = place.path().join(bundle);
        let output = Command::new(root().join("scripts/fit"))
            .args([bundle, out.to_str().unwrap()])
            .env("JAGA", env!("CARGO_BIN_EXE_jaga"))
            .env("JAGA_RUNTIME__LIBRARY", &library)
            .env("JAGA_MODELS__WEIGHTS_DIR", weights())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{err}");
        let fitted = Bundle::open(&out, &weights()).unwrap();
        assert_eq!(fitted.name(), bundle);
        let committed = root().join("models").join(bundle);
        let json = |folder: &Path, name: &str| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let toml = |folder: &Path| {
            let text = fs::read_to_string(folder.join("model.toml")).unwrap();
            let table: toml::Table = text.parse().unwrap();
            let part = |name: &str| serde_json::to_value(&table[name]).unwrap();
            Value::from_iter(["calibration", "verdict"].map(|name| (name, part(name))))
        };
        same(
            bundle,
            &json(&out, "head.json"),
            &json(&committed, "head.json"),
        );
        same(
            bundle,
            &json(&out, "figures.json"),
            &json(&committed, "figures.json"),
        );
        same(bundle, &toml(&out), &toml(&committed));
        // The card's tables are those of the fit.
        let card = |folder: &Path| fs::read_to_string(folder.join("CARD.md")).unwrap();
        let (fresh, kept) = (card(&out), card(&committed));
        for line in fresh.lines().filter(|line| line.starts_with("| ")) {
            assert!(kept.contains(line), "{bundle}: {line:?} is not in the card");
        }
    }
}

/// Equal, but for what other arithmetic may round otherwise: 1e-4 of a number, and of figures with
/// four decimals the last one.
fn same(bundle: &str, a: &Value, b: &Value) {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            let near =
                (x - y).abs() <= 1e-4 * x.abs().max(y.abs()) + 1.01e-4 * f64::from(x.abs() < 1.5);
            assert!(near, "{bundle}: {x} and {y}");
        }
        (Value::Array(x), Value::Array(y)) => {
            assert_eq!(x.len(), y.len(), "{bundle}");
            x.iter().zip(y).for_each(|(x, y)| same(bundle, x, y));
        }
        (Value::Object(x), Value::Object(y)) => {
            assert!(x.keys().eq(y.keys()), "{bundle}: {x:?} and {y:?}");
            x.values()
                .zip(y.values())
                .for_each(|(x, y)| same(bundle, x, y));
        }
        _ => assert_eq!(a, b, "{bundle}"),
    }
}
