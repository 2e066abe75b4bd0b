//! Videos, by FFmpeg. Nothing outside this folder names `ffmpeg_next`.
//!
//! The upload is read twice. The first pass lists every packet of the video stream without
//! decoding; the choice of frames is made on that list. The second pass decodes only the packets
//! that the chosen frames need.

mod claims;
mod color;
mod convert;
mod decode;
mod formats;
mod open;
mod payload;
mod peek;
mod raw;
mod reader;
mod scan;
mod sequence;
mod video;

use ffmpeg_next as ffmpeg;

use crate::fault::{Fault, Stop};

pub(crate) use raw::use_up_memory;
pub(crate) use video::Video;

/// Readies FFmpeg; its version string.
pub(crate) fn link() -> Result<String, Stop> {
    ffmpeg::init().map_err(|error| Fault::internal(error.to_string()))?;
    ffmpeg::log::set_level(ffmpeg::log::Level::Error);
    Ok(raw::version())
}
