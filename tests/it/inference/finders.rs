//! Which finders a registry loads, and for whom. Needs the weights of centerface.

use std::fs;
use std::path::Path;

use jaga::inference::registry::Selection;
use jaga::inference::{InferenceError, InferenceErrorKind, ModelsConfig, Provider, Registry};
use tempfile::TempDir;

use super::faces::bundle;
use super::support::{PLAIN_NCHW, Tiny, root, runtime, weights};

/// A folder of bundles: `tiny`, which judges faces that `finder` finds, and centerface.
fn folder(finder: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let tiny = Tiny {
        graph: "logit_nchw.onnx",
        input: PLAIN_NCHW,
        output: "name = \"logit\"\nkind = \"logit\"",
        max_batch: 1,
        more: &[],
    };
    let folder = place.path().join("tiny");
    tiny.bundle(&folder);
    let text = fs::read_to_string(folder.join("model.toml")).unwrap();
    let text = text.replace("kind = \"frame\"", "kind = \"face\"");
    let face = format!("[face]\nfinder = \"{finder}\"\nmin_size = 40\n");
    fs::write(folder.join("model.toml"), text + &face).unwrap();
    copy_centerface(&place.path().join("centerface"));
    place
}

fn copy_centerface(to: &Path) {
    fs::create_dir(to).unwrap();
    for name in ["model.toml", "CARD.md"] {
        fs::copy(root().join("models/centerface").join(name), to.join(name)).unwrap();
    }
}

fn load(place: &TempDir, names: &[&str]) -> Option<Result<Registry, InferenceError>> {
    // Skips where there are no weights.
    let (runtime, _) = (runtime()?, bundle()?);
    let config = ModelsConfig {
        dirs: vec![place.path().to_owned()],
        weights_dir: weights(),
        sessions: 1,
        ..ModelsConfig::default()
    };
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let selection = if names.is_empty() {
        Selection::All
    } else {
        Selection::Named(&names)
    };
    Some(Registry::load(&runtime, &config, Provider::Cpu, selection))
}

#[test]
fn a_model_of_faces_brings_its_finder() {
    for names in [&["tiny"][..], &["tiny", "centerface"], &[]] {
        let Some(registry) = load(&folder("centerface"), names) else {
            return;
        };
        let registry = registry.unwrap();
        let info = registry.finder("centerface").unwrap().info();
        assert_eq!(
            (info.name.as_str(), info.license.as_str()),
            ("centerface", "MIT")
        );
        assert_eq!(
            (registry.list().count(), registry.finders().count()),
            (1, 1)
        );
    }
}

#[test]
fn a_finder_is_no_model_that_scores() {
    let Some(registry) = load(&folder("centerface"), &["centerface"]) else {
        return;
    };
    let registry = registry.unwrap();
    let error = registry.get("centerface").unwrap_err();
    assert_eq!(error.kind(), InferenceErrorKind::UnknownModel);
    assert_eq!(
        (registry.list().count(), registry.finders().count()),
        (0, 1)
    );
    let error = registry.finder("tiny").unwrap_err().to_string();
    assert!(
        error.contains("\"tiny\"") && error.contains("centerface"),
        "{error}"
    );
}

#[test]
fn a_finder_that_is_missing_is_named_with_its_model() {
    for finder in ["scrfd", "tiny"] {
        let Some(registry) = load(&folder(finder), &["tiny"]) else {
            return;
        };
        let error = registry.unwrap_err();
        assert_eq!(error.kind(), InferenceErrorKind::Configuration);
        let error = error.to_string();
        assert!(error.contains("the model \"tiny\""), "{error}");
        assert!(
            error.contains(&format!("\"{finder}\", which is no finder")),
            "{error}"
        );
    }
}
