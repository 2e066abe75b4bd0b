//! An upload that a child has opened: its facts, the choice of frames, the frames.

use tokio::time::Instant;

use super::running::RunningChild;
use crate::domain::frame::{Frame, Picture};
use crate::domain::media::MediaFacts;
use crate::domain::plan::FramePlan;
use crate::media::error::MediaError;
use crate::media::limits::MediaLimits;
use crate::media::protocol::{
    self, Chosen, End, FRAME_PREFIX_BYTES, FrameHeader, Header, Kind, Missed, ProtocolError,
    Request,
};

/// One answer to a chosen frame.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// It came out.
    Frame(Frame),
    /// It did not: damaged, or it is not in the file after all. Its index in [`Chosen::times_s`].
    Missed(u32),
}

/// An opened upload. Dropping it, at any time, kills and reaps its child.
///
/// Call [`OpenMedia::choose`] once, then [`OpenMedia::next`] until it gives `None`.
#[derive(Debug)]
pub struct OpenMedia {
    /// `None` once it is dead: after the end, an error or the deadline.
    child: Option<RunningChild>,
    limits: MediaLimits,
    deadline: Instant,
    facts: MediaFacts,
    chosen: Chosen,
    answered: Vec<bool>,
    frames: u32,
    missed: u32,
    end: Option<End>,
}

impl OpenMedia {
    /// Waits for the facts.
    pub(super) async fn of(
        mut child: RunningChild,
        limits: MediaLimits,
        deadline: Instant,
    ) -> Result<Self, MediaError> {
        let told = hear_facts(&mut child, &limits).await;
        let facts = child.judged(told)?;
        Ok(Self {
            child: Some(child),
            limits,
            deadline,
            facts,
            chosen: Chosen::default(),
            answered: Vec::new(),
            frames: 0,
            missed: 0,
            end: None,
        })
    }

    /// What is known of the upload.
    pub fn facts(&self) -> &MediaFacts {
        &self.facts
    }

    /// The child's process id while it lives.
    pub fn child_id(&self) -> Option<u32> {
        self.child.as_ref().and_then(RunningChild::id)
    }

    /// Packets that were given to the decoder; known after the last frame.
    pub fn packets_decoded(&self) -> Option<u64> {
        self.end.map(|end| end.packets_decoded)
    }

    /// Sends the plan; which frames it came down to.
    pub async fn choose(&mut self, plan: &FramePlan) -> Result<&Chosen, MediaError> {
        let mut child = self.lend()?;
        let chosen = tokio::time::timeout_at(self.deadline, async {
            let request = Request::Plan { plan: plan.clone() };
            child.send(&request, None)?;
            let chosen: Chosen = child.expect(Kind::Chosen, "chosen").await?;
            protocol::check_chosen(&chosen, plan)?;
            protocol::check_times(&chosen, &self.facts)?;
            Ok::<_, MediaError>(chosen)
        });
        let chosen = chosen.await.unwrap_or(Err(MediaError::Deadline));
        let chosen = child.judged(chosen)?;
        self.child = Some(child);
        self.answered = vec![false; chosen.times_s.len()];
        self.chosen = chosen;
        Ok(&self.chosen)
    }

    /// The next frame or miss, in any order; `None` when every chosen frame was answered and the
    /// child has said so. An error ends it: the child is dead then.
    pub async fn next(&mut self) -> Result<Option<Decoded>, MediaError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let mut child = self.lend()?;
        let next = tokio::time::timeout_at(self.deadline, self.read(&mut child)).await;
        let next = child.judged(next.unwrap_or(Err(MediaError::Deadline)))?;
        if next.is_some() {
            self.child = Some(child);
        } else {
            child.finished();
        }
        Ok(next)
    }

    /// Takes the child out, so that every early return kills it, also when the caller drops the
    /// future.
    fn lend(&mut self) -> Result<RunningChild, MediaError> {
        let child = self.child.take();
        if Instant::now() >= self.deadline {
            return Err(MediaError::Deadline);
        }
        child.ok_or_else(|| MediaError::ChildInternal("the upload is closed already".to_owned()))
    }

    async fn read(&mut self, child: &mut RunningChild) -> Result<Option<Decoded>, MediaError> {
        let header = child.header().await?;
        match header.kind {
            Kind::Frame => self.frame(child, header).await.map(Some),
            Kind::Missed => {
                let missed: Missed = child.json(header).await?;
                self.answer(missed.index)?;
                self.missed = self.missed.saturating_add(1);
                Ok(Some(Decoded::Missed(missed.index)))
            }
            Kind::End => {
                self.end = Some(self.checked(child.json(header).await?)?);
                Ok(None)
            }
            Kind::Failure => Err(child.failure(header).await),
            Kind::Hello | Kind::Facts | Kind::Chosen | Kind::Piece | Kind::Made => {
                Err(ProtocolError::OutOfOrder {
                    got: header.kind,
                    expected: "frame, missed, end or failure",
                }
                .into())
            }
        }
    }

    async fn frame(
        &mut self,
        child: &mut RunningChild,
        header: Header,
    ) -> Result<Decoded, MediaError> {
        let payload = usize::try_from(header.payload_bytes).unwrap_or(usize::MAX);
        let pixels = payload
            .checked_sub(FRAME_PREFIX_BYTES)
            .ok_or(ProtocolError::Lie("a frame without its fixed part"))?;
        let prefix = FrameHeader::decode(child.array().await?, payload, &self.limits)?;
        let time_s = self.answer(prefix.index)?;
        // Both sides wrote the same 64 bits; anything else is a lie.
        if time_s.to_bits() != prefix.time_s.to_bits() {
            return Err(ProtocolError::Lie("a frame at another time than chosen").into());
        }
        let rgb = child.vec(pixels).await?;
        let picture = Picture::new(prefix.width, prefix.height, rgb)
            .map_err(|_| ProtocolError::Lie("a frame of another size than announced"))?;
        self.frames = self.frames.saturating_add(1);
        Ok(Decoded::Frame(Frame {
            index: usize::try_from(prefix.index).unwrap_or(usize::MAX),
            time_s,
            picture,
        }))
    }

    /// Notes the one answer that a chosen frame may have; its time.
    fn answer(&mut self, index: u32) -> Result<f64, ProtocolError> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let (answered, time_s) = self
            .answered
            .get_mut(index)
            .zip(self.chosen.times_s.get(index))
            .ok_or(ProtocolError::Lie("a frame that was not chosen"))?;
        if std::mem::replace(answered, true) {
            return Err(ProtocolError::Lie("a frame that was answered before"));
        }
        Ok(*time_s)
    }

    /// An end whose counts are those of the messages that came, with every frame answered.
    fn checked(&self, end: End) -> Result<End, ProtocolError> {
        if end.frames != self.frames || end.missed != self.missed {
            return Err(ProtocolError::Lie("an end that counts otherwise"));
        }
        if self.answered.contains(&false) {
            return Err(ProtocolError::Lie("an end with frames unanswered"));
        }
        if end.frames == 0 {
            return Err(ProtocolError::Lie("an end without a frame"));
        }
        Ok(end)
    }
}

async fn hear_facts(
    child: &mut RunningChild,
    limits: &MediaLimits,
) -> Result<MediaFacts, MediaError> {
    let facts: MediaFacts = child.expect(Kind::Facts, "facts").await?;
    protocol::check_facts(&facts, limits)?;
    Ok(facts)
}
