//! The last encoding, in an MP4.

use ffmpeg::format::context::{Output, StreamIo};
use ffmpeg::{Dictionary, Packet, Rational, format};
use ffmpeg_next as ffmpeg;
use jaga::domain::perturbation::Generation;
use jaga::media::protocol::Made;

use super::encode::{Encoder, Headers};
use super::memory::Memory;
use super::{Frame, TICKS_PER_SECOND, fault};
use crate::fault::{Fault, Stop};

/// The MP4 that is being made.
pub(in crate::perturb) struct Film {
    pass: Generation,
    memory: Memory,
    open: Option<Open>,
}

struct Open {
    encoder: Encoder,
    output: Output,
}

impl Film {
    /// A film of `most` bytes at the most.
    pub(in crate::perturb) fn new(pass: Generation, most: u64) -> Self {
        Self {
            pass,
            memory: Memory::new(most),
            open: None,
        }
    }

    pub(in crate::perturb) fn add(&mut self, frame: &Frame) -> Result<(), Stop> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::new(self.pass, frame, &self.memory)?),
        };
        let added = open
            .encoder
            .send(frame, &mut |packet| file(&mut open.output, packet));
        self.memory.judged(added)
    }

    /// All bytes, and what is in them.
    pub(in crate::perturb) fn finish(mut self) -> Result<(Vec<u8>, Made), Stop> {
        let Some(mut open) = self.open.take() else {
            return Err(Fault::no_frames("no picture before the end").into());
        };
        let ended = open
            .encoder
            .finish(&mut |packet| file(&mut open.output, packet))
            .and_then(|()| {
                open.output
                    .write_trailer()
                    .map_err(|error| fault("the file can't be ended", error))
            });
        self.memory.judged(ended)?;
        let frames = open.encoder.frames();
        let (width, height) = open.encoder.sides();
        // Writes what is left in FFmpeg's buffer.
        drop(open);
        let bytes = self.memory.judged_bytes()?;
        let made = Made {
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            frames,
            width,
            height,
        };
        Ok((bytes, made))
    }
}

impl Open {
    fn new(pass: Generation, first: &Frame, memory: &Memory) -> Result<Self, Stop> {
        let encoder = Encoder::open(pass, first, Headers::Global)?;
        let io = StreamIo::from_write_seek(memory.clone())
            .map_err(|error| fault("the file can't be begun", error))?;
        let mut output = format::output_to_stream(io, None, Some("mp4"))
            .map_err(|error| fault("the file can't be begun", error))?;
        output
            .add_stream_with(encoder.context())
            .map_err(|error| fault("the file can't be begun", error))?
            .set_time_base(Rational(1, TICKS_PER_SECOND));
        let mut options = Dictionary::new();
        options.set("fflags", "+bitexact");
        output
            .write_header_with(options)
            .map_err(|error| fault("the file can't be begun", error))?;
        Ok(Self { encoder, output })
    }
}

fn file(output: &mut Output, mut packet: Packet) -> Result<(), Stop> {
    let time_base = output.stream(0).map(|stream| stream.time_base());
    if let Some(time_base) = time_base {
        packet.rescale_ts(Rational(1, TICKS_PER_SECOND), time_base);
    }
    packet.set_stream(0);
    packet
        .write_interleaved(output)
        .map_err(|error| fault("the file can't be written", error))
}
