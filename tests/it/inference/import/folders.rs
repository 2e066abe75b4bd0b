//! Which files are read, where they may lie, and what is left of an import.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use jaga::inference::bundle::manifest::{Dtype, Layout};
use jaga::inference::bundle::task::Reading;
use jaga::inference::import::{
    ImportErrorKind, MAX_GRAPH_BYTES, MAX_JSON_BYTES, MAX_WEIGHTS_BYTES, Plan, Request,
};
use jaga::inference::{Bundle, Model, ModelsConfig, Provider};
use serde_json::json;

use super::{Export, config, processor, with};
use crate::inference::support::runtime;

#[test]
fn a_published_bundle_is_complete_and_alone() {
    let export = Export::vit();
    export.write("pickle.bin", "never read");
    let place = export.stage().unwrap().publish().unwrap();
    assert_eq!(place, export.out().join("detector"));
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&export.out()), ["detector"]);
    assert_eq!(names(&place), ["CARD.md", "model.onnx", "model.toml"]);
    let bundle = Bundle::open(&place, Path::new("nowhere")).unwrap();
    assert_eq!(bundle.name(), "detector");
    let card = fs::read_to_string(place.join("CARD.md")).unwrap();
    for words in [
        "experimental, uncalibrated",
        "| architecture | `ViTForImageClassification` |",
        "0: \"artificial\"",
        "synthetic: class 0, \"artificial\", of 2, as the labels' words say",
        "resized to 224x224, aspect ratio given up, filter bilinear",
        "class 0 of 2, class scores, to which softmax is applied here",
    ] {
        assert!(card.contains(words), "{words:?} is not in {card}");
    }
    let error = export.stage().map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImportErrorKind::Usage);
    assert!(error.to_string().contains("is there already"), "{error}");
}

#[test]
fn what_is_not_published_is_gone() {
    let export = Export::vit();
    let staged = export.stage().unwrap();
    assert!(export.out().exists());
    drop(staged);
    assert!(!export.out().exists());
    // A folder of bundles that was there stays, with what was in it.
    fs::create_dir(export.out()).unwrap();
    fs::write(export.out().join("other"), "").unwrap();
    drop(export.stage().unwrap());
    assert_eq!(fs::read_dir(export.out()).unwrap().count(), 1);
    // Somebody else was faster.
    let staged = export.stage().unwrap();
    fs::create_dir(export.out().join("detector")).unwrap();
    assert!(
        staged
            .publish()
            .unwrap_err()
            .to_string()
            .contains("is there already")
    );
    assert_eq!(fs::read_dir(export.out()).unwrap().count(), 2);
}

#[test]
fn outputs_are_what_the_graph_ends_in() {
    let Some(runtime) = runtime() else { return };
    let small = with(&processor(), &json!({"size": 8}));
    let one = json!({"id2label": {"0": "fake"}, "label2id": null, "problem_type": null});
    let two = json!({"id2label": {"0": "real", "1": "fake"}, "label2id": null});
    let many = json!({"problem_type": "multi_label_classification"});
    let none = json!({});
    for (graph, changes, reading, max_batch) in [
        ("import_logits.onnx", &none, Reading::Softmax(0), 8),
        ("import_logits.onnx", &many, Reading::Logit(Some(0)), 8),
        (
            "import_softmax.onnx",
            &none,
            Reading::Probability(Some(0)),
            1,
        ),
        ("import_sigmoid.onnx", &one, Reading::Probability(None), 8),
        ("import_sigmoid.onnx", &two, Reading::Probability(None), 8),
        ("import_number.onnx", &one, Reading::Logit(None), 8),
        ("import_quantised.onnx", &none, Reading::Softmax(0), 1),
        ("import_external.onnx", &none, Reading::Softmax(0), 8),
        ("import_half.onnx", &none, Reading::Softmax(0), 8),
    ] {
        let export = Export::new(graph, &with(&config(), changes), Some(&small));
        export.graph("import_external.data", "import_external.data");
        let staged = export
            .stage()
            .unwrap_or_else(|error| panic!("{graph}: {error}"));
        let bundle = staged.bundle();
        assert_eq!(bundle.task.output.reading, reading, "{graph}");
        assert_eq!(bundle.runtime.max_batch.get(), max_batch, "{graph}");
        let half = graph == "import_half.onnx";
        let dtype = if half { Dtype::Float16 } else { Dtype::Float32 };
        assert_eq!(bundle.task.input.encoding.dtype, dtype, "{graph}");
        let nhwc = graph == "import_softmax.onnx";
        let layout = if nhwc { Layout::Nhwc } else { Layout::Nchw };
        assert_eq!(bundle.task.input.encoding.layout, layout, "{graph}");
        let config = ModelsConfig {
            sessions: 1,
            ..ModelsConfig::default()
        };
        Model::start(&runtime, staged.bundle(), &config, Provider::Cpu)
            .unwrap_or_else(|error| panic!("{graph}: {error}"));
    }
}

#[test]
fn a_single_number_speaks_for_the_second_label() {
    let turned = json!({"id2label": {"0": "fake", "1": "real"}, "label2id": null});
    let export = Export::new(
        "import_number.onnx",
        &with(&config(), &turned),
        Some(&processor()),
    );
    let error = export.refusal();
    assert!(
        error.contains("speaks for label 1") && error.contains("--synthetic-label"),
        "{error}"
    );
}

#[test]
fn a_label_that_is_not_told_is_asked_for() {
    let unnamed = json!({"id2label": null, "label2id": null});
    let export = Export::new(
        "import_logits.onnx",
        &with(&config(), &unnamed),
        Some(&processor()),
    );
    let error = export.stage().map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImportErrorKind::Usage);
    let chosen = Request {
        synthetic_label: Some("1".to_owned()),
        ..export.request()
    };
    let staged = export.stage_with(&chosen).unwrap();
    assert_eq!(staged.bundle().task.output.reading, Reading::Softmax(1));
}

#[test]
fn the_licence_is_the_model_cards_or_asked_for() {
    let export = Export::vit();
    let request = Request {
        license: None,
        ..export.request()
    };
    let error = export.stage_with(&request).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImportErrorKind::Usage);
    assert!(
        error.to_string().starts_with("--license is needed"),
        "{error}"
    );
    export.write("README.md", "---\nlicense: apache-2.0\n---\n# Detector\n");
    let staged = export.stage_with(&request).unwrap();
    assert_eq!(staged.bundle().identity.license, "Apache-2.0");
}

#[test]
fn values_of_flags_are_checked() {
    let export = Export::vit();
    let good = export.request();
    let name = |name: &str| Request {
        name: Some(name.to_owned()),
        ..good.clone()
    };
    let license = |license: &str| Request {
        license: Some(license.to_owned()),
        ..good.clone()
    };
    let question = |question: &str| Request {
        question: question.to_owned(),
        ..good.clone()
    };
    for (request, words) in [
        (name("../x"), "--name must be"),
        (name(".hidden"), "--name must be"),
        (name(""), "--name must be"),
        (name(&"x".repeat(65)), "--name must be"),
        (license(" "), "--license must be"),
        (license("a\u{1b}[31m"), "--license must be"),
        (question("AI generated"), "--question must be"),
        (
            Request {
                version: "\n".to_owned(),
                ..good.clone()
            },
            "--model-version must be",
        ),
        (
            Request {
                file: Some("config.json".into()),
                ..good.clone()
            },
            "--file must name",
        ),
        (
            Request {
                file: Some("none.onnx".into()),
                ..good.clone()
            },
            "--file must name",
        ),
    ] {
        let error = Plan::new(&request).map(|_| ()).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(error.kind(), ImportErrorKind::Usage, "{error}");
    }
}

#[test]
fn the_graph_is_found_or_chosen() {
    let export = Export::vit();
    let graph = |request: &Request| {
        let staged = export
            .stage_with(request)
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(staged.bundle().graph.name.clone())
    };
    let any = export.request();
    // Beside it lie smaller forms, as exporters write them.
    export.graph("import_quantised.onnx", "model_quantized.onnx");
    assert_eq!(graph(&any).unwrap(), "model.onnx");
    let chosen = Request {
        file: Some("model_quantized.onnx".into()),
        ..any.clone()
    };
    let error = graph(&chosen).unwrap_err();
    assert!(error.contains("model_quantized.onnx: input"), "{error}");
    // In a folder of its own.
    fs::create_dir(export.folder().join("onnx")).unwrap();
    fs::rename(
        export.folder().join("model.onnx"),
        export.folder().join("onnx/model.onnx"),
    )
    .unwrap();
    assert_eq!(graph(&any).unwrap(), "model.onnx");
    fs::remove_file(export.folder().join("onnx/model.onnx")).unwrap();
    export.graph("import_logits.onnx", "onnx/model_fp32.onnx");
    let error = graph(&any).unwrap_err();
    assert!(
        error.contains("model_quantized.onnx, onnx/model_fp32.onnx"),
        "{error}"
    );
    assert!(error.contains("--file"), "{error}");
    fs::remove_file(export.folder().join("model_quantized.onnx")).unwrap();
    assert_eq!(graph(&any).unwrap(), "model_fp32.onnx");
    fs::remove_file(export.folder().join("onnx/model_fp32.onnx")).unwrap();
    assert!(graph(&any).unwrap_err().contains("has no .onnx file"));
}

#[test]
fn what_is_missing_is_named() {
    for (name, words) in [
        ("config.json", "has no config.json"),
        (
            "preprocessor_config.json",
            "has no preprocessor_config.json",
        ),
    ] {
        let export = Export::vit();
        fs::remove_file(export.folder().join(name)).unwrap();
        let error = export.refusal();
        assert!(error.contains(words), "{error}");
    }
    let nowhere = Request {
        folder: "/nowhere/at/all".into(),
        ..Export::vit().request()
    };
    let error = Plan::new(&nowhere).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "can't read /nowhere/at/all");
}

#[test]
fn links_out_of_the_folder_are_refused() {
    for name in [
        "model.onnx",
        "config.json",
        "preprocessor_config.json",
        "README.md",
    ] {
        let export = Export::vit();
        let request = Request {
            license: None,
            ..export.request()
        };
        export.write("README.md", "---\nlicense: mit\n---\n");
        let (inside, outside) = (
            export.folder().join(name),
            export.folder().with_file_name("moved"),
        );
        fs::rename(&inside, &outside).unwrap();
        symlink(&outside, &inside).unwrap();
        let error = export
            .stage_with(&request)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(name) && error.contains("leaves the folder"),
            "{error}"
        );
        // A link within it is as good as a file.
        fs::rename(&outside, export.folder().join("blob")).unwrap();
        fs::remove_file(&inside).unwrap();
        symlink("blob", &inside).unwrap();
        export.stage_with(&request).unwrap();
    }
    let export = Export::vit();
    export.graph("import_logits.onnx", "../outside.onnx");
    let request = Request {
        file: Some("../outside.onnx".into()),
        ..export.request()
    };
    let error = Plan::new(&request).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("leaves the folder"), "{error}");
}

/// `import_external.onnx` with its weights said to lie elsewhere; as long as the name that it has.
fn external(location: &str) -> Export {
    let export = Export::vit();
    let bytes =
        fs::read(crate::inference::support::root().join("tests/models/import_external.onnx"));
    let (mut bytes, name) = (bytes.unwrap(), b"import_external.data");
    assert_eq!(location.len(), name.len(), "{location}");
    let at = bytes
        .windows(name.len())
        .position(|part| part == name)
        .unwrap();
    bytes[at..at + name.len()].copy_from_slice(location.as_bytes());
    fs::write(export.folder().join("model.onnx"), bytes).unwrap();
    export
}

#[test]
fn weights_may_not_lie_outside() {
    for (location, words) in [
        ("/etc/aaaaaaaaaaaaaaa", "is no relative path"),
        ("../aaaaaaaaaaaaaaaaa", "leaves the graph's folder"),
        ("a/../../aaaaaaaaaaaa", "leaves the graph's folder"),
        ("a/../aaaaaaaaaaaaaaa", "leaves the graph's folder"),
        ("_ORT_MEM_ADDR_/aaaaa", "is no name of a file"),
        ("aaaaaaaaaaaaaaa.onnx", "is a name that a bundle needs"),
        ("././././././.././../", "leaves the graph's folder"),
        (".///////////////////", "is a name that a bundle needs"),
        ("./////////model.toml", "is a name that a bundle needs"),
        ("./////////model.onnx", "is a name that a bundle needs"),
        ("./////////////a.data", "isn't there"),
        ("import_external.date", "isn't there"),
    ] {
        let error = external(location).refusal();
        let start = "DIR/model.onnx: the weight \"weights\" lies in ";
        assert!(error.starts_with(start) && error.contains(words), "{error}");
    }
    let export = external("import_external.data");
    let outside = export.folder().with_file_name("secret");
    fs::write(&outside, [0; 24]).unwrap();
    symlink(&outside, export.folder().join("import_external.data")).unwrap();
    let error = export.refusal();
    assert!(
        error.contains("import_external.data leaves the folder"),
        "{error}"
    );
    fs::remove_file(export.folder().join("import_external.data")).unwrap();
    fs::create_dir(export.folder().join("import_external.data")).unwrap();
    assert!(export.refusal().contains("is no regular file"));
}

#[test]
fn weights_inside_are_copied_and_listed() {
    let export = external("././sub/weights.data");
    export.graph("import_external.data", "sub/weights.data");
    let place = export.stage().unwrap().publish().unwrap();
    let bundle = Bundle::open(&place, Path::new("nowhere")).unwrap();
    assert!(place.join("sub/weights.data").is_file());
    let listed: Vec<&str> = bundle.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(listed, ["model.onnx", "sub/weights.data"]);
    // Fewer bytes than the graph wants.
    let export = external("import_external.data");
    export.write("import_external.data", "short");
    let error = export.refusal();
    assert!(
        error.contains("has not the bytes that the graph states"),
        "{error}"
    );
}

#[test]
fn files_beyond_the_limits_are_refused() {
    for (name, limit) in [
        ("config.json", MAX_JSON_BYTES),
        ("preprocessor_config.json", MAX_JSON_BYTES),
        ("model.onnx", MAX_GRAPH_BYTES),
    ] {
        let export = Export::vit();
        // A hole: nothing is written.
        let file = File::options()
            .write(true)
            .open(export.folder().join(name))
            .unwrap();
        file.set_len(limit + 1).unwrap();
        let error = export.refusal();
        let words = format!("DIR/{name} has {} bytes, more than the {limit}", limit + 1);
        assert!(error.starts_with(&words), "{error}");
    }
    let export = external("import_external.data");
    let file = File::create(export.folder().join("import_external.data")).unwrap();
    file.set_len(MAX_WEIGHTS_BYTES + 1).unwrap();
    let error = export.refusal();
    assert!(
        error.contains("import_external.data has 17179869185 bytes"),
        "{error}"
    );
}

#[test]
fn nothing_but_files_is_read() {
    let export = Export::vit();
    let pipe = export.folder().join("README.md");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let request = Request {
        license: None,
        ..export.request()
    };
    let error = export
        .stage_with(&request)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("README.md is no regular file"), "{error}");
}
