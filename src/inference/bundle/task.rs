//! What a checked bundle is for: scoring pictures, or finding faces in them. Nothing is optional
//! here that its kind of bundle needs.

use std::path::Path;

use crate::domain::aggregation::Aggregation;
use crate::domain::calibration::Calibration;
use crate::domain::quality::Bounds;
use crate::domain::verdict::Thresholds;
use crate::domain::windows::WindowPlan;

use super::super::head::Head;
use super::BundleError;
use super::manifest::{
    Color, Crop, Dtype, FaceSection, Filter, FinderSection, InputKind, Layout, Pooling, ResizeMode,
    Rounding, Size, Status,
};

/// `[model]`, less what only some kinds have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The bundle's name, which is its folder's.
    pub name: String,
    /// Any version, as reports show it.
    pub version: String,
    /// Whether there is evidence for it.
    pub status: Status,
    /// SPDX expression of the weights.
    pub license: String,
    /// File with its evidence, beside `model.toml`.
    pub card: String,
}

/// What a bundle is for.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a bundle, made at the start"
)]
pub enum Task {
    /// It answers a question about pictures.
    Scorer(Scorer),
    /// It finds faces.
    Finder(FinderTask),
}

impl Task {
    /// `input.kind`
    pub fn kind(&self) -> InputKind {
        match self {
            Self::Scorer(scorer) => scorer.look.kind(),
            Self::Finder(_) => InputKind::Finder,
        }
    }
}

/// A model that answers a question about pictures, faces or windows.
#[derive(Debug, Clone)]
pub struct Scorer {
    /// What it answers, such as `ai_generated`.
    pub question: String,
    /// What it looks at.
    pub look: Look,
    /// How pictures become the graph's input.
    pub input: Input,
    /// How the graph's output becomes log-odds.
    pub output: Output,
    /// From aggregated log-odds to a probability.
    pub calibration: Calibration,
    /// From the scores of pictures to the video's.
    pub aggregation: Aggregation,
    /// From a score to a verdict.
    pub verdict: Thresholds,
    /// What it can judge.
    pub scope: Bounds,
}

/// What a scorer looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Whole pictures, one at a time.
    Frame,
    /// Faces cut out of pictures, one at a time.
    Face(FaceSection),
    /// Pictures that follow each other.
    Window {
        /// How they follow each other.
        window: WindowPlan,
        /// Of one track's faces; whole pictures without it.
        face: Option<FaceSection>,
    },
}

impl Look {
    /// `input.kind`
    pub fn kind(&self) -> InputKind {
        match self {
            Self::Frame => InputKind::Frame,
            Self::Face(_) => InputKind::Face,
            Self::Window { .. } => InputKind::Window,
        }
    }

    /// Pictures that make one input, at least 1.
    pub fn pictures(&self) -> usize {
        match self {
            Self::Frame | Self::Face(_) => 1,
            Self::Window { window, .. } => window.frames as usize,
        }
    }

    /// Which part of a face it sees; `None` for whole pictures.
    pub fn face(&self) -> Option<&FaceSection> {
        match self {
            Self::Frame => None,
            Self::Face(face) => Some(face),
            Self::Window { face, .. } => face.as_ref(),
        }
    }
}

/// Which tensor the graph takes, and how 8-bit pixels become its numbers:
/// (value · `scale` − `mean`) / `std`, a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// The graph's input.
    pub name: String,
    /// Order of the axes.
    pub layout: Layout,
    /// Element type.
    pub dtype: Dtype,
    /// Order of the channels.
    pub color: Color,
    /// Factor on the 8-bit value, not 0.
    pub scale: f64,
    /// Subtracted after scaling, in the order of `color`.
    pub mean: [f64; 3],
    /// Divided by, in the order of `color`; positive.
    pub std: [f64; 3],
}

/// A scorer's input, of fixed size.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Tensor and numbers.
    pub encoding: Encoding,
    /// Resampling of the whole picture.
    pub resize: Resize,
    /// Cut after resampling; none takes all.
    pub crop: Option<Crop>,
}

impl Input {
    /// The `[input]` of the scorer whose `model.toml` is `file`, checked; none of its files is
    /// looked at.
    pub fn read(file: &Path) -> Result<Self, BundleError> {
        super::check::input_alone(file, &super::read_manifest(file)?.0)
    }
}

/// Resampling to a fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// What happens to the aspect ratio.
    pub mode: ResizeMode,
    /// Pixels: one number, or width and height.
    pub size: Size,
    /// Kernel, named and behaving as Pillow's.
    pub filter: Filter,
    /// How the side that follows from the aspect ratio becomes whole pixels.
    pub rounding: Rounding,
    /// Value of the bars of `letterbox`, in every channel.
    pub pad: u8,
}

/// Where a scorer's number stands, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The graph's output.
    pub name: String,
    /// How it is read.
    pub reading: Reading,
}

/// How an output is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// 0..=1: the only number, or that of a class.
    Probability(Option<usize>),
    /// Log-odds: the only number, or that of a class.
    Logit(Option<usize>),
    /// Unnormalised scores of classes, of which this one is "synthetic".
    Softmax(usize),
    /// A vector, or one a token, through a linear head.
    Embedding(Pooling, Head),
}

/// A bundle that finds faces. Layout NCHW, float32, batch 1, of any height and width that
/// [`FinderSection::multiple`] divides.
#[derive(Debug, Clone, PartialEq)]
pub struct FinderTask {
    /// Tensor and numbers.
    pub encoding: Encoding,
    /// Kernel that scales large pictures down.
    pub filter: Filter,
    /// How outputs become faces.
    pub finder: FinderSection,
}
