//! Which finders a registry loads, for whom, and what they find in pictures with faces painted in:
//! `painted.onnx` takes red for the confidence and green for the side.

use jaga::domain::face::{Face, Rect};
use jaga::domain::frame::Picture;
use jaga::domain::lanes::Lane;
use jaga::inference::registry::Selection;
use jaga::inference::{InferenceError, InferenceErrorKind, ModelsConfig, Provider, Registry};
use tempfile::TempDir;

use super::support::{HEAD, PAINTED, PLAIN_NCHW, Tiny, runtime, write_finder};

/// A folder of bundles: `tiny`, which judges faces that the finder `named` finds, and `painted`,
/// which finds them.
fn folder(named: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let tiny = Tiny {
        graph: "logit_nchw.onnx",
        input: PLAIN_NCHW,
        output: "name = \"logit\"\nkind = \"logit\"",
        max_batch: 1,
        more: &[],
    };
    tiny.write(&place.path().join("tiny"), HEAD, |text| {
        let text = text.replace("kind = \"frame\"", "kind = \"face\"");
        format!("{text}[face]\nfinder = \"{named}\"\nmin_size = 40\n")
    });
    write_finder(&place.path().join("painted"), PAINTED);
    place
}

fn load(place: &TempDir, names: &[&str]) -> Option<Result<Registry, InferenceError>> {
    let runtime = runtime()?;
    let config = ModelsConfig {
        dirs: vec![place.path().to_owned()],
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
    for names in [&["tiny"][..], &["tiny", "painted"], &[]] {
        let Some(registry) = load(&folder("painted"), names) else {
            return;
        };
        let registry = registry.unwrap();
        let info = registry.finder("painted").unwrap().info();
        assert_eq!(
            (info.name.as_str(), info.license.as_str()),
            ("painted", "MIT")
        );
        assert_eq!(
            (registry.list().count(), registry.finders().count()),
            (1, 1)
        );
    }
}

#[test]
fn a_finder_is_no_model_that_scores() {
    let Some(registry) = load(&folder("painted"), &["painted"]) else {
        return;
    };
    let registry = registry.unwrap();
    let error = registry.get("painted").unwrap_err();
    assert_eq!(error.kind(), InferenceErrorKind::UnknownModel);
    assert_eq!(
        (registry.list().count(), registry.finders().count()),
        (0, 1)
    );
    let error = registry.finder("tiny").unwrap_err().to_string();
    assert!(
        error.contains("\"tiny\"") && error.contains("painted"),
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

/// A black picture with cells of 4×4 pixels painted: column and row of the cell, red, green.
fn painted(width: u32, height: u32, cells: &[[u32; 4]]) -> Picture {
    let mut rgb = vec![0; Picture::byte_len(width, height).unwrap()];
    for [column, row, red, green] in cells {
        for pixel in 0..16 {
            let (x, y) = (column * 4 + pixel % 4, row * 4 + pixel / 4);
            let at = usize::try_from((y * width + x) * 3).unwrap();
            rgb[at] = u8::try_from(*red).unwrap();
            rgb[at + 1] = u8::try_from(*green).unwrap();
        }
    }
    Picture::new(width, height, rgb).unwrap()
}

async fn found(registry: &Registry, picture: &Picture) -> Vec<Face> {
    let finder = registry.finder("painted").unwrap();
    let input = finder.prepare(picture).unwrap();
    finder.find(input, Lane::Live).await.unwrap().faces
}

fn near(face: &Face, [x, y, width, height]: [f64; 4], confidence: f64) -> bool {
    let Rect { x: a, y: b, .. } = face.rect;
    [
        (a, x),
        (b, y),
        (face.rect.width, width),
        (face.rect.height, height),
    ]
    .into_iter()
    .chain([(face.confidence, confidence)])
    .all(|(got, want)| (got - want).abs() < 1e-4)
}

#[tokio::test]
async fn painted_faces_are_found_where_they_are() {
    let Some(registry) = load(&folder("painted"), &["painted"]) else {
        return;
    };
    let registry = registry.unwrap();
    // Cell (5, 8): its middle is (22, 34). (6, 8) overlaps it. (15, 2) is the largest and reaches
    // beyond the border. (20, 20) isn't sure enough.
    let cells = [
        [5, 8, 204, 20],
        [6, 8, 153, 20],
        [15, 2, 255, 24],
        [20, 20, 127, 30],
    ];
    let faces = found(&registry, &painted(96, 96, &cells)).await;
    let [large, small] = faces.as_slice() else {
        panic!("{faces:?}");
    };
    assert!(near(large, [50.0, 0.0, 24.0, 22.0], 1.0), "{large:?}");
    assert!(near(small, [12.0, 24.0, 20.0, 20.0], 0.8), "{small:?}");
    let [left_eye, right_eye, ..] = small.landmarks.unwrap();
    assert!((left_eye.x - 18.0).abs() < 1e-4 && (left_eye.y - 32.0).abs() < 1e-4);
    assert!((right_eye.x - 26.0).abs() < 1e-4);
}

#[tokio::test]
async fn places_are_those_of_the_picture_that_was_given() {
    let Some(registry) = load(&folder("painted"), &["painted"]) else {
        return;
    };
    let registry = registry.unwrap();
    // 512×512 is seen as 128×128: 16×16 painted pixels become one cell, whose side of 20 is 80 here.
    let block = |column: u32, row: u32| {
        let cell = move |i: u32| [column * 4 + i % 4, row * 4 + i / 4, 255, 20];
        (0..16).map(cell).collect::<Vec<_>>()
    };
    let faces = found(&registry, &painted(512, 512, &block(16, 12))).await;
    let [face] = faces.as_slice() else {
        panic!("{faces:?}");
    };
    // That of cell (16, 12), whose middle is (66, 50) as seen, so (264, 200).
    assert!(near(face, [224.0, 160.0, 80.0, 80.0], 1.0), "{face:?}");
}
