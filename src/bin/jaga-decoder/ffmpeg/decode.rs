//! The decoder of the video stream.

use ffmpeg::codec::{self, threading};
use ffmpeg::util::error::{EAGAIN, ENOMEM};
use ffmpeg::{Discard, Error, Packet, frame};
use ffmpeg_next as ffmpeg;

use super::open::Opened;
use super::raw;
use crate::Terms;
use crate::fault::{Fault, Stop};
use crate::sandbox::memory;

/// Receives each frame that comes out.
pub(crate) type OnFrame<'a> = dyn FnMut(&frame::Video) -> Result<(), Stop> + 'a;

/// A decoder that counts its work.
pub(crate) struct Decoder {
    inner: codec::decoder::Video,
    skips_exactly: bool,
    skipping: bool,
    packets: u64,
    /// What the decoder last complained of.
    pub(crate) complaint: Option<Error>,
}

impl Decoder {
    /// Opens the decoder of the chosen stream.
    pub(crate) fn open(opened: &Opened, terms: &Terms, threads: usize) -> Result<Self, Stop> {
        let stream = opened
            .input
            .stream(opened.stream)
            .ok_or_else(|| Fault::internal("the chosen stream is gone"))?;
        let mut context = codec::Context::from_parameters(stream.parameters())
            .map_err(|error| Fault::corrupt(error.to_string()))?;
        let pixels = i64::try_from(coded_pixels(terms.limits.max_pixels)).unwrap_or(i64::MAX);
        raw::set_max_pixels(&mut context, pixels);
        context.set_threading(threading::Config {
            kind: threading::Type::Frame,
            count: threads,
            safe: false,
        });
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(stream.time_base());
        let inner = decoder.video().map_err(|error| {
            if matches!(
                error,
                Error::Other {
                    errno: EAGAIN | ENOMEM
                }
            ) {
                // No room for a thread's stack.
                memory::note_refusal();
            }
            Fault::corrupt(format!("the decoder can't start: {error}"))
        })?;
        Ok(Self {
            inner,
            skips_exactly: skips_exactly(opened.codec),
            skipping: false,
            packets: 0,
            complaint: None,
        })
    }

    /// Packets that were given to the decoder.
    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// The size that the decoder believes in.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.inner.width(), self.inner.height())
    }

    /// Decodes a packet. One whose frame is not `wanted` is skipped when nothing refers to it.
    pub(crate) fn send(
        &mut self,
        packet: &Packet,
        wanted: bool,
        on_frame: &mut OnFrame<'_>,
    ) -> Result<(), Stop> {
        let skip = self.skips_exactly && !wanted;
        if skip != self.skipping {
            self.skipping = skip;
            self.inner.skip_frame(if skip {
                Discard::NonReference
            } else {
                Discard::Default
            });
        }
        self.packets += 1;
        let mut sent = self.inner.send_packet(packet);
        if matches!(sent, Err(Error::Other { errno: EAGAIN })) {
            self.receive(on_frame)?;
            sent = self.inner.send_packet(packet);
        }
        if let Err(error) = sent {
            // A damaged packet costs its frame, not the video.
            self.complaint = Some(error);
        }
        self.receive(on_frame)
    }

    /// Lets out what is still inside and readies the decoder for another entry point.
    pub(crate) fn drain(&mut self, on_frame: &mut OnFrame<'_>) -> Result<(), Stop> {
        if self.inner.send_eof().is_ok() {
            self.receive(on_frame)?;
        }
        self.inner.flush();
        Ok(())
    }

    fn receive(&mut self, on_frame: &mut OnFrame<'_>) -> Result<(), Stop> {
        let mut frame = frame::Video::empty();
        // Each error stands for a packet that went in, so no more of them can come out.
        let mut errors = 0;
        while errors <= self.packets {
            match self.inner.receive_frame(&mut frame) {
                Ok(()) => on_frame(&frame)?,
                Err(Error::Eof | Error::Other { errno: EAGAIN }) => break,
                Err(error) => {
                    self.complaint = Some(error);
                    errors += 1;
                }
            }
        }
        Ok(())
    }
}

/// Decoders round sides up to whole blocks of at most 128 pixels.
fn coded_pixels(pixels: u64) -> u64 {
    pixels.saturating_add(pixels / 4).saturating_add(1 << 20)
}

/// Codecs whose pictures say for certain that none refers to them. HEVC's sub-layer non-reference
/// pictures may serve a higher temporal layer, so it is not among them.
fn skips_exactly(codec: codec::Id) -> bool {
    matches!(
        codec,
        codec::Id::H264 | codec::Id::MPEG2VIDEO | codec::Id::MPEG1VIDEO | codec::Id::MPEG4
    )
}
