//! The decoder child through the server's side of it: real files, real child.

mod accuracy;
mod encoders;
mod faults;
mod lifecycle;
mod linking;
mod nested;
mod picture;
pub(crate) mod protocol;
mod sandbox;
mod shared_media;
mod stills;
mod windows;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use jaga::domain::frame::Frame;
use jaga::domain::media::MediaFacts;
use jaga::domain::plan::FramePlan;
use jaga::domain::sampling::{SamplingPlan, Strategy};
use jaga::media::protocol::Chosen;
use jaga::media::{Decoded, Decoder, MediaConfig, MediaError, OpenMedia};
use tokio::time::Instant;

/// The child under test.
pub(crate) fn config() -> MediaConfig {
    MediaConfig {
        decoder: Some(PathBuf::from(env!("CARGO_BIN_EXE_jaga-decoder"))),
        ..MediaConfig::default()
    }
}

static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::start(&config()).unwrap());

/// All that came of one upload.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) facts: MediaFacts,
    pub(crate) chosen: Chosen,
    /// By index.
    pub(crate) frames: Vec<Frame>,
    pub(crate) missed: Vec<u32>,
    pub(crate) packets: u64,
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

pub(crate) async fn open(decoder: &Decoder, path: &Path) -> Result<OpenMedia, MediaError> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    decoder.open(file.into(), soon()).await
}

pub(crate) async fn play_with(
    decoder: &Decoder,
    path: &Path,
    plan: impl Into<FramePlan>,
) -> Result<Played, MediaError> {
    let mut media = open(decoder, path).await?;
    let chosen = media.choose(&plan.into()).await?.clone();
    let (mut frames, mut missed) = (Vec::new(), Vec::new());
    while let Some(decoded) = media.next().await? {
        match decoded {
            Decoded::Frame(frame) => frames.push(frame),
            Decoded::Missed(index) => missed.push(index),
        }
    }
    frames.sort_by_key(|frame| frame.index);
    Ok(Played {
        facts: media.facts().clone(),
        chosen,
        frames,
        missed,
        packets: media.packets_decoded().unwrap(),
    })
}

pub(crate) async fn play(path: &Path, plan: impl Into<FramePlan>) -> Result<Played, MediaError> {
    play_with(&DECODER, path, plan).await
}

pub(crate) fn uniform(frames: u32) -> SamplingPlan {
    SamplingPlan::new(Strategy::Uniform, frames).unwrap()
}

pub(crate) fn keyframe(frames: u32) -> SamplingPlan {
    SamplingPlan::new(Strategy::Keyframe, frames).unwrap()
}
