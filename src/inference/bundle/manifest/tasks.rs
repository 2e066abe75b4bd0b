//! Sections of `model.toml` for models that look at faces or at time, and for finders of faces.

use std::num::NonZeroU32;

use serde::Deserialize;

/// `[finder]`: how a finder's outputs become faces.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinderSection {
    /// Which decoder reads the outputs.
    pub decoder: FinderDecoder,
    /// The graph's outputs in the order that the decoder takes them.
    pub outputs: Vec<String>,
    /// Faces below this confidence are none, 0..=1.
    pub threshold: f64,
    /// Of two boxes that overlap by this much (intersection over union) or more, the one with
    /// the lower confidence goes.
    pub nms_iou: f64,
    /// Longest side that the finder sees, in pixels: larger pictures are scaled down to it.
    pub max_side: NonZeroU32,
    /// Both sides of the input are multiples of this.
    #[serde(default = "one")]
    pub multiple: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Families of finders, by how their outputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinderDecoder {
    /// Heat map, box scale, offset and landmarks at stride 4.
    Centerface,
}

/// `[face]`: which part of a face a model sees.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceSection {
    /// Name of the finder's bundle.
    pub finder: String,
    /// Smallest usable face: shorter side of its box, in pixels of the picture that it is cut
    /// from.
    pub min_size: u32,
    /// Added on each side of the box, as a part of its longer side; the result is a square around
    /// the box's middle. With `align`, the template is shrunk to leave as much around it.
    #[serde(default)]
    pub margin: f64,
    /// Turned and scaled so that the landmarks come to lie on this template's.
    pub align: Option<Template>,
    /// How the scores of several faces become the video's.
    #[serde(default)]
    pub score: FaceScore,
    /// Frames that a track needs to count for the video's score; a shorter plan lowers it.
    #[serde(default = "three")]
    pub min_frames: NonZeroU32,
}

fn three() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(2)
}

/// Named places of the five landmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// `ArcFace`'s, for 112×112.
    Arcface,
    /// That of faces cut as FFHQ's are, for 512×512.
    Ffhq,
}

/// How the scores of several tracks become the video's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaceScore {
    /// The highest, so that one fake person among others is found.
    #[default]
    MaxTrack,
    /// Their mean.
    Mean,
    /// That of the track with the largest mean box.
    LargestFace,
}

/// `[window]`: how the pictures of one input follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSection {
    /// Pictures a window, at least 2.
    pub frames: NonZeroU32,
    /// Every n-th frame of the video. Either this or `rate`.
    pub stride: Option<NonZeroU32>,
    /// Pictures a second.
    pub rate: Option<f64>,
    /// Windows a video, spread evenly.
    pub count: NonZeroU32,
}
