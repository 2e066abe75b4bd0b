//! How good a picture is, by measures that cost little, and whether that is good enough.

mod measure;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Measures of one picture, or of one face cut out of it; `docs/quality.md` has formulas, sources
/// and what was observed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measures {
    /// Shorter side, in pixels.
    pub side: u32,
    /// Mean luma, 0..=255.
    pub brightness: f64,
    /// Standard deviation of the luma, 0..=127.5.
    pub contrast: f64,
    /// Variance of the Laplacian of the luma (Pech-Pacheco et al. 2000); 0 for one colour.
    pub sharpness: f64,
    /// How much stronger the steps at the edges of 8×8 blocks are than those inside (after Wang,
    /// Sheikh and Bovik 2002): 0 for none, 1 for twice as strong.
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

/// Bounds that no picture can meet.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidBounds {
    /// A bound that its measure can't have, or NaN.
    #[error("{bound} is {value}, and must be in {low}..={high}")]
    OutOfRange {
        /// Its name.
        bound: &'static str,
        /// Its value.
        value: f64,
        /// Least value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// A least brightness above the largest.
    #[error("min_brightness {min} is above max_brightness {max}")]
    Crossed {
        /// The least.
        min: f64,
        /// The largest.
        max: f64,
    },
}

impl Bounds {
    /// The gate before every model: what it refuses holds nothing that any model could judge. All
    /// camera and generated test clips pass with room (`docs/quality.md`).
    pub const DEFAULT_GATE: Self = Self {
        min_side: Some(32),
        min_brightness: Some(6.0),
        max_brightness: Some(250.0),
        min_contrast: Some(4.0),
        min_sharpness: Some(1.0),
        max_blockiness: Some(3.0),
        // A drawing is out of a model's scope, not unusable.
        max_flatness: None,
    };

    /// Checks that each bound can be met.
    pub fn validate(&self) -> Result<(), InvalidBounds> {
        let ranges = [
            ("min_brightness", self.min_brightness, 255.0),
            ("max_brightness", self.max_brightness, 255.0),
            ("min_contrast", self.min_contrast, 127.5),
            ("min_sharpness", self.min_sharpness, MAX_SHARPNESS),
            ("max_blockiness", self.max_blockiness, f64::MAX),
            ("max_flatness", self.max_flatness, 1.0),
        ];
        for (bound, value, high) in ranges {
            if let Some(value) = value.filter(|v| !(0.0..=high).contains(v)) {
                return Err(InvalidBounds::OutOfRange {
                    bound,
                    value,
                    low: 0.0,
                    high,
                });
            }
        }
        match (self.min_brightness, self.max_brightness) {
            (Some(min), Some(max)) if min > max => Err(InvalidBounds::Crossed { min, max }),
            _ => Ok(()),
        }
    }

    /// What both allow: of each pair of bounds the stricter one.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            min_side: self.min_side.max(other.min_side),
            min_brightness: either(self.min_brightness, other.min_brightness, f64::max),
            max_brightness: either(self.max_brightness, other.max_brightness, f64::min),
            min_contrast: either(self.min_contrast, other.min_contrast, f64::max),
            min_sharpness: either(self.min_sharpness, other.min_sharpness, f64::max),
            max_blockiness: either(self.max_blockiness, other.max_blockiness, f64::min),
            max_flatness: either(self.max_flatness, other.max_flatness, f64::min),
        }
    }

    /// The first bound that the picture breaks, in this order: size, brightness, contrast,
    /// sharpness, blockiness, flatness. A value equal to a bound is within it.
    pub fn judge(&self, measures: &Measures) -> Option<LeftOut> {
        let m = measures;
        let below = |value: f64, min: Option<f64>| min.is_some_and(|min| value < min);
        let above = |value: f64, max: Option<f64>| max.is_some_and(|max| value > max);
        let faults = [
            (
                self.min_side.is_some_and(|min| m.side < min),
                LeftOut::TooSmall,
            ),
            (below(m.brightness, self.min_brightness), LeftOut::TooDark),
            (above(m.brightness, self.max_brightness), LeftOut::TooBright),
            (below(m.contrast, self.min_contrast), LeftOut::LowContrast),
            (below(m.sharpness, self.min_sharpness), LeftOut::Blurred),
            (above(m.blockiness, self.max_blockiness), LeftOut::Blocky),
            (above(m.flatness, self.max_flatness), LeftOut::Flat),
        ];
        faults
            .into_iter()
            .find_map(|(broken, reason)| broken.then_some(reason))
    }
}

/// Variance of the Laplacian of a chessboard of single black and white pixels: ±1020.
const MAX_SHARPNESS: f64 = 1020.0 * 1020.0;

fn either(a: Option<f64>, b: Option<f64>, both: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (a, b) => a.or(b),
    }
}

/// Why a model was not asked about a picture, or a window of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
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

impl LeftOut {
    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFace => "no_face",
            Self::FaceTooSmall => "face_too_small",
            Self::TooSmall => "too_small",
            Self::TooDark => "too_dark",
            Self::TooBright => "too_bright",
            Self::LowContrast => "low_contrast",
            Self::Blurred => "blurred",
            Self::Blocky => "blocky",
            Self::Flat => "flat",
        }
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
