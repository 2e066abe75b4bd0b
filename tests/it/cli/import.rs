//! `jaga models import`

use std::fs;

use serde_json::{Value, json};

use super::{Shell, read};
use crate::inference::import::{Export, config, processor, with};

/// Runs `jaga models import` on `export` with more arguments.
fn import(shell: &Shell, export: &Export, more: &[&str]) -> (i32, String, String) {
    let folder = export.folder();
    let mut arguments = vec!["models", "import", folder.to_str().unwrap()];
    arguments.extend(more);
    shell.run(&arguments)
}

/// Names in the shell's folder of models.
fn models(shell: &Shell) -> Vec<String> {
    let entries = fs::read_dir(shell.folder.path().join("models")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_becomes_a_model_that_scores() {
    let Some(shell) = Shell::new() else { return };
    let export = Export::vit();
    let (code, out, err) = import(&shell, &export, &["--license", "MIT", "--name", "imported"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(
        out,
        "imported: imported into models/imported, runs on CPUExecutionProvider\n\
         synthetic: class 0, \"artificial\", of 2, as the labels' words say\n"
    );
    assert_eq!(models(&shell), ["imported", "tiny"]);
    let (code, out, _) = shell.run(&["models", "verify", "imported"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "imported: ok, runs on CPUExecutionProvider\n")
    );
    let (_, out, _) = shell.run(&["models", "show", "imported"]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["status"], "experimental");
    assert_eq!(shown["question"], "ai_generated");
    assert_eq!(shown["calibration"]["kind"], "none");
    assert_eq!(shown["aggregation"]["kind"], "mean_logit");
    assert_eq!(shown["version"], "1.0.0");
}

#[test]
fn a_label_that_can_not_be_told_exits_with_2_and_lists_them() {
    let Some(shell) = Shell::new() else { return };
    let changes = json!({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": null});
    let config = with(&config(), &changes);
    let export = Export::new("import_logits.onnx", &config, Some(&processor()));
    let (code, out, err) = import(&shell, &export, &["--license", "MIT"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        "error: no label clearly means synthetic; the labels are:\n  0: \"LABEL_0\"\n  1: \
         \"LABEL_1\"\nhint: --synthetic-label NAME or INDEX says it\n"
    );
    assert_eq!(models(&shell), ["tiny"]);
    for label in ["LABEL_1", "label_1", "1"] {
        let name = format!("by-{label}");
        let more = [
            "--license",
            "MIT",
            "--synthetic-label",
            label,
            "--name",
            &name,
        ];
        let (code, out, err) = import(&shell, &export, &more);
        assert_eq!(code, 0, "{err}");
        assert!(
            out.contains("class 1, \"LABEL_1\", of 2, as --synthetic-label said"),
            "{out}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_2_and_a_broken_folder_with_1() {
    let Some(shell) = Shell::new() else { return };
    let export = Export::vit();
    for (more, words) in [
        (&[][..], "--license is needed"),
        (&["--license", "MIT", "--name", "tiny"], "is there already"),
        (
            &["--license", "MIT", "--file", "x.onnx"],
            "--file must name",
        ),
        (
            &["--license", "MIT", "--question", "?"],
            "--question must be",
        ),
        (
            &["--license", "MIT", "--synthetic-label", "cat"],
            "there is no label \"cat\"",
        ),
        (
            &["--license", "MIT", "--synthetic-label", "-1"],
            "there is no label \"-1\"",
        ),
        (&["--nonsense"], "--nonsense"),
    ] {
        let (code, out, err) = import(&shell, &export, more);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(words), "{err}");
    }
    export.write("preprocessor_config.json", "{\"size\": NaN}");
    let (code, _, err) = import(&shell, &export, &["--license", "MIT"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("preprocessor_config.json"), "{err}");
    assert_eq!(models(&shell), ["tiny"]);
}

#[test]
fn what_does_not_run_is_not_imported_unless_asked_for() {
    let Some(shell) = Shell::new() else { return };
    let small = with(&processor(), &json!({"size": 2}));
    let config = with(
        &config(),
        &json!({"id2label": {"0": "fake"}, "label2id": null}),
    );
    // Borders and operators that an import takes, and NaN whatever comes in.
    let export = Export::new("nan.onnx", &config, Some(&small));
    let bytes = fs::read(export.folder().join("model.onnx")).unwrap();
    let log = bytes.windows(3).position(|part| part == b"Log").unwrap();
    let mut square = bytes.clone();
    square.splice(log..log + 3, *b"Div");
    fs::write(export.folder().join("model.onnx"), square).unwrap();
    let (code, out, err) = import(&shell, &export, &["--license", "MIT"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(
        err.contains("detector was not imported: it doesn't run"),
        "{err}"
    );
    assert_eq!(models(&shell), ["tiny"]);
    let (code, out, err) = import(&shell, &export, &["--license", "MIT", "--no-verify"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.starts_with("detector: imported into models/detector, not verified\n"),
        "{out}"
    );
}

#[test]
fn without_a_runtime_nothing_is_copied() {
    let Some(shell) = Shell::new() else { return };
    let export = Export::vit();
    let folder = export.folder();
    let arguments = [
        "models",
        "import",
        folder.to_str().unwrap(),
        "--license",
        "MIT",
    ];
    let mut command = shell.command(&arguments);
    let (code, _, err) = read(
        &command
            .env_remove("JAGA_RUNTIME__LIBRARY")
            .output()
            .unwrap(),
    );
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("--no-verify") && err.contains("no ONNX Runtime"),
        "{err}"
    );
    assert_eq!(models(&shell), ["tiny"]);
}

#[test]
fn a_fast_processor_is_said_to_round_otherwise() {
    let Some(shell) = Shell::new() else { return };
    let fast = with(
        &processor(),
        &json!({"image_processor_type": "ViTImageProcessorFast"}),
    );
    let export = Export::new("import_logits.onnx", &config(), Some(&fast));
    let out = export.out();
    let more = ["--license", "MIT", "--out", out.to_str().unwrap()];
    let (code, _, err) = import(&shell, &export, &more);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.starts_with("note: pictures are resampled as Pillow does it"),
        "{err}"
    );
    let card = fs::read_to_string(out.join("detector/CARD.md")).unwrap();
    assert!(
        card.contains("- note: pictures are resampled as Pillow does it"),
        "{card}"
    );
}
