//! Pictures come out upright, with square pixels and the right colours.

use std::path::{Path, PathBuf};

use jaga::domain::frame::Picture;

use super::{play, uniform};
use crate::media_files::{have_ffmpeg, made, remade, still_clip};

const LOSSLESS: &[&str] = &["-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p"];

const RED: [u8; 3] = [200, 40, 60];
const GREEN: [u8; 3] = [30, 180, 90];
const BLUE: [u8; 3] = [50, 70, 210];
const GREY: [u8; 3] = [128, 128, 128];

/// Red, green over blue, grey.
fn quarters(width: u32, height: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| match (x < width / 2, y < height / 2) {
        (true, true) => RED,
        (false, true) => GREEN,
        (true, false) => BLUE,
        (false, false) => GREY,
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places.flat_map(|(x, y)| pixel(x, y)).collect()
}

/// The colour at the middle of a quarter, -1 or 1 from the centre each way.
fn quarter(picture: &Picture, right: i32, down: i32) -> [u8; 3] {
    let at = |side: u32, sign: i32| if sign < 0 { side / 4 } else { side * 3 / 4 };
    let (x, y) = (at(picture.width(), right), at(picture.height(), down));
    let start = usize::try_from((y * picture.width() + x) * 3).unwrap();
    picture.rgb()[start..start + 3].try_into().unwrap()
}

fn assert_near(got: [u8; 3], wanted: [u8; 3], what: &str) {
    let near = got.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 3);
    assert!(near, "{what}: {got:?}, not {wanted:?}");
}

async fn first(path: &Path) -> (Picture, jaga::domain::media::MediaFacts) {
    let mut played = play(path, uniform(1)).await.unwrap();
    let picture = played.frames.remove(0).picture;
    assert_eq!(
        (picture.width(), picture.height()),
        (played.facts.width, played.facts.height)
    );
    (picture, played.facts)
}

/// The clip with another track matrix: a and c make x', b and d make y' (ISO/IEC 14496-12, 8.3.2).
fn with_matrix(clip: &Path, [a, b, c, d]: [i32; 4]) -> PathBuf {
    made("matrix", "mp4", &(clip, a, b, c, d), |path| {
        let mut bytes = std::fs::read(clip).unwrap();
        let tkhd = bytes.windows(4).position(|w| w == b"tkhd").unwrap() + 4;
        for (place, value) in [(0, a), (1, b), (3, c), (4, d)] {
            let at = tkhd + 40 + place * 4;
            bytes[at..at + 4].copy_from_slice(&(value << 16).to_be_bytes());
        }
        std::fs::write(path, bytes).unwrap();
    })
}

#[tokio::test]
async fn turns_and_mirror_images_are_undone() {
    if !have_ffmpeg() {
        return;
    }
    let rgb = quarters(96, 64);
    let clip = still_clip("quarters", "mp4", (96, 64, &rgb), 3, LOSSLESS);
    let (plain, _) = first(&clip).await;
    let turns = [
        ([1, 0, 0, 1], 0),
        ([0, 1, -1, 0], 90),
        ([-1, 0, 0, -1], 180),
        ([0, -1, 1, 0], 270),
        ([-1, 0, 0, 1], 0),
        ([1, 0, 0, -1], 180),
        ([0, 1, 1, 0], 90),
        ([0, -1, -1, 0], 270),
    ];
    for (matrix, degrees) in turns {
        let (picture, facts) = first(&with_matrix(&clip, matrix)).await;
        assert_eq!(facts.rotation_deg, degrees, "{matrix:?}");
        let sides = if matrix[0] == 0 { (64, 96) } else { (96, 64) };
        assert_eq!((picture.width(), picture.height()), sides, "{matrix:?}");
        let [a, b, c, d] = matrix;
        for (x, y) in [(-1, -1), (1, -1), (-1, 1), (1, 1)] {
            let moved = quarter(&picture, a * x + c * y, b * x + d * y);
            assert_eq!(moved, quarter(&plain, x, y), "{matrix:?} at {x}, {y}");
        }
    }
}

#[tokio::test]
async fn pixels_that_are_not_square_are_made_so() {
    if !have_ffmpeg() {
        return;
    }
    let rgb = quarters(96, 64);
    for (ratio, sides) in [("4/3", (128, 64)), ("3/4", (96, 85)), ("1/1", (96, 64))] {
        for extension in ["mp4", "mkv"] {
            let filter = format!("setsar={ratio}");
            let arguments = [LOSSLESS, &["-vf", &filter]].concat();
            let clip = still_clip("aspect", extension, (96, 64, &rgb), 3, &arguments);
            let (picture, _) = first(&clip).await;
            assert_eq!((picture.width(), picture.height()), sides, "{ratio}");
            assert_near(quarter(&picture, 1, -1), GREEN, ratio);
        }
    }
}

#[tokio::test]
async fn an_aspect_beyond_all_sense_passes_a_limit() {
    if !have_ffmpeg() {
        return;
    }
    let rgb = quarters(96, 64);
    let arguments = [LOSSLESS, &["-vf", "setsar=1000/1"]].concat();
    let clip = still_clip("absurd-aspect", "mp4", (96, 64, &rgb), 3, &arguments);
    let error = play(&clip, uniform(1)).await.unwrap_err();
    assert!(
        matches!(error, jaga::media::MediaError::Limit(_)),
        "{error}"
    );
}

#[tokio::test]
async fn colours_follow_matrix_and_range() {
    if !have_ffmpeg() {
        return;
    }
    let rgb = quarters(96, 64);
    let matrices = [
        ("bt709", "bt709"),
        ("bt601", "smpte170m"),
        ("bt2020", "bt2020nc"),
    ];
    for (filter, tag) in matrices {
        for range in ["tv", "pc"] {
            for format in ["yuv420p", "yuv444p", "yuv420p10le"] {
                let convert = format!(
                    "scale=out_color_matrix={filter}:out_range={range}:flags=accurate_rnd,format={format}"
                );
                let arguments = [
                    "-vf",
                    &convert,
                    "-c:v",
                    "libx264",
                    "-qp",
                    "1",
                    "-colorspace",
                    tag,
                    "-color_range",
                    range,
                ];
                let clip = still_clip("colour", "mp4", (96, 64, &rgb), 2, &arguments);
                let (picture, facts) = first(&clip).await;
                let what = format!("{filter} {range} {format}");
                assert_eq!(facts.color.matrix.as_deref(), Some(tag), "{what}");
                assert_eq!(facts.color.range.as_deref(), Some(range), "{what}");
                assert_quarters(&picture, &what);
            }
        }
    }
}

fn assert_quarters(picture: &Picture, what: &str) {
    assert_near(quarter(picture, -1, -1), RED, what);
    assert_near(quarter(picture, 1, -1), GREEN, what);
    assert_near(quarter(picture, -1, 1), BLUE, what);
    assert_near(quarter(picture, 1, 1), GREY, what);
}

#[tokio::test]
async fn a_matrix_that_is_not_said_goes_by_the_size() {
    if !have_ffmpeg() {
        return;
    }
    for (width, height, matrix) in [(96, 64, "bt601"), (1280, 720, "bt709")] {
        let rgb = quarters(width, height);
        let convert = format!("scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p");
        let arguments = [
            "-vf",
            &convert,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-qp",
            "1",
        ];
        let clip = still_clip("unsaid", "mp4", (width, height, &rgb), 2, &arguments);
        let (picture, facts) = first(&clip).await;
        assert_eq!(facts.color.matrix, None);
        assert_quarters(&picture, matrix);
    }
}

#[tokio::test]
async fn full_range_mjpeg_keeps_its_colours() {
    if !have_ffmpeg() {
        return;
    }
    let rgb = quarters(96, 64);
    let arguments = ["-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p"];
    let clip = still_clip("mjpeg", "avi", (96, 64, &rgb), 3, &arguments);
    let (picture, facts) = first(&clip).await;
    assert_eq!(facts.color.range.as_deref(), Some("pc"));
    assert_quarters(&picture, "mjpeg");
}

#[tokio::test]
async fn the_size_may_change_within_the_stream() {
    if !have_ffmpeg() {
        return;
    }
    let arguments = [LOSSLESS, &["-f", "h264"]].concat();
    let small = still_clip("small", "h264", (96, 64, &quarters(96, 64)), 4, &arguments);
    let large = still_clip(
        "large",
        "h264",
        (192, 128, &quarters(192, 128)),
        4,
        &arguments,
    );
    let joined = made("sizes", "h264", &(&small, &large), |path| {
        let both = [
            std::fs::read(&small).unwrap(),
            std::fs::read(&large).unwrap(),
        ];
        std::fs::write(path, both.concat()).unwrap();
    });
    let played = play(&joined, uniform(8)).await.unwrap();
    let widths: Vec<u32> = played.frames.iter().map(|f| f.picture.width()).collect();
    assert_eq!(widths, [96, 96, 96, 96, 192, 192, 192, 192]);
    for frame in &played.frames {
        assert_quarters(&frame.picture, "joined");
    }
}

#[tokio::test]
async fn an_animated_gif_is_a_video() {
    if !have_ffmpeg() {
        return;
    }
    let clip = still_clip("quarters", "mp4", (96, 64, &quarters(96, 64)), 3, LOSSLESS);
    let gif = remade("quarters", "gif", &clip, &[], &[]);
    let played = play(&gif, uniform(3)).await.unwrap();
    assert!(!played.frames.is_empty());
    assert_eq!(played.facts.container, "gif");
}
