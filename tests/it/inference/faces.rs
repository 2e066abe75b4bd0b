//! The finder beside the Python package that its weights come from, and crops beside Pillow. Needs
//! the finder's weights; real faces are in `../shared/media`.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use jaga::domain::face::{Face, Point, Rect};
use jaga::domain::frame::Picture;
use jaga::domain::lanes::Lane;
use jaga::inference::bundle::manifest::{FaceScore, FaceSection, Template};
use jaga::inference::bundle::{FinderTask, Sorted};
use jaga::inference::faces::Cropper;
use jaga::inference::{Bundle, Finder, ModelsConfig, Provider};
use serde::Deserialize;

use super::support::{Numbers, python, reference, root, runtime, skip, weights};
use crate::decoder::{play, uniform};

/// Least overlap with the package's box, for the same face on the same input. Pixels may differ by
/// one between one resize and the other, where sides are no multiples of 32.
const SAME_FACE: f64 = 0.9;

/// Largest distance of a landmark, as a part of the box's longer side.
const LANDMARKS: f64 = 0.03;

/// Above the threshold of 0.5 by so much that those pixels decide neither whether there is a face
/// nor which of two neighbouring cells is its peak.
const SURE: f64 = 0.55;

/// The finder that comes with jaga, its weights checked.
pub(super) fn bundle() -> Option<Bundle<FinderTask>> {
    let weights = weights();
    if !weights.join("centerface").is_dir() {
        skip(&format!(
            "no weights of centerface in {}",
            weights.display()
        ));
        return None;
    }
    let bundle = Bundle::open(&root().join("models/centerface"), &weights).unwrap();
    match bundle.sort() {
        Sorted::Finder(finder) => Some(finder),
        Sorted::Scorer(_) => panic!("centerface is no finder"),
    }
}

/// The same, loaded, seeing pictures of up to `max_side` pixels; as in the bundle without it.
fn finder(max_side: Option<u32>) -> Option<Finder> {
    let (runtime, mut bundle) = (runtime()?, bundle()?);
    if let Some(max_side) = max_side {
        bundle.task.finder.max_side = NonZeroU32::new(max_side).unwrap();
    }
    let config = ModelsConfig {
        sessions: 1,
        ..ModelsConfig::default()
    };
    Some(Finder::start(&runtime, &bundle, &config, Provider::Cpu).unwrap())
}

async fn faces(finder: &Finder, picture: &Picture) -> Vec<Face> {
    let input = finder.prepare(picture).unwrap();
    finder.find(input, Lane::Live).await.unwrap().faces
}

/// The clips of a folder of the shared media, by name.
fn clips(kind: &str) -> Vec<PathBuf> {
    let folder = root().join("../shared/media").join(kind);
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: there is no {}", folder.display());
        return Vec::new();
    };
    let mut clips: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    clips
}

async fn pictures(clip: &Path, count: u32) -> Vec<Picture> {
    let played = play(clip, uniform(count)).await.unwrap();
    played
        .frames
        .into_iter()
        .map(|frame| frame.picture)
        .collect()
}

fn write_ppm(path: &Path, picture: &Picture) {
    let mut ppm = format!("P6 {} {} 255\n", picture.width(), picture.height()).into_bytes();
    ppm.extend(picture.rgb());
    fs::write(path, ppm).unwrap();
}

/// A face as the reference prints it.
#[derive(Debug, Deserialize)]
struct Line {
    faces: Vec<Theirs>,
}

#[derive(Debug, Deserialize)]
struct Theirs {
    #[serde(rename = "box")]
    rect: [f64; 4],
    landmarks: [[f64; 2]; 5],
    confidence: f64,
}

impl Theirs {
    fn rect(&self) -> Rect {
        let [x, y, width, height] = self.rect;
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    /// The largest distance of a landmark of `ours`, as a part of the box's longer side.
    fn distance(&self, ours: &Face) -> f64 {
        let longer = self.rect().width.max(self.rect().height);
        let pairs = self.landmarks.iter().zip(ours.landmarks.unwrap());
        let distances = pairs.map(|([x, y], p)| (p.x - x).hypot(p.y - y) / longer);
        distances.fold(0.0, f64::max)
    }
}

/// What the package finds in each of `pictures`.
fn theirs(python: &Path, pictures: &[Picture]) -> Vec<Vec<Theirs>> {
    let place = tempfile::tempdir().unwrap();
    let mut arguments = vec![PathBuf::from("faces")];
    for (index, picture) in pictures.iter().enumerate() {
        let path = place.path().join(format!("{index}.ppm"));
        write_ppm(&path, picture);
        arguments.push(path);
    }
    let arguments: Vec<&OsStr> = arguments.iter().map(|a| a.as_os_str()).collect();
    let lines = reference(python, &arguments);
    let read = |line: &str| serde_json::from_str::<Line>(line).unwrap().faces;
    lines.lines().map(read).collect()
}

/// The best overlap of `rect` with any of `others`, and which that is.
fn best<T>(rect: Rect, others: &[T], of: impl Fn(&T) -> Rect) -> Option<(f64, &T)> {
    let overlaps = others.iter().map(|other| (rect.iou(of(other)), other));
    overlaps.max_by(|a, b| a.0.total_cmp(&b.0))
}

#[tokio::test]
async fn the_finder_agrees_with_the_package() {
    let (Some(python), Some(as_it_is), Some(unscaled)) =
        (python(), finder(None), finder(Some(4096)))
    else {
        return;
    };
    let mut frames = Vec::new();
    for clip in clips("real_face").iter().chain(&clips("fake_face")) {
        frames.extend(pictures(clip, 3).await);
    }
    let (mut sure, mut least, mut furthest) = (0, 1.0_f64, 0.0_f64);
    for (index, (picture, want)) in frames.iter().zip(theirs(&python, &frames)).enumerate() {
        let at = format!("frame {index}, {picture:?}");
        let got = faces(&unscaled, picture).await;
        for face in got.iter().filter(|face| face.confidence >= SURE) {
            let overlap = best(face.rect, &want, Theirs::rect).map_or(0.0, |b| b.0);
            assert!(overlap >= SAME_FACE, "{at}: theirs lack {face:?}: {want:?}");
        }
        let small = faces(&as_it_is, picture).await;
        for face in want.iter().filter(|face| face.confidence >= SURE) {
            let Some((overlap, ours)) = best(face.rect(), &got, |f| f.rect) else {
                panic!("{at}: ours lack {face:?}");
            };
            let distance = face.distance(ours);
            assert!(overlap >= SAME_FACE, "{at}: {face:?} for {ours:?}");
            assert!(distance <= LANDMARKS, "{at}: {face:?} for {ours:?}");
            let surer = (face.confidence - ours.confidence).abs();
            assert!(surer < 0.05, "{at}: {face:?} for {ours:?}");
            (sure, least, furthest) = (sure + 1, least.min(overlap), furthest.max(distance));
            // Scaled down as the bundle has it, nobody of 40 pixels or more is lost.
            let scaled = best(face.rect(), &small, |f| f.rect).map_or(0.0, |b| b.0);
            assert!(
                face.rect().side() < 40.0 || scaled >= 0.5,
                "{at}: {face:?} is lost"
            );
        }
    }
    println!("{sure} faces, least overlap {least:.4}, furthest landmark {furthest:.4}");
    assert!(sure >= 45 || frames.is_empty(), "{sure}");
}

#[tokio::test]
async fn every_clip_with_a_face_shows_one() {
    let Some(finder) = finder(None) else { return };
    for clip in clips("real_face").iter().chain(&clips("fake_face")) {
        for picture in pictures(clip, 3).await {
            let found = faces(&finder, &picture).await;
            let face = found
                .first()
                .unwrap_or_else(|| panic!("none in {}", clip.display()));
            assert!(face.rect.side() >= 40.0, "{}: {face:?}", clip.display());
            // Upright faces: the eyes over the mouth, the left ones on the left.
            let [left, right, nose, mouth_left, mouth_right] = face.landmarks.unwrap();
            assert!(left.x < right.x && mouth_left.x < mouth_right.x, "{face:?}");
            assert!(
                left.y < nose.y && nose.y < mouth_left.y.max(mouth_right.y),
                "{face:?}"
            );
            let areas: Vec<f64> = found.iter().map(|face| face.rect.area()).collect();
            assert!(areas.is_sorted_by(|a, b| a >= b), "{areas:?}");
        }
    }
}

#[tokio::test]
async fn pictures_of_any_shape_have_an_answer() {
    let Some(finder) = finder(None) else { return };
    for (width, height) in [
        (1, 1),
        (20, 20),
        (31, 33),
        (640, 40),
        (40, 640),
        (8192, 1),
        (3000, 2),
    ] {
        for value in [0, 128, 255] {
            let rgb = vec![value; Picture::byte_len(width, height).unwrap()];
            let picture = Picture::new(width, height, rgb).unwrap();
            assert_eq!(faces(&finder, &picture).await, [], "{picture:?} of {value}");
        }
    }
}

fn noise(width: u32, height: u32) -> Picture {
    let mut numbers = Numbers::new(u64::from(width));
    let count = Picture::byte_len(width, height).unwrap();
    Picture::new(width, height, (0..count).map(|_| numbers.next()).collect()).unwrap()
}

fn section(margin: f64, align: Option<Template>) -> FaceSection {
    FaceSection {
        finder: "centerface".to_owned(),
        min_size: 1,
        margin,
        align,
        score: FaceScore::MaxTrack,
        min_frames: NonZeroU32::MIN,
    }
}

/// A binary PPM as Pillow writes it: three header words, a byte between, then the pixels.
fn read_ppm(path: &Path) -> Picture {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut word = || {
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap();
        let word = String::from_utf8(rest[..end].to_vec()).unwrap();
        rest = &rest[end + 1..];
        word
    };
    let [magic, width, height, depth] = [word(), word(), word(), word()];
    assert_eq!((magic.as_str(), depth.as_str()), ("P6", "255"));
    Picture::new(
        width.parse().unwrap(),
        height.parse().unwrap(),
        rest.to_vec(),
    )
    .unwrap()
}

#[test]
fn a_margin_crop_is_pillows() {
    let Some(python) = python() else { return };
    let place = tempfile::tempdir().unwrap();
    let (source, result) = (
        place.path().join("source.ppm"),
        place.path().join("crop.ppm"),
    );
    let picture = noise(97, 61);
    write_ppm(&source, &picture);
    for (rect, margin) in [
        ([20.0, 10.0, 30.0, 24.0], 0.0),
        ([20.25, 10.75, 17.5, 24.3], 0.3),
        ([2.5, 3.5, 5.0, 5.0], 0.0),
        ([0.0, 0.0, 97.0, 61.0], 0.5),
        ([80.0, 40.0, 17.0, 21.0], 0.25),
        ([1.0, 30.0, 3.3, 9.9], 2.0),
    ] {
        let words = rect.map(|v: f64| v.to_string());
        let margin_word = margin.to_string();
        let mut arguments: Vec<&OsStr> = vec!["crop".as_ref(), "--margin".as_ref()];
        arguments.push(margin_word.as_ref());
        arguments.push("--box".as_ref());
        arguments.extend(words.iter().map(OsStr::new));
        arguments.extend([source.as_os_str(), result.as_os_str()]);
        reference(&python, &arguments);
        let [x, y, width, height] = rect;
        let face = Face {
            rect: Rect {
                x,
                y,
                width,
                height,
            },
            landmarks: None,
            confidence: 1.0,
        };
        let cropper = Cropper::new(&section(margin, None), [224, 224]);
        let (got, want) = (cropper.crop(&picture, &face).unwrap(), read_ppm(&result));
        assert!(got == want, "{rect:?} {margin}: {got:?} for {want:?}");
    }
}

#[tokio::test]
async fn aligned_faces_are_found_on_the_template() {
    let Some(finder) = finder(None) else { return };
    let cropper = Cropper::new(&section(0.0, Some(Template::Ffhq)), [512, 512]);
    for clip in clips("real_face").iter().take(5) {
        let picture = pictures(clip, 2).await.remove(0);
        let found = faces(&finder, &picture).await;
        let crop = cropper.crop(&picture, &found[0]).unwrap();
        let again = faces(&finder, &crop).await;
        let [left, right, ..] = again[0].landmarks.unwrap();
        // Where the template has the eyes; people differ, and the finder sees them anew.
        for (eye, want) in [(left, (193.0, 240.0)), (right, (319.0, 240.0))] {
            let Point { x, y } = eye;
            let off = (x - want.0).hypot(y - want.1);
            assert!(off < 25.0, "{}: {eye:?}", clip.display());
        }
    }
}
