//! What is done to a video on purpose before it is scored: compression and handling, as a platform
//! or a person might do it, by kind and strength. `docs/evaluation.md` has every kind.

mod parse;
mod strength;

use serde::{Deserialize, Serialize};

pub use parse::{InvalidSweep, parse};
pub use strength::{Ratio, Strength};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// H.264 by x264, one constant rate factor (CRF).
    H264,
    /// Fewer pixels: the shorter side in pixels. Never more than there are.
    Downscale,
    /// Generations of scaling and H.264: upload, platform, shared again. See [`generations`].
    Chain,
    /// Frames per second at most; others are dropped.
    Fps,
    /// Percent of each side that is cut off, half at either end.
    Crop,
    /// Gaussian blur: standard deviation in pixels, for a shorter side of 720 pixels.
    Blur,
    /// Gaussian noise in brightness: standard deviation in levels of 255.
    Noise,
    /// JPEG of each frame: quality 1 to 100.
    Jpeg,
    /// Black bars: percent of the new picture that they are, above and below; or the ratio of sides
    /// that they fill it up to.
    Letterbox,
    /// Two lines of text on dark boxes: height of a line in percent of the shorter side.
    Text,
    /// The video shown small within another picture: percent of that picture's sides.
    Screen,
}

/// What a strength of a kind may be.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    least: f64,
    most: f64,
    whole: bool,
    ratios: bool,
    text: &'static str,
}

const fn range(least: f64, most: f64, whole: bool, text: &'static str) -> Range {
    Range {
        least,
        most,
        whole,
        ratios: false,
        text,
    }
}

impl Kind {
    /// Every kind, in order of declaration.
    pub const ALL: [Self; 11] = [
        Self::H264,
        Self::Downscale,
        Self::Chain,
        Self::Fps,
        Self::Crop,
        Self::Blur,
        Self::Noise,
        Self::Jpeg,
        Self::Letterbox,
        Self::Text,
        Self::Screen,
    ];

    /// As it is written on the command line and in `metrics.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Downscale => "downscale",
            Self::Chain => "chain",
            Self::Fps => "fps",
            Self::Crop => "crop",
            Self::Blur => "blur",
            Self::Noise => "noise",
            Self::Jpeg => "jpeg",
            Self::Letterbox => "letterbox",
            Self::Text => "text",
            Self::Screen => "screen",
        }
    }

    /// What a strength counts, for an axis.
    pub fn unit(self) -> &'static str {
        match self {
            Self::H264 => "CRF",
            Self::Downscale => "pixels of the shorter side",
            Self::Chain => "generations",
            Self::Fps => "frames per second",
            Self::Crop => "% of each side cut off",
            Self::Blur => "standard deviation, pixels at 720",
            Self::Noise => "standard deviation, levels of 255",
            Self::Jpeg => "quality",
            Self::Letterbox => "% that is bars, or ratio of sides",
            Self::Text => "height of a line, %",
            Self::Screen => "% of the picture's sides",
        }
    }

    /// Strengths when none are named, mildest first.
    pub fn strengths(self) -> Vec<Strength> {
        let numbers: &[f64] = match self {
            Self::H264 => &[23.0, 28.0, 35.0, 40.0],
            Self::Downscale => &[720.0, 480.0, 360.0, 240.0],
            Self::Chain => &[1.0, 2.0, 3.0],
            Self::Fps => &[30.0, 15.0, 10.0, 5.0],
            Self::Crop => &[5.0, 10.0, 20.0, 30.0],
            Self::Blur => &[1.0, 2.0, 4.0, 8.0],
            Self::Noise => &[2.0, 5.0, 10.0, 20.0],
            Self::Jpeg => &[90.0, 70.0, 50.0, 30.0],
            Self::Letterbox => &[12.0, 25.0],
            Self::Text => &[5.0, 10.0, 15.0],
            Self::Screen => &[80.0, 60.0, 40.0],
        };
        let numbers = numbers.iter().map(|number| Strength::Number(*number));
        let ratios: &[Ratio] = match self {
            Self::Letterbox => &[Ratio::SQUARE, Ratio::PORTRAIT],
            Self::H264
            | Self::Downscale
            | Self::Chain
            | Self::Fps
            | Self::Crop
            | Self::Blur
            | Self::Noise
            | Self::Jpeg
            | Self::Text
            | Self::Screen => &[],
        };
        numbers
            .chain(ratios.iter().map(|ratio| Strength::Ratio(*ratio)))
            .collect()
    }

    fn range(self) -> Range {
        match self {
            Self::H264 => range(0.0, 51.0, true, "a whole number, 0 to 51"),
            Self::Downscale => range(32.0, 4320.0, true, "a whole number, 32 to 4320"),
            Self::Chain => range(1.0, 3.0, true, "1, 2 or 3"),
            Self::Fps => range(0.1, 240.0, false, "a number, 0.1 to 240"),
            Self::Crop => range(0.1, 80.0, false, "a number, 0.1 to 80"),
            Self::Blur | Self::Noise => range(0.1, 100.0, false, "a number, 0.1 to 100"),
            Self::Jpeg => range(1.0, 100.0, true, "a whole number, 1 to 100"),
            Self::Letterbox => Range {
                ratios: true,
                ..range(
                    1.0,
                    80.0,
                    false,
                    "a number, 1 to 80, or a ratio such as 9:16",
                )
            },
            Self::Text => range(2.0, 25.0, false, "a number, 2 to 25"),
            Self::Screen => range(10.0, 90.0, false, "a number, 10 to 90"),
        }
    }
}

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perturbation {
    /// What.
    pub kind: Kind,
    /// How much; within the kind's range.
    pub strength: Strength,
}

impl Perturbation {
    /// `None` for a strength that the kind can't have.
    pub fn new(kind: Kind, strength: Strength) -> Option<Self> {
        let range = kind.range();
        let fits = match strength {
            Strength::Number(number) => {
                (range.least..=range.most).contains(&number)
                    && (!range.whole || number.fract() == 0.0)
            }
            Strength::Ratio(_) => range.ratios,
        };
        fits.then_some(Self { kind, strength })
    }
}

impl std::fmt::Display for Perturbation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.kind.name(), self.strength)
    }
}

/// What the child is asked to make of a video.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is done; nothing is the baseline: cut and encoded in the same way.
    pub perturbation: Option<Perturbation>,
    /// The first so many seconds are kept; positive.
    pub seconds: f64,
    /// Of the noise.
    pub seed: u64,
    /// Bytes of the result at most.
    pub max_output_bytes: u64,
}

/// One pass of a platform's encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// Longest shorter side in pixels; larger pictures are scaled down.
    pub shorter_side: Option<u32>,
    /// Constant rate factor.
    pub crf: u8,
}

/// Encodes without a visible loss; what is measured is what was done before it. Also the
/// baseline.
pub const CARRIER: Generation = Generation {
    shorter_side: None,
    crf: 10,
};

/// A camera's or an editor's file, a platform's copy, that copy shared again elsewhere.
const CHAIN: [Generation; 3] = [
    Generation {
        shorter_side: Some(1080),
        crf: 23,
    },
    Generation {
        shorter_side: Some(720),
        crf: 28,
    },
    Generation {
        shorter_side: Some(480),
        crf: 30,
    },
];

/// The encodings that a video goes through, one after the other; never none.
pub fn generations(perturbation: Option<Perturbation>) -> Vec<Generation> {
    let Some(Perturbation {
        kind,
        strength: Strength::Number(number),
    }) = perturbation
    else {
        return vec![CARRIER];
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole numbers within the kind's range; the cast saturates"
    )]
    let whole = number as u32;
    match kind {
        Kind::H264 => vec![Generation {
            shorter_side: None,
            crf: u8::try_from(whole).unwrap_or(u8::MAX).min(51),
        }],
        Kind::Downscale => vec![Generation {
            shorter_side: Some(whole.max(2)),
            ..CARRIER
        }],
        Kind::Chain => {
            let passes = usize::try_from(whole).unwrap_or(1).max(1);
            CHAIN.iter().take(passes).copied().collect()
        }
        Kind::Fps
        | Kind::Crop
        | Kind::Blur
        | Kind::Noise
        | Kind::Jpeg
        | Kind::Letterbox
        | Kind::Text
        | Kind::Screen => vec![CARRIER],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_strengths_that_it_may_have() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            assert!(kind.strengths().len() >= 3, "{}", kind.name());
            for strength in kind.strengths() {
                assert!(Perturbation::new(kind, strength).is_some(), "{strength}");
            }
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.name()));
        }
    }

    #[test]
    fn strengths_beyond_the_range_are_refused() {
        for (kind, number) in [
            (Kind::H264, 52.0),
            (Kind::H264, 23.5),
            (Kind::Chain, 0.0),
            (Kind::Chain, 4.0),
            (Kind::Jpeg, 0.0),
            (Kind::Blur, f64::NAN),
            (Kind::Noise, f64::INFINITY),
            (Kind::Crop, -5.0),
        ] {
            let strength = Strength::Number(number);
            assert!(Perturbation::new(kind, strength).is_none(), "{number}");
        }
        let square = Strength::Ratio(Ratio::SQUARE);
        assert!(Perturbation::new(Kind::Crop, square).is_none());
        assert!(Perturbation::new(Kind::Letterbox, square).is_some());
    }

    #[test]
    fn a_chain_goes_from_the_upload_down() {
        let chain = |passes| {
            let strength = Strength::Number(passes);
            generations(Perturbation::new(Kind::Chain, strength))
        };
        assert_eq!(chain(1.0), CHAIN[..1]);
        assert_eq!(chain(3.0), CHAIN);
        assert_eq!(generations(None), [CARRIER]);
        let crf = Perturbation::new(Kind::H264, Strength::Number(40.0));
        assert_eq!(generations(crf)[0].crf, 40);
    }

    #[test]
    fn an_order_crosses_the_wire() {
        for strength in Kind::Letterbox.strengths() {
            let order = Order {
                perturbation: Perturbation::new(Kind::Letterbox, strength),
                seconds: 1.5,
                seed: u64::MAX,
                max_output_bytes: 7,
            };
            let json = serde_json::to_string(&order).unwrap();
            assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
        }
    }
}
