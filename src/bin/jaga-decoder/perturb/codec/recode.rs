//! One copy of a chain: encoded and decoded again, in memory.

use ffmpeg::codec::{self, Id};
use ffmpeg::util::error::EAGAIN;
use ffmpeg::{Error, Packet};
use ffmpeg_next as ffmpeg;
use jaga::domain::perturbation::Generation;

use super::encode::{Encoder, Headers};
use super::{Frame, fault};
use crate::fault::{Fault, Stop};

/// Receives each frame of the copy.
type OnFrame<'a> = dyn FnMut(&Frame) -> Result<(), Stop> + 'a;

/// A generation between the video and the film.
pub(in crate::perturb) struct Recoder {
    pass: Generation,
    open: Option<(Encoder, codec::decoder::Video)>,
}

impl Recoder {
    pub(in crate::perturb) fn new(pass: Generation) -> Self {
        Self { pass, open: None }
    }

    pub(in crate::perturb) fn take(
        &mut self,
        frame: &Frame,
        give: &mut OnFrame<'_>,
    ) -> Result<(), Stop> {
        let (encoder, decoder) = match &mut self.open {
            Some(open) => open,
            none => none.insert((
                Encoder::open(self.pass, frame, Headers::InBand)?,
                decoder()?,
            )),
        };
        encoder.send(frame, &mut |packet| decode(decoder, &packet, give))
    }

    pub(in crate::perturb) fn finish(&mut self, give: &mut OnFrame<'_>) -> Result<(), Stop> {
        let Some((encoder, decoder)) = &mut self.open else {
            return Ok(());
        };
        encoder.finish(&mut |packet| decode(decoder, &packet, give))?;
        decoder
            .send_eof()
            .map_err(|error| fault("a copy can't be read", error))?;
        receive(decoder, give)
    }
}

fn decoder() -> Result<codec::decoder::Video, Stop> {
    let codec = codec::decoder::find(Id::H264)
        .ok_or_else(|| Fault::internal("this FFmpeg was built without a decoder for H.264"))?;
    codec::Context::new_with_codec(codec)
        .decoder()
        .video()
        .map_err(|error| fault("a copy can't be read", error))
}

fn decode(
    decoder: &mut codec::decoder::Video,
    packet: &Packet,
    give: &mut OnFrame<'_>,
) -> Result<(), Stop> {
    decoder
        .send_packet(packet)
        .map_err(|error| fault("a copy can't be read", error))?;
    receive(decoder, give)
}

fn receive(decoder: &mut codec::decoder::Video, give: &mut OnFrame<'_>) -> Result<(), Stop> {
    loop {
        let mut frame = Frame::empty();
        match decoder.receive_frame(&mut frame) {
            Ok(()) => give(&frame)?,
            Err(Error::Eof | Error::Other { errno: EAGAIN }) => return Ok(()),
            Err(error) => return Err(fault("a copy can't be read", error)),
        }
    }
}
