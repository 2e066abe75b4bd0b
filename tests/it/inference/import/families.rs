//! Each family's preprocessing beside `tests/reference/exports.py`, which reads the export's own
//! JSON and never the bundle.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use jaga::domain::frame::Picture;
use jaga::inference::Tensor;
use jaga::inference::bundle::manifest::{Color, Filter, ResizeMode};
use jaga::inference::bundle::task::Reading;
use jaga::inference::preprocess::Preprocessor;
use serde_json::{Value, json};

use super::{Export, config, with};
use crate::inference::support::{Numbers, python, reference};

/// Largest difference of a normalised value; float32 lies on both sides.
const TOLERANCE: f64 = 1e-5;

/// Where one pixel of the longer side, or of an odd remainder, shows.
const SIZES: [(u32, u32); 4] = [(640, 480), (361, 642), (801, 449), (300, 301)];

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];
const HALF: [f64; 3] = [0.5, 0.5, 0.5];

/// `preprocessor_config.json` as published models of each family have it: `of` names the base that
/// `with` changes.
fn hugging_face() -> Vec<(String, Value)> {
    let cases: Value = serde_json::from_str(include_str!("processors.json")).unwrap();
    let case = |case: &Value| {
        let base = &cases["bases"][case["of"].as_str().unwrap()];
        let name = case["name"].as_str().unwrap().to_owned();
        (name, with(base, &case["with"]))
    };
    cases["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(case)
        .collect()
}

/// timm's `pretrained_cfg`, of `resnet50.a1_in1k`, and as it varies.
fn timm() -> Vec<(String, Value)> {
    let resnet = json!({
        "tag": "a1_in1k", "custom_load": false, "input_size": [3, 224, 224],
        "test_input_size": [3, 288, 288], "fixed_input_size": false, "interpolation": "bicubic",
        "crop_pct": 0.95, "test_crop_pct": 1.0, "crop_mode": "center", "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD, "num_classes": 2, "pool_size": [7, 7], "first_conv": "conv1",
        "classifier": "fc"
    });
    vec![
        ("timm".to_owned(), resnet.clone()),
        (
            "timm, defaults".to_owned(),
            json!({"input_size": [3, 225, 225], "num_classes": 2}),
        ),
        (
            "timm, whole".to_owned(),
            with(
                &resnet,
                &json!({"crop_pct": 1.0, "interpolation": "bilinear", "mean": HALF, "std": HALF}),
            ),
        ),
        (
            "timm, squash".to_owned(),
            with(
                &resnet,
                &json!({"crop_mode": "squash", "crop_pct": 0.9, "input_size": [3, 224, 193]}),
            ),
        ),
    ]
}

/// A slope in each channel.
fn gradient(width: u32, height: u32) -> Picture {
    let at = |place: u32, side: u32| u8::try_from(place * 255 / side).unwrap();
    let pixel = |i: u32| {
        let (x, y) = (i % width, i / width);
        [at(x, width), at(y, height), at(x + y, width + height)]
    };
    Picture::new(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
}

fn noise(width: u32, height: u32) -> Picture {
    let mut numbers = Numbers::new(u64::from(width * 7 + height));
    let count = width * height * 3;
    Picture::new(width, height, (0..count).map(|_| numbers.next()).collect()).unwrap()
}

/// Pictures with their files, which the reference reads.
fn pictures(folder: &Path) -> Vec<(OsString, Picture)> {
    let [(width, height), ..] = SIZES;
    let mut all = vec![("gradient", gradient(width, height))];
    all.extend(SIZES.map(|(width, height)| ("noise", noise(width, height))));
    let written = all.into_iter().map(|(name, picture)| {
        let (width, height) = (picture.width(), picture.height());
        let path = folder.join(format!("{name}-{width}x{height}.ppm"));
        let head = format!("P6 {width} {height} 255\n");
        fs::write(&path, [head.as_bytes(), picture.rgb()].concat()).unwrap();
        (path.into_os_string(), picture)
    });
    written.collect()
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    numbers
        .iter()
        .map(|b| f64::from(f32::from_le_bytes(*b)))
        .collect()
}

#[test]
fn every_family_sees_what_its_own_processor_makes() {
    let Some(python) = python() else { return };
    let place = tempfile::tempdir().unwrap();
    let pictures = pictures(place.path());
    let by_processor = hugging_face()
        .into_iter()
        .map(|(name, processor)| (name, config(), Some(processor)));
    let by_config = timm().into_iter().map(|(name, pretrained)| {
        let labels = json!(["real", "fake"]);
        let config = json!({
            "architecture": "resnet50", "num_classes": 2, "num_features": 2048,
            "global_pool": "avg", "label_names": labels, "pretrained_cfg": pretrained
        });
        (name, config, None)
    });
    for (name, config, processor) in by_processor.chain(by_config) {
        let export = Export::new("import_logits.onnx", &config, processor.as_ref());
        let staged = export
            .stage()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let preprocessor = Preprocessor::new(&staged.bundle().task.input, 1);
        let (folder, out) = (export.folder(), place.path().as_os_str());
        let mut arguments: Vec<&OsStr> =
            ["export", "--folder"].map(OsStr::new).into_iter().collect();
        arguments.extend([folder.as_os_str(), OsStr::new("--out"), out]);
        arguments.extend(pictures.iter().map(|(path, _)| path.as_os_str()));
        reference(&python, &arguments);
        for (path, picture) in &pictures {
            let want = floats(&fs::read(Path::new(path).with_extension("f32")).unwrap());
            let Tensor::Float32(got) = preprocessor.prepare(picture).unwrap() else {
                panic!("{name}: no float32")
            };
            assert_eq!(got.len(), want.len(), "{name} {}", path.display());
            let differences = got
                .iter()
                .zip(&want)
                .map(|(g, w)| (f64::from(*g) - w).abs());
            let largest = differences.fold(0.0, f64::max);
            assert!(largest <= TOLERANCE, "{name} {}: {largest}", path.display());
        }
    }
}

#[test]
fn the_bundle_says_what_the_export_said() {
    let staged = Export::vit().stage().unwrap();
    let bundle = staged.bundle();
    assert_eq!(bundle.name(), "detector");
    assert_eq!(bundle.identity.license, "MIT");
    assert_eq!(bundle.runtime.max_batch.get(), 8);
    let (input, output) = (&bundle.task.input, &bundle.task.output);
    assert_eq!(input.encoding.name, "pixel_values");
    assert_eq!(input.encoding.color, Color::Rgb);
    assert_eq!(input.resize.mode, ResizeMode::Stretch);
    assert_eq!(input.resize.filter, Filter::Bilinear);
    assert_eq!(output.name, "logits");
    assert_eq!(output.reading, Reading::Softmax(0));
}

#[test]
fn means_of_flipped_channels_are_flipped_too() {
    let mobilevit = json!({
        "image_processor_type": "MobileViTImageProcessor", "resample": 2, "do_center_crop": true,
        "crop_size": 224, "size": {"shortest_edge": 256}
    });
    let export = Export::new("import_logits.onnx", &config(), Some(&mobilevit));
    let staged = export.stage().unwrap();
    assert_eq!(staged.bundle().task.input.encoding.color, Color::Bgr);
}
