//! Each kind does what its name says, at the strength that was asked for.

use std::fs;
use std::path::Path;

use image::RgbImage;
use jaga::domain::media::MediaFacts;

use super::{drawn, perturb, scene};
use crate::decoder::{play, uniform};
use crate::media_files::have_ffmpeg;

/// Frames to look at.
const LOOKS: u32 = 4;

/// A decoded video.
struct Seen {
    facts: MediaFacts,
    pictures: Vec<RgbImage>,
    bytes: usize,
}

impl Seen {
    async fn of(path: &Path, bytes: usize) -> Self {
        let played = play(path, uniform(LOOKS)).await.unwrap();
        let picture = |frame: &jaga::domain::frame::Frame| {
            let picture = &frame.picture;
            let rgb = picture.rgb().to_vec();
            RgbImage::from_raw(picture.width(), picture.height(), rgb).unwrap()
        };
        Self {
            facts: played.facts,
            pictures: played.frames.iter().map(picture).collect(),
            bytes,
        }
    }

    fn sides(&self) -> (u32, u32) {
        (self.facts.width, self.facts.height)
    }

    /// Peak signal-to-noise ratio to the same pictures of another video, in decibels.
    fn psnr(&self, other: &Self) -> f64 {
        let pairs = self.pictures.iter().zip(&other.pictures);
        let (mut squares, mut count) = (0.0, 0.0);
        for (a, b) in pairs {
            assert_eq!(a.dimensions(), b.dimensions());
            for (x, y) in a.iter().zip(b.iter()) {
                squares += (f64::from(*x) - f64::from(*y)).powi(2);
                count += 1.0;
            }
        }
        10.0 * (255.0_f64.powi(2) * count / squares).log10()
    }

    /// Mean difference of neighbours in a row: how sharp it is.
    fn sharpness(&self) -> f64 {
        let picture = &self.pictures[0];
        let mut sum = 0.0;
        for y in 0..picture.height() {
            for x in 1..picture.width() {
                let value = |x| f64::from(picture.get_pixel(x, y).0[1]);
                sum += (value(x) - value(x - 1)).abs();
            }
        }
        sum / f64::from(picture.width() * picture.height())
    }

    /// Mean of a row's values.
    fn row(&self, y: u32) -> f64 {
        let picture = &self.pictures[0];
        let row = (0..picture.width()).flat_map(|x| picture.get_pixel(x, y).0);
        row.map(f64::from).sum::<f64>() / f64::from(picture.width() * 3)
    }
}

async fn seen(source: &Path, text: &str, seconds: f64) -> Seen {
    let (bytes, made) = perturb(source, text, seconds).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    fs::write(&path, &bytes).unwrap();
    let seen = Seen::of(&path, bytes.len()).await;
    assert_eq!(seen.facts.frame_count, made.frames, "{text}");
    assert_eq!(seen.sides(), (made.width, made.height), "{text}");
    assert_eq!(seen.facts.video_codec, "h264");
    assert!(!seen.facts.truncated && !seen.facts.has_audio);
    seen
}

#[tokio::test]
async fn the_baseline_is_the_same_stretch_as_it_was() {
    if !have_ffmpeg() {
        return;
    }
    let source = scene(2);
    let whole = seen(&source, "none", 10.0).await;
    assert_eq!((whole.sides(), whole.facts.frame_count), ((320, 240), 50));
    let psnr = whole.psnr(&Seen::of(&source, 0).await);
    assert!(psnr > 36.0, "{psnr}");
    let cut = seen(&source, "none", 1.0).await;
    assert_eq!(cut.facts.frame_count, 25);
    assert!((cut.facts.duration_s - 1.0).abs() < 0.05);
}

#[tokio::test]
async fn the_same_order_gives_the_same_bytes() {
    if !have_ffmpeg() {
        return;
    }
    for text in ["none", "noise=10", "chain=2", "text=10"] {
        let first = perturb(&scene(2), text, 0.4).await;
        assert_eq!(perturb(&scene(2), text, 0.4).await, first, "{text}");
    }
}

#[tokio::test]
async fn more_compression_is_worse_and_smaller() {
    if !have_ffmpeg() {
        return;
    }
    let source = scene(2);
    let before = seen(&source, "none", 0.4).await;
    for (kind, strengths) in [
        ("h264", &["20", "30", "40"][..]),
        ("jpeg", &["90", "50", "10"]),
        ("chain", &["1", "2", "3"]),
    ] {
        let mut last = (f64::MAX, usize::MAX);
        for strength in strengths {
            let after = seen(&source, &format!("{kind}={strength}"), 0.4).await;
            let now = (after.psnr(&before), after.bytes);
            assert!(
                now.0 < last.0 - 0.2,
                "{kind}={strength}: {now:?} after {last:?}"
            );
            assert!(
                kind == "jpeg" || now.1 < last.1,
                "{kind}={strength}: {now:?}"
            );
            last = now;
        }
    }
}

#[tokio::test]
async fn sizes_are_those_that_were_asked_for() {
    if !have_ffmpeg() {
        return;
    }
    let source = scene(2);
    for (text, sides) in [
        ("downscale=120", (160, 120)),
        ("downscale=480", (320, 240)),
        ("crop=20", (256, 192)),
        ("letterbox=25", (320, 320)),
        ("letterbox=1:1", (320, 320)),
        ("letterbox=9:16", (320, 568)),
        ("letterbox=2:1", (480, 240)),
        ("screen=50", (320, 240)),
    ] {
        assert_eq!(seen(&source, text, 0.2).await.sides(), sides, "{text}");
    }
    let large = drawn("large-scene", "testsrc2=size=800x600:rate=25:duration=1");
    assert_eq!(seen(&large, "chain=3", 0.1).await.sides(), (640, 480));
}

#[tokio::test]
async fn frames_are_dropped_to_the_rate() {
    if !have_ffmpeg() {
        return;
    }
    for (fps, frames) in [("5", 10), ("10", 20), ("12.5", 25), ("60", 50)] {
        let after = seen(&scene(2), &format!("fps={fps}"), 2.0).await;
        assert_eq!(after.facts.frame_count, frames, "{fps}");
        let rate = after.facts.frame_rate.unwrap();
        assert!((rate - frames as f64 / 2.0).abs() < 0.6, "{fps}: {rate}");
    }
}

#[tokio::test]
async fn blur_takes_edges_and_noise_has_its_strength() {
    if !have_ffmpeg() {
        return;
    }
    let source = scene(2);
    let sharp = seen(&source, "none", 0.2).await.sharpness();
    let mild = seen(&source, "blur=4", 0.2).await.sharpness();
    let strong = seen(&source, "blur=16", 0.2).await.sharpness();
    assert!(
        mild < 0.9 * sharp && strong < 0.6 * mild,
        "{sharp} {mild} {strong}"
    );
    let grey = drawn("grey", "color=gray:size=320x240:rate=25:duration=1");
    for sigma in [5.0, 20.0] {
        let noisy = seen(&grey, &format!("noise={sigma}"), 0.2).await;
        let values = noisy.pictures[0].pixels().map(|p| f64::from(p.0[1]));
        let (sum, squares) = values.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let count = 320.0 * 240.0;
        let deviation = (squares / count - (sum / count).powi(2)).sqrt();
        // The carrier's own compression takes a little of it.
        let left = deviation / sigma;
        assert!((0.7..1.1).contains(&left), "{sigma}: {deviation}");
    }
}

#[tokio::test]
async fn bars_text_and_screens_are_where_they_should_be() {
    if !have_ffmpeg() {
        return;
    }
    let white = drawn("white", "color=white:size=320x240:rate=25:duration=1");
    let bars = seen(&white, "letterbox=25", 0.2).await;
    // 40 rows above and below.
    assert!(bars.row(5) < 3.0 && bars.row(34) < 6.0 && bars.row(315) < 3.0);
    assert!(bars.row(45) > 245.0 && bars.row(160) > 245.0);
    let text = seen(&white, "text=10", 0.2).await;
    let changed = |y| text.row(y) < 240.0;
    assert!(!changed(20) && !changed(100) && !changed(235));
    assert!(changed(155) && changed(185), "two lines around 0.72 of 240");
    let screen = seen(&white, "screen=50", 0.2).await;
    let at = |x, y| screen.pictures[0].get_pixel(x, y).0[0];
    assert!(at(160, 120) > 245 && at(100, 80) > 245);
    assert!(at(20, 20) < 120 && at(300, 20) < 120);
}

#[tokio::test]
async fn turned_pictures_and_stills_are_taken_upright() {
    if !have_ffmpeg() {
        return;
    }
    let turned = crate::media_files::remade(
        "turned-scene",
        "mp4",
        &scene(2),
        &["-display_rotation", "90"],
        &["-c", "copy"],
    );
    let upright = seen(&turned, "none", 0.2).await;
    assert_eq!(
        (upright.sides(), upright.facts.rotation_deg),
        ((240, 320), 0)
    );
    let folder = tempfile::tempdir().unwrap();
    let still = folder.path().join("still.png");
    RgbImage::from_pixel(64, 48, image::Rgb([200, 30, 30]))
        .save(&still)
        .unwrap();
    let (_, made) = perturb(&still, "crop=50", 10.0).await;
    assert_eq!((made.width, made.height, made.frames), (32, 24, 1));
}
