//! Pictures of the worst errors in `report.html`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jaga::config::Config;
use jaga::evaluation::{
    Column, Looking, Manifest, Outcome, Results, Scoring, Thumbnail, Thumbnails, thumbnails,
};

use crate::cli::Shell;
use crate::media_files::{HEIGHT, WIDTH, have_ffmpeg, numbered, read_number};

const LABELS: &str = "path,label\na.mp4,fake\nb.mp4,real\n";

/// The same clip twice, once as real and once as synthetic, so that one of them is an error.
fn labelled(folder: &Path) -> PathBuf {
    let clip = numbered(
        "thumbnails",
        "mp4",
        50,
        "25",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    for name in ["a.mp4", "b.mp4"] {
        fs::copy(&clip, folder.join(name)).unwrap();
    }
    let manifest = folder.join("m.csv");
    fs::write(&manifest, LABELS).unwrap();
    manifest
}

/// The pictures in a page, with what stands beside them.
pub(super) fn pictures(html: &str) -> Vec<(image::RgbImage, String)> {
    let images = html.split("<img src=\"data:image/jpeg;base64,").skip(1);
    let picture = |text: &str| {
        let (jpeg, rest) = text.split_once('"').unwrap();
        let jpeg = STANDARD.decode(jpeg).unwrap();
        let (_, caption) = rest.split_once("<small>").unwrap();
        let (caption, _) = caption.split_once("</small>").unwrap();
        let picture = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        (picture, caption.to_owned())
    };
    images.map(picture).collect()
}

/// The number of the frame that a thumbnail shows.
fn number(picture: &image::RgbImage) -> u32 {
    assert_eq!((picture.width(), picture.height()), (WIDTH / 2, HEIGHT / 2));
    let large =
        image::imageops::resize(picture, WIDTH, HEIGHT, image::imageops::FilterType::Nearest);
    read_number(WIDTH, HEIGHT, large.as_raw())
}

#[test]
fn the_page_shows_the_frames_that_the_scores_are_of() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let (manifest, out) = (labelled(place.path()), place.path().join("out"));
    let eval = |more: &[&str]| {
        let arguments = ["eval", manifest.to_str().unwrap(), "--sampling", "uniform"];
        let rest = ["--frames", "5", "--out", out.to_str().unwrap()];
        let (code, _, err) = shell.run(&[&arguments, rest.as_slice(), more].concat());
        assert_eq!((code, err.as_str()), (0, ""));
        fs::read_to_string(out.join("report.html")).unwrap()
    };
    let html = eval(&[]);
    let shown = pictures(&html);
    // Five frames at 0.2, 0.6, … s, of which the two highest and the two lowest are shown.
    assert_eq!(shown.len(), 4);
    let frames = fs::read_to_string(out.join("frames.csv")).unwrap();
    let mut before = 0;
    for (picture, caption) in &shown {
        let number = number(picture);
        assert!(number > before, "in order of time");
        before = number;
        let time_s = f64::from(number) / 25.0;
        let row = frames
            .lines()
            .find(|row| row.contains(&format!(",{time_s},")));
        let score: f64 = row.unwrap().rsplit(',').next().unwrap().parse().unwrap();
        assert_eq!(*caption, format!("{time_s:.1} s, {score:.2}"));
    }
    assert!(out.join("cache/thumbnails").read_dir().unwrap().count() == 1);
    assert!(eval(&[]) == html, "the same bytes from what is kept");
    fs::remove_dir_all(out.join("cache/thumbnails")).unwrap();
    assert!(eval(&[]) == html, "and decoded again");
    let without = eval(&["--no-thumbnails"]);
    assert!(!without.contains("data:image") && without.contains("left out by --no-thumbnails"));
    let table = out.join("scores.csv");
    let (code, _, _) = shell.run(&[
        "eval",
        "--from",
        table.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let html = fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(code, 0);
    assert!(!html.contains("data:image") && html.contains("the scores come from a table"));
}

#[test]
fn a_file_that_is_another_now_or_gone_is_not_shown() {
    if !have_ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = labelled(place.path());
    fs::write(&path, format!("{LABELS}c.mp4,fake\nd.mp4,fake\n")).unwrap();
    fs::write(place.path().join("d.mp4"), "no video\n".repeat(99)).unwrap();
    let manifest = Manifest::read(&path, None).unwrap();
    let hash = |name: &str| {
        let bytes = fs::read(place.path().join(name)).ok();
        bytes.map(|bytes| blake3::hash(&bytes).to_hex().to_string())
    };
    let scored = |score: f64| Outcome::Scored {
        score,
        coverage: None,
        frames: vec![(0.5, score), (1.5, score)],
    };
    let results = Results {
        videos: manifest.videos.clone(),
        contents: vec![hash("a.mp4"), hash("d.mp4"), hash("a.mp4"), hash("d.mp4")],
        columns: vec![Column {
            model: "m".to_owned(),
            provenance: None,
            outcomes: vec![scored(0.1), scored(0.9), scored(0.2), scored(0.3)],
        }],
    };
    let mut config = Config::default();
    config.media.decoder = Some(env!("CARGO_BIN_EXE_jaga-decoder").into());
    let scoring = Scoring {
        config: &config,
        models: &[],
        frames: None,
        sampling: None,
        cache: &place.path().join("cache"),
    };
    let looking = Looking {
        scoring: &scoring,
        manifest: &manifest,
    };
    let found = thumbnails(&results, 0.5, &looking).unwrap();
    let Thumbnails::Made(found) = found else {
        panic!("{found:?}")
    };
    let told: BTreeMap<usize, String> = found.iter().map(|(at, made)| (*at, tell(made))).collect();
    let expected = [
        "2 pictures",
        "the file has changed since it was scored",
        "the file is gone",
        "the file can't be decoded now (unsupported_media)",
    ];
    assert_eq!(told.into_values().collect::<Vec<_>>(), expected);
}

fn tell(made: &Result<Vec<Thumbnail>, String>) -> String {
    match made {
        Ok(pictures) => format!("{} pictures", pictures.len()),
        Err(reason) => reason.clone(),
    }
}
