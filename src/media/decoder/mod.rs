//! The server's side of the decoder child: one child an upload, whose answers are not trusted.
//!
//! Children are started by one long-lived thread and kept warm; a child that was given an upload
//! is killed and reaped when its [`OpenMedia`] goes, however that happens.

mod child;
mod failure;
mod log;
mod media;
mod program;
mod receiver;
mod running;
mod spawner;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::time::Instant;

use super::config::MediaConfig;
use super::error::MediaError;
use super::limits::MediaLimits;
use super::protocol::Request;

pub use media::{Decoded, OpenMedia};

use spawner::Spawner;

/// Most decoder threads of one child when the configuration leaves the number open.
const MOST_DEFAULT_THREADS: usize = 4;
/// Warm children that may turn out dead before opening an upload fails.
const MOST_DEAD_CHILDREN: usize = 4;

/// Opens uploads, each in a child of its own. Clones share the children.
#[derive(Debug, Clone)]
pub struct Decoder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    spawner: Spawner,
    limits: MediaLimits,
    threads: u32,
    ffmpeg_version: String,
}

impl Decoder {
    /// Starts a first child, checks that it speaks this program's protocol and fills the pool.
    pub fn start(config: &MediaConfig) -> Result<Self, MediaError> {
        let program = program::find(config.decoder.as_deref())?;
        let spawner = Spawner::start(program, config.warm_children)?;
        let hello = spawner.first_hello()?;
        Ok(Self {
            shared: Arc::new(Shared {
                spawner,
                limits: config.limits,
                threads: threads(config.decoder_threads),
                ffmpeg_version: hello.ffmpeg,
            }),
        })
    }

    /// Version of the FFmpeg that the child links.
    pub fn ffmpeg_version(&self) -> &str {
        &self.shared.ffmpeg_version
    }

    /// Hands an upload, a regular file, to a child and waits for its facts. `deadline` holds for
    /// all that is done with the answer.
    pub async fn open(&self, upload: OwnedFd, deadline: Instant) -> Result<OpenMedia, MediaError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Request::Open {
            limits: self.shared.limits,
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            threads: self.shared.threads,
        };
        let open = async {
            let mut dead = 0;
            let running = loop {
                let child = self.shared.spawner.take().await?;
                match child.greet(self.shared.clone()).await {
                    Err(MediaError::ChildDied { .. }) if dead < MOST_DEAD_CHILDREN => dead += 1,
                    other => break other?,
                }
            };
            running.send(&request, Some(&upload))?;
            OpenMedia::of(running, self.shared.limits, deadline).await
        };
        tokio::time::timeout_at(deadline, open)
            .await
            .map_err(|_| MediaError::Deadline)?
    }
}

fn threads(configured: u32) -> u32 {
    if configured > 0 {
        return configured;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Twice the cores: while one frame is converted and sent, the next ones are decoded.
    u32::try_from(cores.saturating_mul(2).min(MOST_DEFAULT_THREADS)).unwrap_or(1)
}
