//! Videos, by FFmpeg. Nothing outside this folder names `ffmpeg_next`.
//!
//! The upload is read twice. The first pass lists every packet of the video stream without
//! decoding; the choice of frames is made on that list. The second pass decodes only the packets
//! that the chosen frames need.

mod claims;
mod color;
pub(crate) mod convert;
pub(crate) mod decode;
mod formats;
pub(crate) mod open;
mod payload;
mod peek;
pub(crate) mod raw;
mod reader;
mod scan;
pub(crate) mod sequence;
mod video;

use ffmpeg_next as ffmpeg;

use crate::fault::{Fault, Stop};

pub(crate) use raw::use_up_memory;
#[allow(unused_imports, reason = "the perturber reads no plan")]
pub(crate) use video::Video;

/// Readies FFmpeg; its version string.
pub(crate) fn link() -> Result<String, Stop> {
    ffmpeg::init().map_err(|error| Fault::internal(error.to_string()))?;
    ffmpeg::log::set_level(ffmpeg::log::Level::Error);
    Ok(raw::version())
}
