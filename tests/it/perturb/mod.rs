//! The perturber child through the server's side of it: real videos, real child.

mod command;
mod faults;
mod kinds;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jaga::domain::perturbation::{Order, Perturbation, parse};
use jaga::media::protocol::Made;
use jaga::media::{MediaConfig, MediaError, PerturbConfig, Perturber};

use crate::decoder::{config, soon};
use crate::media_files::{ffmpeg, made};

/// The child under test.
fn perturb_config() -> PerturbConfig {
    PerturbConfig {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_jaga-perturber"))),
        ..PerturbConfig::default()
    }
}

fn start(media: &MediaConfig) -> Perturber {
    Perturber::start(media, &perturb_config()).unwrap()
}

static PERTURBER: LazyLock<Perturber> = LazyLock::new(|| start(&config()));

/// Colours and shapes that move, 320 by 240 at 25 frames a second.
fn scene(seconds: u32) -> PathBuf {
    drawn(
        "scene",
        &format!("testsrc2=size=320x240:rate=25:duration={seconds}"),
    )
}

/// A clip that `ffmpeg` draws, hardly compressed.
fn drawn(name: &str, source: &str) -> PathBuf {
    made(name, "mp4", &source, |path| {
        let arguments = [
            "-f", "lavfi", "-i", source, "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p",
        ];
        ffmpeg(&arguments, &[], path);
    })
}

/// The one perturbation that `text` names; none for `none`.
fn one(text: &str) -> Option<Perturbation> {
    (text != "none").then(|| parse(text).unwrap()[0])
}

fn order(text: &str, seconds: f64) -> Order {
    Order {
        perturbation: one(text),
        seconds,
        seed: 7,
        max_output_bytes: 64 << 20,
    }
}

/// What `perturber` makes of the file at `path`.
async fn perturb_with(
    perturber: &Perturber,
    path: &Path,
    order: Order,
) -> Result<(Vec<u8>, Made), MediaError> {
    let mut bytes = Vec::new();
    let video = File::open(path).unwrap().into();
    let mut keep = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    let made = perturber.perturb(video, order, soon(), &mut keep).await?;
    assert_eq!(made.bytes, bytes.len() as u64);
    Ok((bytes, made))
}

async fn perturb(path: &Path, text: &str, seconds: f64) -> (Vec<u8>, Made) {
    perturb_with(&PERTURBER, path, order(text, seconds))
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}
