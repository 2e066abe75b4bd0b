//! x264, on one thread and without anything that depends on time or machine, so that the same
//! frames give the same bytes.

use ffmpeg::codec::{Context, Flags, Id, encoder};
use ffmpeg::format::Pixel;
use ffmpeg::util::error::EAGAIN;
use ffmpeg::util::{color, picture};
use ffmpeg::{Dictionary, Error, Packet, Rational};
use ffmpeg_next as ffmpeg;
use jaga::domain::perturbation::Generation;

use super::scale::Scaler;
use super::{Frame, TICKS_PER_SECOND, fault};
use crate::fault::{Fault, Stop};

/// Speed against size, as x264 calls it; platforms choose about this.
const PRESET: &str = "veryfast";
/// Frames after which a key frame comes at the latest; one comes each second anyway.
const GROUP: u32 = 600;
/// What x264 is told of the frame rate, which it uses to guess a level.
const NOMINAL_FPS: i32 = 30;

/// Receives each packet.
pub(super) type OnPacket<'a> = dyn FnMut(Packet) -> Result<(), Stop> + 'a;

/// Where the decoder's configuration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    /// Into the packets, for a decoder that reads them at once.
    InBand,
    /// Beside them, for a container.
    Global,
}

/// One encoding of a stream. Opened by its first frame, whose size all others are brought to.
pub(super) struct Encoder {
    inner: encoder::video::Encoder,
    scaler: Scaler,
    /// Second of the last frame.
    second: Option<i64>,
    frames: u64,
}

impl Encoder {
    pub(super) fn open(pass: Generation, first: &Frame, headers: Headers) -> Result<Self, Stop> {
        let (width, height) = sides(first.width(), first.height(), pass.shorter_side)?;
        let codec = encoder::find_by_name("libx264")
            .filter(|codec| codec.id() == Id::H264)
            .ok_or_else(|| Fault::internal("this FFmpeg was built without libx264"))?;
        let mut context = Context::new_with_codec(codec);
        if headers == Headers::Global {
            context.set_flags(Flags::GLOBAL_HEADER);
        }
        let mut video = context
            .encoder()
            .video()
            .map_err(|error| fault("the encoder can't start", error))?;
        video.set_width(width);
        video.set_height(height);
        video.set_format(Pixel::YUV420P);
        video.set_time_base(Rational(1, TICKS_PER_SECOND));
        video.set_frame_rate(Some(Rational(NOMINAL_FPS, 1)));
        video.set_gop(GROUP);
        video.set_colorspace(color::Space::SMPTE170M);
        video.set_color_range(color::Range::MPEG);
        let crf = pass.crf.to_string();
        let mut options = Dictionary::new();
        for (key, value) in [
            ("preset", PRESET),
            ("crf", crf.as_str()),
            ("threads", "1"),
            // Key frames where the second begins and nowhere else: at the same times however the
            // pictures were changed, so that a plan by key frames chooses the same ones.
            ("sc_threshold", "0"),
            ("forced-idr", "1"),
        ] {
            options.set(key, value);
        }
        let inner = video
            .open_with(options)
            .map_err(|error| fault("the encoder can't start", error))?;
        Ok(Self {
            inner,
            scaler: Scaler::new(Pixel::YUV420P, width, height),
            second: None,
            frames: 0,
        })
    }

    /// The encoder's own description of the stream.
    pub(super) fn context(&self) -> &Context {
        &self.inner
    }

    /// Width and height of what is encoded.
    pub(super) fn sides(&self) -> (u32, u32) {
        (self.inner.width(), self.inner.height())
    }

    /// Frames that went in.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn send(&mut self, frame: &Frame, give: &mut OnPacket<'_>) -> Result<(), Stop> {
        let mut frame = self.scaler.run(frame)?;
        let second = frame.pts().map(|ticks| ticks / i64::from(TICKS_PER_SECOND));
        frame.set_kind(if second == self.second {
            picture::Type::None
        } else {
            picture::Type::I
        });
        self.second = second;
        self.frames += 1;
        self.inner
            .send_frame(&frame)
            .map_err(|error| fault("a picture can't be encoded", error))?;
        self.receive(give)
    }

    pub(super) fn finish(&mut self, give: &mut OnPacket<'_>) -> Result<(), Stop> {
        self.inner
            .send_eof()
            .map_err(|error| fault("the stream can't be ended", error))?;
        self.receive(give)
    }

    fn receive(&mut self, give: &mut OnPacket<'_>) -> Result<(), Stop> {
        loop {
            let mut packet = Packet::empty();
            match self.inner.receive_packet(&mut packet) {
                Ok(()) => give(packet)?,
                Err(Error::Eof | Error::Other { errno: EAGAIN }) => return Ok(()),
                Err(error) => return Err(fault("a picture can't be encoded", error)),
            }
        }
    }
}

/// Even sides, as 4:2:0 has them, the shorter one at most as long as wanted.
fn sides(width: u32, height: u32, shorter: Option<u32>) -> Result<(u32, u32), Stop> {
    let least = width.min(height);
    if least < 2 {
        return Err(Fault::unsupported_codec("a picture of one row or column").into());
    }
    let even = |side: u64| u32::try_from(side & !1).unwrap_or(u32::MAX).max(2);
    Ok(match shorter {
        Some(most) if most < least => {
            let scaled = |side: u32| {
                let exact = u64::from(side) * u64::from(most);
                // Rounded to the nearest even number.
                let half = u64::from(least);
                even((exact + half) / half)
            };
            (scaled(width), scaled(height))
        }
        Some(_) | None => (even(width.into()), even(height.into())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_even_and_keep_their_ratio() {
        let of = |width, height, shorter| sides(width, height, shorter).unwrap();
        assert_eq!(of(1920, 1080, None), (1920, 1080));
        assert_eq!(of(1921, 1081, None), (1920, 1080));
        assert_eq!(of(1920, 1080, Some(720)), (1280, 720));
        assert_eq!(of(1080, 1920, Some(480)), (480, 852));
        assert_eq!(of(640, 360, Some(720)), (640, 360));
        assert_eq!(of(3, 9, Some(2)), (2, 6));
        assert!(sides(1, 100, None).is_err());
    }
}
