//! How good a picture is, by measures that cost little, and whether that is good enough.

use serde::{Deserialize, Serialize};

/// Measures of one picture, or of one face cut out of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measures {
    /// Shorter side, in pixels.
    pub side: u32,
    /// Mean luma, 0..=255.
    pub brightness: f64,
    /// Standard deviation of the luma, 0..=127.5.
    pub contrast: f64,
    /// Variance of the Laplacian of the luma; 0 for one colour.
    pub sharpness: f64,
    /// How much stronger the steps at the edges of 8×8 blocks are than those inside: 0 for none,
    /// 1 for twice as strong.
    pub blockiness: f64,
    /// Part of the pixels without any texture around them, 0..=1: near 1 for drawings and titles.
    pub flatness: f64,
}

/// Bounds on [`Measures`]; what is absent is not asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Least shorter side, in pixels.
    pub min_side: Option<u32>,
    /// Least [`Measures::brightness`].
    pub min_brightness: Option<f64>,
    /// Largest [`Measures::brightness`].
    pub max_brightness: Option<f64>,
    /// Least [`Measures::contrast`].
    pub min_contrast: Option<f64>,
    /// Least [`Measures::sharpness`].
    pub min_sharpness: Option<f64>,
    /// Largest [`Measures::blockiness`].
    pub max_blockiness: Option<f64>,
    /// Largest [`Measures::flatness`].
    pub max_flatness: Option<f64>,
}

/// Why a model was not asked about a picture, or a window of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// No face was found in it.
    NoFace,
    /// Its faces are smaller than the model can use.
    FaceTooSmall,
    /// Too few pixels.
    TooSmall,
    /// Too dark.
    TooDark,
    /// Too bright.
    TooBright,
    /// One colour, or nearly.
    LowContrast,
    /// Too blurred.
    Blurred,
    /// Too much compression.
    Blocky,
    /// Flat as a drawing or a title is.
    Flat,
}
