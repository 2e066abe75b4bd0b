//! What can't be expressed, or can't be told, is an error that names file and key.

use jaga::inference::import::Plan;
use serde_json::{Value, json};

use super::{Export, config, processor, with};

const PROCESSOR: &str = "DIR/preprocessor_config.json: ";

fn refused(export: &Export, words: &[&str]) {
    let error = export.refusal();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error:?}");
    }
}

/// What is changed in a sound `preprocessor_config.json`, and what is said of it.
const PROCESSORS: &[(&str, &str)] = &[
    (r#"{"do_resize": false}"#, "do_resize must be true"),
    (
        r#"{"do_pad": true}"#,
        "do_pad must be false: a bundle has no such step; it is true",
    ),
    (
        r#"{"do_thumbnail": 1}"#,
        "do_thumbnail must be true or false; it is 1",
    ),
    (
        r#"{"do_flip_channel_order": true}"#,
        "do_flip_channel_order must be false",
    ),
    (
        r#"{"do_center_crop": true, "crop_size": 224}"#,
        "do_center_crop must be false",
    ),
    (
        r#"{"auto_map": {"AutoImageProcessor": "evil.Processor"}}"#,
        "auto_map must be absent",
    ),
    (
        r#"{"image_processor_type": "Swin2SRImageProcessor"}"#,
        "image_processor_type must be one of ViTImageProcessor, ",
    ),
    (
        r#"{"image_processor_type": 7}"#,
        "image_processor_type must be a text; it is 7",
    ),
    (
        r#"{"resample": null}"#,
        "resample must be there; it is missing",
    ),
    (r#"{"resample": 6}"#, "resample must be 0..=5"),
    (r#"{"resample": "bilinear"}"#, "resample must be 0..=5"),
    (
        r#"{"resample": 1, "image_processor_type": "ViTImageProcessorFast"}"#,
        "resample must be another filter",
    ),
    (r#"{"size": null}"#, "size must be there; it is missing"),
    (r#"{"size": 0}"#, "size must be a number of 1..=4096"),
    (r#"{"size": -224}"#, "size must be a number of 1..=4096"),
    (r#"{"size": 4097}"#, "size must be a number of 1..=4096"),
    (r#"{"size": 1e+300}"#, "size must be a number of 1..=4096"),
    (r#"{"size": 224.5}"#, "size must be a number of 1..=4096"),
    (r#"{"size": [224]}"#, "size must be a number of 1..=4096"),
    (
        r#"{"size": {"height": 224}}"#,
        "size must be a number of 1..=4096",
    ),
    (
        r#"{"size": {"shortest_edge": 224}}"#,
        "size must be {height, width} for this processor",
    ),
    (
        r#"{"size": {"longest_edge": 224}}"#,
        "size must be a number of 1..=4096",
    ),
    (
        r#"{"size": {"height": 224, "width": 224, "longest_edge": 9}}"#,
        "size must be a number",
    ),
    (
        r#"{"image_processor_type": "SiglipImageProcessor", "size": 224}"#,
        "size must be {height, width}",
    ),
    (
        r#"{"image_processor_type": "BeitImageProcessor"}"#,
        "do_center_crop must be there",
    ),
    (
        r#"{"image_processor_type": "CLIPImageProcessor", "crop_size": 224, "size": 224, "do_center_crop": false}"#,
        "size must be {height, width} without a crop",
    ),
    (
        r#"{"image_processor_type": "CLIPImageProcessor", "crop_size": 224, "size": 223}"#,
        "crop_size must be at most size, which leaves 223x223",
    ),
    (
        r#"{"image_processor_type": "CLIPImageProcessor", "crop_size": {"shortest_edge": 9}, "size": 224}"#,
        "crop_size must be a number or {height, width}",
    ),
    (
        r#"{"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 1.2}"#,
        "crop_pct must be above 0, at most 1",
    ),
    (
        r#"{"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 0}"#,
        "crop_pct must be above 0",
    ),
    (
        r#"{"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 1e-300}"#,
        "crop_pct must be above 0, at most 1, and leave sides",
    ),
    (
        r#"{"image_processor_type": "ConvNextImageProcessor", "size": {"height": 9, "width": 9}}"#,
        "size must be a number or {shortest_edge}",
    ),
    (
        r#"{"do_rescale": "yes"}"#,
        "do_rescale must be true or false; it is \"yes\"",
    ),
    (
        r#"{"rescale_factor": 0}"#,
        "rescale_factor must be other than 0",
    ),
    (
        r#"{"rescale_factor": [1]}"#,
        "rescale_factor must be a number",
    ),
    (r#"{"image_mean": null}"#, "image_mean must be there"),
    (
        r#"{"image_mean": [0.5, 0.5]}"#,
        "image_mean must be a number or a list of 3",
    ),
    (
        r#"{"image_mean": [0.5, 0.5, "x"]}"#,
        "image_mean must be a number or a list of 3",
    ),
    (
        r#"{"image_std": [0.5, 0.5, 0]}"#,
        "image_std must be above 0",
    ),
    (r#"{"image_std": -1}"#, "image_std must be above 0"),
    (
        r#"{"image_processor_type": "EfficientNetImageProcessor", "do_normalize": false, "image_std": null}"#,
        "image_std must be there",
    ),
    (
        r#"{"image_processor_type": "MobileViTImageProcessor", "crop_size": 9}"#,
        "do_normalize must be false",
    ),
];

#[test]
fn preprocessing_that_a_bundle_can_not_say() {
    for (changes, words) in PROCESSORS {
        let changes: Value = serde_json::from_str(changes).unwrap();
        let processor = with(&processor(), &changes);
        let export = Export::new("import_logits.onnx", &config(), Some(&processor));
        refused(&export, &[PROCESSOR, words]);
    }
}

#[test]
fn timm_that_a_bundle_can_not_say() {
    for (pretrained, words) in [
        (json!({}), "pretrained_cfg.input_size must be there"),
        (
            json!({"input_size": [1, 224, 224]}),
            "pretrained_cfg.input_size must be [3, height, width]",
        ),
        (
            json!({"input_size": [3, 224, 192]}),
            "pretrained_cfg.input_size must be square",
        ),
        (
            json!({"input_size": [3, 224, 224], "crop_mode": "border"}),
            "pretrained_cfg.crop_mode must be",
        ),
        (
            json!({"input_size": [3, 224, 224], "interpolation": "random"}),
            "pretrained_cfg.interpolation must be",
        ),
        (
            json!({"input_size": [3, 224, 224], "crop_pct": 1.125}),
            "pretrained_cfg.crop_pct must be above 0",
        ),
        (
            json!({"input_size": [3, 224, 224], "std": [0, 1, 1]}),
            "pretrained_cfg.std must be above 0",
        ),
    ] {
        let config = json!({"pretrained_cfg": pretrained, "label_names": ["real", "fake"]});
        refused(
            &Export::new("import_logits.onnx", &config, None),
            &["DIR/config.json: ", words],
        );
    }
}

#[test]
fn hostile_json_is_an_error() {
    for text in [
        "{\"size\": NaN}",
        "{\"size\": Infinity}",
        "{\"rescale_factor\": 1e999}",
        &"[".repeat(1 << 20),
        &"{\"size\":".repeat(1 << 18),
        "[]",
        "7",
        "",
    ] {
        let export = Export::vit();
        export.write("preprocessor_config.json", text);
        refused(&export, &[PROCESSOR]);
        let export = Export::vit();
        export.write("config.json", text);
        refused(&export, &["DIR/config.json: "]);
    }
    let export = Export::vit();
    std::fs::write(export.folder().join("config.json"), [b'{', 0xff, b'}']).unwrap();
    refused(&export, &["DIR/config.json: ", "utf-8"]);
}

#[test]
fn labels_and_problems_that_do_not_fit_the_graph() {
    let three = json!({"0": "real", "1": "fake", "2": "unsure"});
    for (changes, words) in [
        (
            json!({"id2label": three, "label2id": null}),
            "of 3 classes, as many as the configuration has labels",
        ),
        (
            json!({"label2id": {"artificial": 1, "human": 0}}),
            "label2id.artificial must be as id2label has it",
        ),
        (
            json!({"problem_type": "regression"}),
            "problem_type must be single_label_classification",
        ),
        (json!({"problem_type": 3}), "problem_type must be a text"),
    ] {
        let config = with(&config(), &changes);
        refused(
            &Export::new("import_logits.onnx", &config, Some(&processor())),
            &[words],
        );
    }
}

#[test]
fn graphs_that_are_no_classifiers_of_one_picture() {
    let small = with(&processor(), &json!({"size": 8}));
    let raw = with(&small, &json!({"do_rescale": false, "do_normalize": false}));
    for (graph, processor, words) in [
        (
            "import_two_inputs.onnx",
            &small,
            "the graph's inputs must be one, the picture; it is \"pixel_values\", \"input_ids\"",
        ),
        (
            "import_clip.onnx",
            &small,
            "output \"logits\" must be made by Softmax, LogSoftmax, Sigmoid or one of Gemm",
        ),
        (
            "import_clip.onnx",
            &processor(),
            "input \"pixel_values\" must be for pictures of 224x224, which ViTImageProcessor makes; it is [\"batch\", 3, 8, 8]",
        ),
        (
            "import_uint8.onnx",
            &small,
            "input \"pixel_values\" must be float32 or float16 where the processor scales",
        ),
        (
            "tokens.onnx",
            &with(&small, &json!({"size": 2})),
            "output \"tokens\" must be [batch]",
        ),
    ] {
        let export = Export::new(graph, &config(), Some(processor));
        refused(&export, &["DIR/model.onnx: ", words]);
    }
    let staged = Export::new("import_uint8.onnx", &config(), Some(&raw)).stage();
    assert!(staged.is_ok(), "{:?}", staged.err());
    let export = Export::vit();
    export.write("model.onnx", "no protobuf at all");
    refused(&export, &["DIR/model.onnx: ", "not an ONNX graph"]);
    export.write("model.onnx", "");
    refused(&export, &["DIR/model.onnx: ", "not an ONNX graph"]);
}

#[test]
fn a_damaged_graph_is_an_error_that_names_it_or_a_graph() {
    let export = Export::vit();
    let path = export.folder().join("model.onnx");
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    let mut check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = Plan::new(&export.request()) {
            let error = error.to_string();
            let named = ["model.onnx", "--synthetic-label"].map(|words| error.contains(words));
            assert_ne!(named, [false, false], "{error}");
            refused += 1;
        }
    };
    for length in 0..whole.len() {
        check(&whole[..length]);
    }
    for (at, _) in whole.iter().enumerate() {
        for value in [0, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            check(&damaged);
        }
    }
    // All that end within the graph, which is most of the file, and more.
    assert!(refused > whole.len(), "{refused} of {}", whole.len() * 4);
}
