//! What a processor does to a picture, in the words of a bundle. Pure.

use std::fmt;

use serde::Serialize;

/// `[input]` as far as the pixels go.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Whose it is, such as `ViTImageProcessor`.
    pub processor: String,
    /// Resampling of the whole picture.
    pub resize: Resize,
    /// Cut after it.
    pub crop: Option<Crop>,
    /// Order of the channels.
    pub color: Color,
    /// Factor on the 8-bit value.
    pub scale: f64,
    /// Subtracted after scaling, red first.
    pub mean: [f64; 3],
    /// Divided by, red first.
    pub std: [f64; 3],
    /// What somebody who compares with the original has to know.
    pub notes: Vec<String>,
}

/// `resize` as a bundle has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resize {
    /// What happens to the aspect ratio.
    pub mode: Mode,
    /// Pixels.
    pub size: Size,
    /// The kernel.
    pub filter: Filter,
    /// For `shortest_side`, which drops the fraction of the other side in every framework here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<Rounding>,
}

/// `crop` as a bundle has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Crop {
    /// Always the middle.
    pub mode: CropMode,
    /// Width and height.
    pub size: [u32; 2],
    /// Where an odd remainder goes.
    pub rounding: Rounding,
}

/// What happens to the aspect ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Kept; the shorter side becomes the size.
    ShortestSide,
    /// Given up.
    Stretch,
}

/// One number for the shortest side, else width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Size {
    /// The shorter side.
    Side(u32),
    /// Width and height.
    Sides([u32; 2]),
}

/// Where the crop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CropMode {
    /// In the middle.
    Center,
}

/// How a number of pixels becomes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// The fraction is dropped.
    Down,
    /// Halves go to the even neighbour.
    HalfEven,
}

/// Order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Color {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// Kernels of Pillow's `Image.resize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// 0
    Nearest,
    /// 1
    Lanczos,
    /// 2
    Bilinear,
    /// 3
    Bicubic,
    /// 4
    Box,
    /// 5
    Hamming,
}

impl Filter {
    /// By `PIL.Image.Resampling`'s number.
    pub(super) fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Nearest),
            1 => Some(Self::Lanczos),
            2 => Some(Self::Bilinear),
            3 => Some(Self::Bicubic),
            4 => Some(Self::Box),
            5 => Some(Self::Hamming),
            _ => None,
        }
    }

    /// By timm's and torchvision's name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "nearest" => Some(Self::Nearest),
            "lanczos" => Some(Self::Lanczos),
            "bilinear" => Some(Self::Bilinear),
            "bicubic" => Some(Self::Bicubic),
            "box" => Some(Self::Box),
            "hamming" => Some(Self::Hamming),
            _ => None,
        }
    }
}

impl Resize {
    /// To these sides, whatever the picture's.
    pub(super) fn stretch(size: [u32; 2], filter: Filter) -> Self {
        Self {
            mode: Mode::Stretch,
            size: Size::Sides(size),
            filter,
            rounding: None,
        }
    }

    /// The shorter side to `side`; the other as `int(side * long / short)`.
    pub(super) fn shortest(side: u32, filter: Filter) -> Self {
        Self {
            mode: Mode::ShortestSide,
            size: Size::Side(side),
            filter,
            rounding: Some(Rounding::Down),
        }
    }

    /// The smallest width and height that come out.
    pub(super) fn least(&self) -> [u32; 2] {
        match self.size {
            Size::Side(side) => [side, side],
            Size::Sides(sides) => sides,
        }
    }
}

impl Crop {
    /// The middle `size` (width, height).
    pub(super) fn center(size: [u32; 2], rounding: Rounding) -> Self {
        Self {
            mode: CropMode::Center,
            size,
            rounding,
        }
    }
}

impl Preprocessing {
    /// Width and height of the model's input.
    pub fn output_size(&self) -> [u32; 2] {
        self.crop.map_or(self.resize.least(), |crop| crop.size)
    }

    /// Whether the 8-bit values stay as they are.
    pub(super) fn leaves_values(&self) -> bool {
        let is = |value: f64, wanted: f64| value.to_bits() == wanted.to_bits();
        is(self.scale, 1.0)
            && self.mean.iter().all(|value| is(*value, 0.0))
            && self.std.iter().all(|value| is(*value, 1.0))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nearest => "nearest",
            Self::Lanczos => "lanczos",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Box => "box",
            Self::Hamming => "hamming",
        })
    }
}
