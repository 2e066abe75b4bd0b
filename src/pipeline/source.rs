//! Where frames come from: a decoder child, or a file of frames that were kept.

use super::error::AnalyzeError;
use crate::domain::frame::Frame;
use crate::media::{Decoded, OpenMedia};
use crate::store::kept::FrameReader;

/// Frames, one after the other.
pub(super) enum Source {
    /// Out of an upload.
    Media(Box<OpenMedia>),
    /// Out of a file.
    Kept(Replay),
}

/// Kept frames, of which only some are wanted.
pub(super) struct Replay {
    /// `None` while it is being read, and once that failed.
    reader: Option<FrameReader>,
    /// By place among the frames that were chosen then, the place among those that are now.
    wanted: Vec<Option<usize>>,
}

impl Replay {
    pub(super) fn new(reader: FrameReader, wanted: Vec<Option<usize>>) -> Self {
        Self {
            reader: Some(reader),
            wanted,
        }
    }

    async fn next(&mut self) -> Result<Option<Frame>, AnalyzeError> {
        loop {
            let Some(mut reader) = self.reader.take() else {
                return Ok(None);
            };
            let read = tokio::task::spawn_blocking(move || (reader.next_frame(), reader));
            let (frame, reader) = read.await?;
            let Some(frame) = frame? else { return Ok(None) };
            self.reader = Some(reader);
            if let Some(index) = self.wanted.get(frame.index).copied().flatten() {
                return Ok(Some(Frame { index, ..frame }));
            }
        }
    }
}

impl Source {
    /// The next frame that there is; in the order in which they came when they were kept.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, AnalyzeError> {
        match self {
            Self::Kept(replay) => replay.next().await,
            Self::Media(media) => loop {
                match media.next().await? {
                    Some(Decoded::Frame(frame)) => return Ok(Some(frame)),
                    Some(Decoded::Missed(index)) => tracing::debug!(index, "frame not decoded"),
                    None => return Ok(None),
                }
            },
        }
    }
}
