//! The layers: who may import whom, and who may name FFmpeg and ONNX Runtime.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Lines of `path` that are code.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The layers, lowest first; those of one level never see each other.
const LEVELS: [&[&str]; 7] = [
    &["domain"],
    &["media", "inference", "store", "outbound"],
    &["pipeline"],
    &["worker", "evaluation"],
    &["fitting"],
    &["http"],
    &["cli"],
];

/// `config` composes the layers' settings; its error is all that the checks of settings use of it,
/// and these have none.
const WITHOUT_CONFIG: [&str; 4] = ["domain", "media", "inference", "store"];

#[test]
fn a_lower_layer_never_imports_a_higher_one() {
    for (level, layers) in LEVELS.iter().enumerate() {
        for layer in *layers {
            let mut forbidden: Vec<&str> = LEVELS[level..].concat();
            forbidden.retain(|other| other != layer);
            if WITHOUT_CONFIG.contains(layer) {
                forbidden.push("config");
            }
            if !matches!(*layer, "http" | "cli") {
                forbidden.push("telemetry");
            }
            let files = sources(&src().join(layer));
            assert!(!files.is_empty(), "{layer} has sources");
            for path in files {
                let text = code(&path);
                for higher in &forbidden {
                    let edge = format!("crate::{higher}");
                    assert!(!text.contains(&edge), "{} imports {edge}", path.display());
                }
            }
        }
    }
}

#[test]
fn ffmpeg_and_onnx_runtime_are_named_in_one_place_each() {
    for path in sources(&src()) {
        let (text, place) = (code(&path), path.to_string_lossy().into_owned());
        let child = ["ffmpeg", "perturb/codec"]
            .iter()
            .any(|folder| place.contains(&format!("bin/jaga-decoder/{folder}")));
        assert!(
            child || !text.contains("ffmpeg_next"),
            "{place} names ffmpeg_next"
        );
        let session = place.contains("inference/session");
        let names_ort = ["use ort::", " ort::", "(ort::", "<ort::"]
            .iter()
            .any(|n| text.contains(n));
        assert!(session || !names_ort, "{place} names ort");
    }
}

#[test]
fn main_is_short() {
    let text = fs::read_to_string(src().join("main.rs")).unwrap();
    assert!(text.lines().count() < 80);
}
