//! The decoder's sibling: a child that makes another video of a video. Started, watched and buried
//! in the same way, and as little trusted.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::time::Instant;

use super::program::Program;
use super::running::RunningChild;
use super::{Shared, left_ms};
use crate::domain::perturbation::Order;
use crate::media::config::{MediaConfig, PerturbConfig};
use crate::media::error::MediaError;
use crate::media::protocol::{Kind, Made, ProtocolError, Request};

/// Makes perturbed videos, each in a child of its own. Clones share the children.
#[derive(Debug, Clone)]
pub struct Perturber {
    shared: Arc<Shared>,
}

impl Perturber {
    /// Starts a first child, checks that it speaks this program's protocol and is locked down as
    /// `media.sandbox` asks, and fills the pool.
    pub fn start(media: &MediaConfig, config: &PerturbConfig) -> Result<Self, MediaError> {
        let program = Program::perturber(config.program.as_deref(), media)?;
        Ok(Self {
            shared: Shared::start(program, media)?,
        })
    }

    /// Hands a video, a regular file, to a child; what it makes of it goes to `keep`, piece by
    /// piece, and is no video before this returns. Whoever drops the future kills the child.
    ///
    /// No more than [`Order::max_output_bytes`] reach `keep`, whatever the child does.
    pub async fn perturb(
        &self,
        video: OwnedFd,
        order: Order,
        deadline: Instant,
        keep: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> Result<Made, MediaError> {
        let request = Request::Perturb {
            limits: self.shared.limits,
            deadline_ms: left_ms(deadline),
            threads: self.shared.threads,
            order,
        };
        let perturb = async {
            let mut child = self.shared.greeted(deadline).await?;
            child.send(&request, Some(&video))?;
            let made = receive(&mut child, order.max_output_bytes, keep).await;
            let made = child.judged(made)?;
            child.finished();
            Ok(made)
        };
        tokio::time::timeout_at(deadline, perturb)
            .await
            .map_err(|_| MediaError::Deadline)?
    }
}

async fn receive(
    child: &mut RunningChild,
    limit: u64,
    keep: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
) -> Result<Made, MediaError> {
    let mut bytes: u64 = 0;
    loop {
        let header = child.header().await?;
        match header.kind {
            Kind::Piece => {
                bytes = bytes.saturating_add(u64::from(header.payload_bytes));
                if bytes > limit {
                    return Err(MediaError::OutputTooLarge { limit });
                }
                keep(&child.payload(header).await?).map_err(MediaError::Io)?;
            }
            Kind::Made => {
                let made: Made = child.json(header).await?;
                if made.bytes != bytes || made.frames == 0 {
                    return Err(ProtocolError::Lie("a video other than was sent").into());
                }
                return Ok(made);
            }
            Kind::Failure => {
                let failure = child.failure(header).await;
                return Err(if matches!(failure, MediaError::OutputTooLarge { .. }) {
                    // What is allowed is not the child's to say.
                    MediaError::OutputTooLarge { limit }
                } else {
                    failure
                });
            }
            Kind::Hello | Kind::Facts | Kind::Chosen | Kind::Frame | Kind::Missed | Kind::End => {
                return Err(ProtocolError::OutOfOrder {
                    got: header.kind,
                    expected: "piece, made or failure",
                }
                .into());
            }
        }
    }
}
