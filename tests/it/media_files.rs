//! Test media, made once by the `ffmpeg` command into `target/test-media`.
//!
//! A file's name ends in a hash of all that it was made from, so a changed recipe makes a new
//! file. Files appear by a rename, so tests that run at once don't see half of one.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Changes when the pictures that the functions here draw do.
const DRAWING: u32 = 1;

/// Sides of a numbered picture: 8 by 4 blocks.
pub(crate) const WIDTH: u32 = 256;
pub(crate) const HEIGHT: u32 = 128;
const BLOCK: u32 = 32;
const COLUMNS: u32 = WIDTH / BLOCK;
const BITS: u32 = 16;

/// True when `ffmpeg` can be run; else the caller skips, unless everything must be tested.
pub(crate) fn have_ffmpeg() -> bool {
    let runs = Command::new("ffmpeg")
        .arg("-version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true")
        || std::env::var("JAGA_REQUIRE_FFMPEG").is_ok_and(|set| set == "1");
    assert!(runs || !required, "`ffmpeg` is needed and can't be run");
    if !runs {
        eprintln!("skipped: there is no `ffmpeg` command (scripts/test installs it)");
    }
    runs
}

/// Where made files lie.
pub(crate) fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("test-media");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file made by `write` unless it is there: `name` says what it is, `recipe` what it depends on.
pub(crate) fn made(
    name: &str,
    extension: &str,
    recipe: &impl Hash,
    write: impl FnOnce(&Path),
) -> PathBuf {
    static UNIQUE: AtomicU32 = AtomicU32::new(0);
    let mut hasher = DefaultHasher::new();
    (DRAWING, name, recipe).hash(&mut hasher);
    let path = folder().join(format!("{name}-{:016x}.{extension}", hasher.finish()));
    if !path.exists() {
        let number = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!(".{}-{number}-{name}.{extension}", std::process::id());
        let unfinished = folder().join(unfinished);
        write(&unfinished);
        fs::rename(&unfinished, &path).unwrap();
    }
    path
}

/// Runs `ffmpeg` with `arguments`, `input` on its standard input and `output` as its last argument.
pub(crate) fn ffmpeg(arguments: &[&str], input: &[u8], output: &Path) {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin"])
        .env("SVT_LOG", "1")
        .args(arguments)
        .arg(output)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let written = stdin.write_all(input);
    drop(stdin);
    assert!(child.wait().unwrap().success(), "ffmpeg {arguments:?}");
    written.unwrap();
}

/// A clip of grey pictures that show their own number, at `rate`, made with `arguments` between
/// input and output.
pub(crate) fn numbered(
    name: &str,
    extension: &str,
    frames: u32,
    rate: &str,
    arguments: &[&str],
) -> PathBuf {
    made(name, extension, &(frames, rate, arguments), |path| {
        let pictures: Vec<u8> = (0..frames).flat_map(draw_number).collect();
        let size = format!("{WIDTH}x{HEIGHT}");
        let raw = [
            "-f", "rawvideo", "-pix_fmt", "gray", "-s", &size, "-r", rate,
        ];
        let all = [&raw, ["-i", "-"].as_slice(), arguments].concat();
        ffmpeg(&all, &pictures, path);
    })
}

/// A clip made of another file.
pub(crate) fn remade(
    name: &str,
    extension: &str,
    of: &Path,
    before: &[&str],
    after: &[&str],
) -> PathBuf {
    let recipe = (of.file_name().unwrap(), before, after);
    made(name, extension, &recipe, |path| {
        let of = of.to_str().unwrap();
        ffmpeg(&[before, &["-i", of], after].concat(), &[], path);
    })
}

/// A clip of one RGB picture, shown `frames` times at 25 frames a second.
pub(crate) fn still_clip(
    name: &str,
    extension: &str,
    (width, height, rgb): (u32, u32, &[u8]),
    frames: u32,
    arguments: &[&str],
) -> PathBuf {
    made(
        name,
        extension,
        &(width, height, rgb, frames, arguments),
        |path| {
            let size = format!("{width}x{height}");
            let raw = [
                "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", "25",
            ];
            let all = [&raw, ["-i", "-"].as_slice(), arguments].concat();
            let pictures = rgb.repeat(usize::try_from(frames).unwrap());
            ffmpeg(&all, &pictures, path);
        },
    )
}

/// The number in binary as white and black blocks, the upper half; inverted in the lower half.
fn draw_number(number: u32) -> Vec<u8> {
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    pixels
        .map(|(x, y)| {
            let block = y / BLOCK * COLUMNS + x / BLOCK;
            let bit = number >> (block % BITS) & 1 == 1;
            if bit == (block < BITS) { 235 } else { 20 }
        })
        .collect()
}

/// The number that a decoded picture shows; panics when its halves contradict each other.
pub(crate) fn read_number(width: u32, height: u32, rgb: &[u8]) -> u32 {
    assert_eq!((width, height), (WIDTH, HEIGHT));
    let bit = |block: u32| {
        let x = block % COLUMNS * BLOCK + BLOCK / 2;
        let y = block / COLUMNS * BLOCK + BLOCK / 2;
        rgb[usize::try_from((y * WIDTH + x) * 3).unwrap()] > 128
    };
    (0..BITS).fold(0, |number, block| {
        assert_ne!(bit(block), bit(block + BITS), "an unreadable picture");
        number | u32::from(bit(block)) << block
    })
}
