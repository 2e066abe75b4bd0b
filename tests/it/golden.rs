//! Whole reports of real clips by the default model, compared with `tests/golden`.
//!
//! Everything must be equal but: ids, times of day and timings (left out), hashes of the program's
//! own making (left out: they follow from the rest), and scores, which may differ by
//! [`TOLERANCE`]: float32 on other processors' kernels, and FFmpeg's own conversions.
//! `JAGA_TEST_UPDATE_GOLDEN=1` writes the files anew; look at the difference before it is kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::inference::support::{library, skip};

const TOLERANCE: f64 = 2e-3;

/// Clip, and options that say what is looked at.
const CLIPS: [(&str, &str, &[&str]); 4] = [
    ("generated", "ai_scene/CogVideo__videos_4.mp4", &[]),
    (
        "camera",
        "real_scene/mmtracking__demo.mp4",
        &["--sampling", "uniform", "--frames", "6"],
    ),
    ("turned", "odd/decord__video_90.mov", &["--frames", "4"]),
    (
        "cut-short",
        "odd/mediabunny__annex-b.mp4",
        &["--frames", "4"],
    ),
];

#[test]
fn reports_of_real_clips_are_as_they_were() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let media = root.join("../shared/media");
    let Some(library) = library() else { return };
    if !media.exists() {
        eprintln!("skipped: ../shared/media is not there");
        return;
    }
    let weights = std::env::var_os("JAGA_MODELS__WEIGHTS_DIR")
        .map_or_else(|| root.join(".jaga/weights"), PathBuf::from);
    if !weights.join("genai-clip/encoder.onnx").exists() {
        skip("the weights of genai-clip are not there; `./scripts/test` sets them up");
        return;
    }
    for (name, clip, options) in CLIPS {
        let output = Command::new(env!("CARGO_BIN_EXE_jaga"))
            .args(["score", "--format", "jsonl", "--frame-scores"])
            .args(options)
            .arg(media.join(clip))
            .current_dir(root)
            .env("JAGA_RUNTIME__LIBRARY", &library)
            .env("JAGA_MODELS__WEIGHTS_DIR", &weights)
            .output()
            .unwrap();
        let mut item: Value = serde_json::from_slice(&output.stdout).unwrap();
        let got = item.get_mut("report").map(Value::take).unwrap_or(item);
        compare_or_update(
            &root.join(format!("tests/golden/{name}.json")),
            &lasting(got),
        );
    }
}

/// What stays the same from run to run.
fn lasting(mut report: Value) -> Value {
    if let Some(problem) = report.get("problem") {
        return problem.clone();
    }
    let object = report.as_object_mut().unwrap();
    for key in ["id", "created_at", "timings_ms", "receipt"] {
        object.remove(key).unwrap();
    }
    report
}

fn compare_or_update(path: &Path, got: &Value) {
    if std::env::var_os("JAGA_TEST_UPDATE_GOLDEN").is_some() {
        std::fs::write(path, format!("{got:#}\n")).unwrap();
        return;
    }
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let golden: Value = serde_json::from_str(&text).unwrap();
    same(&path.display().to_string(), &golden, got);
}

fn same(at: &str, golden: &Value, got: &Value) {
    match (golden, got) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(
                a.keys().eq(b.keys()),
                "{at}: keys {:?} and {:?}",
                a.keys(),
                b.keys()
            );
            for (key, value) in a {
                same(&format!("{at}/{key}"), value, &b[key]);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{at}: length");
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                same(&format!("{at}/{i}"), a, b);
            }
        }
        (Value::Number(a), Value::Number(b)) if at.ends_with("score") => {
            let difference = (a.as_f64().unwrap() - b.as_f64().unwrap()).abs();
            assert!(difference <= TOLERANCE, "{at}: {a} and {b}");
        }
        (a, b) => assert_eq!(a, b, "{at}"),
    }
}
