//! Preprocessing beside Pillow and numpy (`tests/reference/reference.py preprocess`).

use std::fs;
use std::path::Path;

use jaga::domain::frame::Picture;
use jaga::inference::Tensor;
use jaga::inference::bundle::manifest::Layout;
use jaga::inference::bundle::task::{Encoding, Input};
use jaga::inference::preprocess::Preprocessor;

use super::support::{Numbers, python, reference, root};

/// Largest difference in units of the pixel value: the pixels are the same to the bit, and float32
/// lies on both sides. One pixel's rounding moves a quantised model's probability by up to 0.1.
const TOLERANCE: f64 = 1e-3;

/// Width and height: the exact size, odd, tall, wide, tiny, huge.
const SIZES: &[(u32, u32)] = &[
    (224, 224),
    (225, 224),
    (223, 301),
    (640, 360),
    (641, 359),
    (361, 642),
    (1280, 720),
    (1920, 1080),
    (1080, 1920),
    (100, 37),
    (31, 33),
    (448, 448),
    (1500, 231),
    (2, 3),
    (1080, 2400),
    (37, 1000),
];

fn noise(width: u32, height: u32) -> Picture {
    let mut numbers = Numbers::new(u64::from(width * 31 + height));
    let count = width * height * 3;
    Picture::new(width, height, (0..count).map(|_| numbers.next()).collect()).unwrap()
}

/// Slopes, a hard edge every 16 pixels and a fine pattern, where kernels overshoot.
fn drawn(width: u32, height: u32) -> Picture {
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let edge = if (x / 16 + y / 16) % 2 == 0 { 255 } else { 0 };
            let slope = u8::try_from((x * 255) / width).unwrap();
            let fine = if (x + y) % 3 == 0 { 250 } else { 5 };
            rgb.extend([edge, slope, fine]);
        }
    }
    Picture::new(width, height, rgb).unwrap()
}

fn floats(tensor: Tensor) -> Vec<f64> {
    match tensor {
        Tensor::Float32(array) => array.into_iter().map(f64::from).collect(),
        Tensor::Float16(array) => array.into_iter().map(f64::from).collect(),
        Tensor::Uint8(array) => array.into_iter().map(f64::from).collect(),
    }
}

/// The reference's tensor of `picture`, in the bundle's layout.
fn expected(python: &Path, bundle: &Path, place: &Path, picture: &Picture) -> Vec<f64> {
    let (pixels, tensor) = (place.join("picture.rgb"), place.join("tensor.f32"));
    fs::write(&pixels, picture.rgb()).unwrap();
    let [width, height] = [picture.width(), picture.height()].map(|side| side.to_string());
    let arguments = [
        "preprocess".as_ref(),
        bundle.as_os_str(),
        pixels.as_os_str(),
        width.as_ref(),
        height.as_ref(),
        tensor.as_os_str(),
    ];
    reference(python, &arguments);
    let bytes = fs::read(&tensor).unwrap();
    bytes
        .chunks_exact(4)
        .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
        .collect()
}

fn channel_of(input: &Encoding, index: usize, count: usize) -> usize {
    if input.layout == Layout::Nhwc {
        index % 3
    } else {
        index / (count / 3)
    }
}

/// The largest difference in units of the pixel value.
fn largest_difference(input: &Encoding, got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let differences = got.iter().zip(want).enumerate().map(|(i, (g, w))| {
        let std = input.std[channel_of(input, i, got.len())];
        (g - w).abs() * std / input.scale
    });
    differences.fold(0.0, f64::max)
}

fn check(python: &Path, bundle: &Path, sizes: &[(u32, u32)]) {
    let place = tempfile::tempdir().unwrap();
    let input = Input::read(&bundle.join("model.toml")).unwrap();
    let preprocessor = Preprocessor::new(&input, 1);
    for (width, height) in sizes {
        for (name, picture) in [
            ("noise", noise(*width, *height)),
            ("drawn", drawn(*width, *height)),
        ] {
            let got = floats(preprocessor.prepare(&picture).unwrap());
            let want = expected(python, bundle, place.path(), &picture);
            let largest = largest_difference(&input.encoding, &got, &want);
            assert!(largest <= TOLERANCE, "{name} {width}x{height}: {largest}");
        }
    }
}

#[test]
fn the_default_model_sees_what_pillow_makes() {
    let Some(python) = python() else { return };
    check(&python, &root().join("models/genai-clip"), SIZES);
}

#[test]
fn every_mode_and_filter_is_as_pillows() {
    let Some(python) = python() else { return };
    let text = fs::read_to_string(root().join("models/genai-clip/model.toml")).unwrap();
    let resize = "resize = { mode = \"shortest_side\", size = 224, filter = \"bicubic\" }";
    let crop = "crop = { mode = \"center\", size = [224, 224] }\n";
    assert!(text.contains(resize) && text.contains(crop));
    let kept = "mode = \"shortest_side\", size = 96";
    for (changed, cropped) in [
        (
            format!("{kept}, filter = \"bilinear\""),
            "crop = { mode = \"center\", size = [96, 77] }\n",
        ),
        (
            format!("{kept}, filter = \"lanczos\""),
            "crop = { mode = \"center\", size = 80 }\n",
        ),
        (
            format!("{kept}, filter = \"nearest\""),
            "crop = { mode = \"center\", size = 96 }\n",
        ),
        (
            format!("{kept}, filter = \"bilinear\", rounding = \"down\""),
            "crop = { mode = \"center\", size = [93, 89], rounding = \"half_even\" }\n",
        ),
        (
            "mode = \"stretch\", size = [96, 80], filter = \"box\"".to_owned(),
            "",
        ),
        (
            "mode = \"stretch\", size = 96, filter = \"hamming\"".to_owned(),
            "",
        ),
        (
            "mode = \"letterbox\", size = [96, 80], filter = \"bicubic\", pad = 114".to_owned(),
            "",
        ),
        (
            "mode = \"letterbox\", size = 96, filter = \"bilinear\"".to_owned(),
            "crop = { mode = \"center\", size = [90, 70] }\n",
        ),
    ] {
        let place = tempfile::tempdir().unwrap();
        let text = text
            .replace(resize, &format!("resize = {{ {changed} }}"))
            .replace(crop, cropped)
            .replace("\"NCHW\"", "\"NHWC\"")
            .replace("\"RGB\"", "\"BGR\"");
        fs::write(place.path().join("model.toml"), text).unwrap();
        check(&python, place.path(), &[(640, 360), (361, 642), (50, 31)]);
    }
}
