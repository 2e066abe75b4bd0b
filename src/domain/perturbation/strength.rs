//! How much: a number, or a ratio of sides.

use serde::{Deserialize, Serialize};

/// Width to height, both 1..=100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ratio {
    /// Parts of width.
    width: u32,
    /// Parts of height.
    height: u32,
}

impl Ratio {
    /// As wide as high.
    pub const SQUARE: Self = Self {
        width: 1,
        height: 1,
    };
    /// A telephone held upright.
    pub const PORTRAIT: Self = Self {
        width: 9,
        height: 16,
    };

    /// Parts of width and of height.
    pub fn parts(self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// A text that is no ratio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no ratio such as 9:16")]
pub struct NoRatio(String);

impl std::str::FromStr for Ratio {
    type Err = NoRatio;

    fn from_str(text: &str) -> Result<Self, NoRatio> {
        let side = |text: &str| {
            let side = text.parse().ok();
            side.filter(|side| (1..=100).contains(side))
        };
        let sides = text.split_once(':');
        sides
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| NoRatio(text.to_owned()))
    }
}

impl TryFrom<String> for Ratio {
    type Error = NoRatio;

    fn try_from(text: String) -> Result<Self, NoRatio> {
        text.parse()
    }
}

impl From<Ratio> for String {
    fn from(ratio: Ratio) -> Self {
        ratio.to_string()
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

/// How much of a kind; what it counts is the kind's.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Strength {
    /// A number in the kind's unit.
    Number(f64),
    /// A ratio of sides.
    Ratio(Ratio),
}

/// Whole numbers without a point, as they are written.
impl Serialize for Strength {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e9 =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
                serializer.serialize_i64(number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(number),
            Self::Ratio(ratio) => ratio.serialize(serializer),
        }
    }
}

impl std::str::FromStr for Strength {
    type Err = NoRatio;

    fn from_str(text: &str) -> Result<Self, NoRatio> {
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) => text.parse().map(Self::Ratio),
        }
    }
}

impl std::fmt::Display for Strength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Ratio(ratio) => ratio.fmt(f),
        }
    }
}
