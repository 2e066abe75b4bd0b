//! Messages to the server over standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

use jaga::media::protocol::{Chosen, End, FRAME_PREFIX_BYTES, FrameHeader, Header, Kind, Missed};
use serde::Serialize;

use crate::fault::{Fault, Stop};

/// A picture to be sent: RGB, row by row, upright, square pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pixels<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: &'a [u8],
}

/// The one writer of standard output; counts what the end mark must say.
pub(crate) struct Outlet {
    writer: BufWriter<File>,
    times_s: Vec<f64>,
    sent: Vec<bool>,
    frames: u32,
    missed: u32,
}

impl Outlet {
    pub(crate) fn new() -> Result<Self, Stop> {
        // Not `io::stdout()`: it looks for line ends, and the pixels are full of them.
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self {
            writer: BufWriter::new(File::from(stdout)),
            times_s: Vec::new(),
            sent: Vec::new(),
            frames: 0,
            missed: 0,
        })
    }

    /// Sends a JSON message at once.
    pub(crate) fn json(&mut self, kind: Kind, message: &impl Serialize) -> Result<(), Stop> {
        let payload = serde_json::to_vec(message)
            .map_err(|error| Fault::internal(format!("message that can't be written: {error}")))?;
        self.header(kind, payload.len())?;
        self.writer.write_all(&payload)?;
        self.writer.flush()?;
        Ok(())
    }

    /// Sends a message that is no JSON.
    #[allow(dead_code, reason = "of the perturber alone")]
    pub(crate) fn bytes(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Stop> {
        self.header(kind, payload.len())?;
        self.writer.write_all(payload)?;
        self.writer.flush()?;
        Ok(())
    }

    /// Sends the choice; frames and misses refer to it from here on.
    pub(crate) fn chosen(&mut self, chosen: Chosen) -> Result<(), Stop> {
        self.json(Kind::Chosen, &chosen)?;
        self.sent = vec![false; chosen.times_s.len()];
        self.times_s = chosen.times_s;
        Ok(())
    }

    /// Sends a chosen frame.
    pub(crate) fn frame(&mut self, index: usize, picture: Pixels<'_>) -> Result<(), Stop> {
        let Some((time_s, sent)) = self.times_s.get(index).zip(self.sent.get_mut(index)) else {
            return Err(Fault::internal("a frame that was not chosen").into());
        };
        if std::mem::replace(sent, true) {
            return Err(Fault::internal("a frame came twice").into());
        }
        let header = FrameHeader {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            width: picture.width,
            height: picture.height,
            time_s: *time_s,
        };
        self.header(Kind::Frame, FRAME_PREFIX_BYTES + picture.rgb.len())?;
        self.writer.write_all(&header.encode())?;
        self.writer.write_all(picture.rgb)?;
        self.writer.flush()?;
        self.frames += 1;
        Ok(())
    }

    /// True when this chosen frame was sent.
    pub(crate) fn has_sent(&self, index: usize) -> bool {
        self.sent.get(index).copied().unwrap_or(false)
    }

    /// True while a chosen frame was not sent.
    pub(crate) fn lacks_frames(&self) -> bool {
        self.sent.contains(&false)
    }

    /// Sends a miss for every chosen frame that was not sent, then the end mark.
    pub(crate) fn end(&mut self, packets_decoded: u64) -> Result<(), Stop> {
        for index in 0..self.sent.len() {
            if !self.has_sent(index) {
                self.missed += 1;
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                self.json(Kind::Missed, &Missed { index })?;
            }
        }
        self.json(
            Kind::End,
            &End {
                frames: self.frames,
                missed: self.missed,
                packets_decoded,
            },
        )
    }

    fn header(&mut self, kind: Kind, payload: usize) -> Result<(), Stop> {
        let payload_bytes = u32::try_from(payload)
            .map_err(|_| Fault::internal("a message longer than its header can say"))?;
        let header = Header {
            kind,
            payload_bytes,
        };
        self.writer.write_all(&header.encode())?;
        Ok(())
    }
}
