//! What is known of a video from its container and streams.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Colour description of the video stream, by FFmpeg's names (`bt709`, `tv`, …);
/// `None` where the stream does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ColorFacts {
    /// Primaries, such as `bt709` or `bt2020`.
    #[schema(required)]
    pub primaries: Option<String>,
    /// Transfer characteristic, such as `bt709`, `smpte2084` (PQ) or `arib-std-b67` (HLG).
    #[schema(required)]
    pub transfer: Option<String>,
    /// Matrix that the pixels were converted with, such as `bt709` or `smpte170m`.
    #[schema(required)]
    pub matrix: Option<String>,
    /// `tv` (limited) or `pc` (full).
    #[schema(required)]
    pub range: Option<String>,
}

/// Facts of one upload. Strings come from FFmpeg's own tables, never from the file's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaFacts {
    /// Demuxer name (`mov,mp4,m4a,3gp,3g2,mj2`, `matroska,webm`, …) or `jpeg`, `png`, `webp`.
    pub container: String,
    /// Codec name (`h264`, …) or the image format again.
    pub video_codec: String,
    /// Width in pixels as shown: upright, with square pixels.
    pub width: u32,
    /// Height in pixels as shown.
    pub height: u32,
    /// Clockwise turn that was applied to show the picture upright: 0, 90, 180 or 270.
    pub rotation_deg: u32,
    /// Seconds from the first video frame to the end of the last one, counted over the packets;
    /// for a file that was cut short, as the container claims. 0 for a still image.
    pub duration_s: f64,
    /// Mean frames per second; `None` for a still image and where it can't be told.
    #[schema(required)]
    pub frame_rate: Option<f64>,
    /// True when the distances between frames differ by more than the time base's rounding.
    pub variable_frame_rate: bool,
    /// Colour description.
    pub color: ColorFacts,
    /// True when there is at least one audio stream.
    pub has_audio: bool,
    /// Frames that the container holds, counted, not claimed.
    pub frame_count: u64,
    /// True when data that the container announces is missing: the file was cut short.
    pub truncated: bool,
}
