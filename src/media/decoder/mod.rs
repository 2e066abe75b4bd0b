//! The server's side of the decoder child: one child an upload, whose answers are not trusted.
//!
//! Children are started by one long-lived thread and kept warm; a child that was given an upload
//! is killed and reaped when its [`OpenMedia`] goes, however that happens.

mod child;
mod counts;
mod ending;
mod examination;
mod failure;
mod log;
mod media;
mod owned;
mod perturber;
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
use super::protocol::{Hello, Request};
use super::sandbox::{ChildConfig, SandboxMode, Walls};

pub use counts::{ChildCounts, ChildEnd};
pub use examination::{Examination, examine};
pub use media::{Decoded, OpenMedia};
pub use perturber::Perturber;

use counts::Counters;
use program::Program;
use running::RunningChild;
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
    mode: SandboxMode,
    child: ChildConfig,
    hello: Hello,
    counters: Arc<Counters>,
}

impl Shared {
    /// Starts a first child of `program`, checks it, and fills the pool.
    fn start(program: Program, config: &MediaConfig) -> Result<Arc<Self>, MediaError> {
        let counters = Arc::new(Counters::default());
        let spawner = Spawner::start(program, config.warm_children, Arc::clone(&counters))?;
        let hello = spawner.first_hello()?;
        check_walls(&hello.walls, config.sandbox)?;
        warn_of_missing(&hello.walls);
        Ok(Arc::new(Self {
            spawner,
            limits: config.limits,
            threads: threads(config.decoder_threads),
            mode: config.sandbox,
            child: config.child,
            hello,
            counters,
        }))
    }

    /// A child that waits for its request, greeted and locked down as it must be.
    async fn greeted(self: &Arc<Self>, deadline: Instant) -> Result<RunningChild, MediaError> {
        let mut dead = 0;
        loop {
            let child = self.spawner.take().await?;
            match child.greet(Arc::clone(self), deadline).await {
                Err(MediaError::ChildDied { .. }) if dead < MOST_DEAD_CHILDREN => dead += 1,
                other => return other,
            }
        }
    }
}

impl Decoder {
    /// Starts a first child, checks that it speaks this program's protocol and is locked down as
    /// `media.sandbox` asks, and fills the pool.
    pub fn start(config: &MediaConfig) -> Result<Self, MediaError> {
        Ok(Self {
            shared: Shared::start(Program::of(config)?, config)?,
        })
    }

    /// Version of the FFmpeg that the child links.
    pub fn ffmpeg_version(&self) -> &str {
        &self.shared.hello.ffmpeg
    }

    /// The walls around the first child, as it said.
    pub fn walls(&self) -> &Walls {
        &self.shared.hello.walls
    }

    /// Children that were killed for a system call that they may not make, since the start. More
    /// than zero wants a person's eyes: somebody may be attacking.
    pub fn sandbox_violations(&self) -> u64 {
        self.counts().ended(ChildEnd::SandboxViolation)
    }

    /// Children that were started, and how those that are gone ended.
    pub fn counts(&self) -> ChildCounts {
        self.shared.counters.read()
    }

    /// Hands an upload, a regular file, to a child and waits for its facts. `deadline` holds for
    /// all that is done with the answer.
    pub async fn open(&self, upload: OwnedFd, deadline: Instant) -> Result<OpenMedia, MediaError> {
        let request = Request::Open {
            limits: self.shared.limits,
            deadline_ms: left_ms(deadline),
            threads: self.shared.threads,
        };
        let open = async {
            let running = self.shared.greeted(deadline).await?;
            running.send(&request, Some(&upload))?;
            OpenMedia::of(running, self.shared.limits, deadline).await
        };
        tokio::time::timeout_at(deadline, open)
            .await
            .map_err(|_| MediaError::Deadline)?
    }
}

/// Refuses a child without a wall that `mode` asks for. Every child is asked, not the first alone.
fn check_walls(walls: &Walls, mode: SandboxMode) -> Result<(), MediaError> {
    match (mode, walls.missing()) {
        (SandboxMode::Required, Some(missing)) => Err(MediaError::Sandbox { missing }),
        (SandboxMode::Required | SandboxMode::BestEffort, _) => Ok(()),
    }
}

fn warn_of_missing(walls: &Walls) {
    if let Some(missing) = walls.missing() {
        tracing::warn!(
            %missing,
            "NOT ALL WALLS around the decoder child stand; media.sandbox is \"best-effort\""
        );
    }
}

/// Milliseconds until `deadline`.
fn left_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

fn threads(configured: u32) -> u32 {
    if configured > 0 {
        return configured;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Twice the cores: while one frame is converted and sent, the next ones are decoded.
    u32::try_from(cores.saturating_mul(2).min(MOST_DEFAULT_THREADS)).unwrap_or(1)
}
