//! The perturber's part of FFmpeg, the one place of it that names `ffmpeg_next`: decoding from the
//! start on, scaling, x264, MP4 in memory.

mod encode;
mod excerpt;
mod film;
mod memory;
mod recode;
mod scale;

use ffmpeg::format::Pixel;
use ffmpeg_next as ffmpeg;
use image::RgbImage;

use crate::fault::{Fault, Stop};

pub(super) use excerpt::excerpt;
pub(super) use film::Film;
pub(super) use recode::Recoder;
pub(super) use scale::resized;

/// A picture on its way, its time in ticks of [`TICKS_PER_SECOND`].
pub(super) type Frame = ffmpeg::frame::Video;

/// Of every stream that is made here: MPEG's own clock, fine enough for any frame rate.
const TICKS_PER_SECOND: i32 = 90_000;

/// A frame of a picture.
pub(super) fn frame(picture: &RgbImage, time_s: f64) -> Result<Frame, Stop> {
    let mut frame = blank(Pixel::RGB24, picture.width(), picture.height())?;
    let stride = frame.stride(0);
    let bytes = usize::try_from(picture.width()).unwrap_or(0) * 3;
    let rows = picture.as_raw().chunks_exact(bytes.max(1));
    for (to, from) in frame.data_mut(0).chunks_mut(stride.max(1)).zip(rows) {
        if let Some(to) = to.get_mut(..bytes) {
            to.copy_from_slice(from);
        }
    }
    let ticks = (time_s * f64::from(TICKS_PER_SECOND)).round();
    frame.set_pts(Some(crate::timeline::whole_ticks(ticks)));
    Ok(frame)
}

/// Memory for a picture.
fn blank(format: Pixel, width: u32, height: u32) -> Result<Frame, Stop> {
    let frame = Frame::new(format, width, height);
    // The wrapper doesn't say when there was none, and its planes are nowhere then.
    if crate::sandbox::memory::ran_out() || frame.planes() == 0 {
        return Err(Fault::internal("no memory for a picture").into());
    }
    Ok(frame)
}

fn fault(what: &str, error: ffmpeg::Error) -> Stop {
    Fault::internal(format!("{what}: {error}")).into()
}
