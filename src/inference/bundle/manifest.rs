//! `model.toml` as it is written. Which sections a kind of bundle takes, and what they may say, is
//! checked in `check.rs` beside it; [`super::task`] has what comes out.

mod tasks;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::aggregation::Aggregation;
use crate::domain::calibration::Calibration;
use crate::domain::quality::Bounds;
use crate::domain::verdict::Thresholds;
use crate::inference::golden::GoldenSection;
use crate::inference::provider::Provider;

pub use tasks::{FaceScore, FaceSection, FinderDecoder, FinderSection, Template, WindowSection};

/// A whole `model.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `[model]`
    pub model: ModelSection,
    /// `[[file]]`, at least the ONNX graph.
    pub file: Vec<FileEntry>,
    /// `[input]`
    pub input: InputSection,
    /// `[output]`, for all but finders.
    pub output: Option<OutputSection>,
    /// `[calibration]`, for all but finders.
    pub calibration: Option<Calibration>,
    /// `[verdict]`; a finder has none.
    pub verdict: Option<Thresholds>,
    /// `[aggregation]`, for all but finders.
    pub aggregation: Option<Aggregation>,
    /// `[runtime]`
    #[serde(default)]
    pub runtime: RuntimeSection,
    /// `[scope]`: what the model can judge; other pictures, or faces, it isn't asked about. A
    /// finder has none.
    pub scope: Option<Bounds>,
    /// `[face]`, for a model that looks at faces.
    pub face: Option<FaceSection>,
    /// `[window]`, for a model that looks at time.
    pub window: Option<WindowSection>,
    /// `[finder]`, for a finder of faces.
    pub finder: Option<FinderSection>,
    /// `[golden]`: what every session is checked against.
    pub golden: Option<GoldenSection>,
}

/// `[model]`: who this is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// The bundle's name, which is its folder's.
    pub name: String,
    /// Any version, as reports show it.
    pub version: String,
    /// Whether there is evidence for it.
    pub status: Status,
    /// What it answers, such as `ai_generated`; a finder answers nothing.
    pub question: Option<String>,
    /// SPDX expression of the weights.
    pub license: String,
    /// File with its evidence, beside `model.toml`.
    pub card: String,
}

/// How far a model may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No evidence that would do for a decision.
    Experimental,
    /// Its card has the evidence.
    Validated,
}

impl Status {
    /// The name in bundles and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Experimental => "experimental",
            Self::Validated => "validated",
        }
    }
}

/// `[[file]]`: one file that the model is made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative, within the bundle's folder or its folder of weights.
    pub path: String,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// How set-up gets it; not used here.
    pub source: Option<String>,
    /// The rewrite that set-up applies; not used here.
    pub derive: Option<String>,
}

/// `[input]`: how pictures become the graph's input.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSection {
    /// What one input shows.
    pub kind: InputKind,
    /// The graph's input.
    pub name: String,
    /// Order of the axes.
    pub layout: Layout,
    /// Element type.
    pub dtype: Dtype,
    /// Order of the channels.
    pub color: Color,
    /// Resampling.
    pub resize: ResizeSection,
    /// Cut after resampling; none takes all.
    pub crop: Option<Crop>,
    /// Factor on the 8-bit value, before mean and deviation.
    #[serde(default = "one")]
    pub scale: f64,
    /// Subtracted after scaling, in the order of `color`.
    #[serde(default)]
    pub mean: [f64; 3],
    /// Divided by, in the order of `color`.
    #[serde(default = "ones")]
    pub std: [f64; 3],
}

fn one() -> f64 {
    1.0
}

fn ones() -> [f64; 3] {
    [1.0; 3]
}

/// What one input shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// A whole picture.
    Frame,
    /// A cut-out face.
    Face,
    /// Consecutive pictures.
    Window,
    /// A whole picture, in which faces are looked for.
    Finder,
}

impl InputKind {
    /// The name in bundles and in `/v1/models`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Face => "face",
            Self::Window => "window",
            Self::Finder => "finder",
        }
    }
}

/// Order of the axes: batch, channels, time, rows, columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Planes.
    Nchw,
    /// Interleaved.
    Nhwc,
    /// Planes with time inside.
    Ncthw,
    /// Planes, time outside.
    Ntchw,
}

/// Element type of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// 32-bit float.
    Float32,
    /// 16-bit float.
    Float16,
    /// The 8-bit values as they are.
    Uint8,
}

/// Order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Color {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// Resampling; of a finder's input, which has no fixed size, the filter alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeSection {
    /// What happens to the aspect ratio.
    pub mode: Option<ResizeMode>,
    /// Pixels: one number, or width and height.
    pub size: Option<Size>,
    /// Kernel, named and behaving as Pillow's.
    pub filter: Filter,
    /// How the side that follows from the aspect ratio becomes whole pixels; for `shortest_side`
    /// only, half to even where absent.
    pub rounding: Option<Rounding>,
    /// Value of the bars of `letterbox`, in every channel; 0 where absent.
    pub pad: Option<u8>,
}

/// What happens to the aspect ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// Kept; the shorter side becomes `size`, the other is rounded as `rounding` says.
    ShortestSide,
    /// Given up; the picture becomes `size`.
    Stretch,
    /// Kept; the picture fits into `size`, bars fill the rest.
    Letterbox,
}

/// How a number of pixels becomes whole. Frameworks differ, and one pixel moves the whole picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest, halves to the even neighbour: Python's `int(round(value))`.
    #[default]
    HalfEven,
    /// The fraction is dropped: Python's `int(value)`.
    Down,
}

fn down() -> Rounding {
    Rounding::Down
}

/// `224` or `[width, height]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a number of pixels or [width, height]")]
pub enum Size {
    /// Both sides, or the shorter one.
    One(u32),
    /// Width and height.
    Two([u32; 2]),
}

impl Size {
    /// Width and height.
    pub fn sides(self) -> [u32; 2] {
        match self {
            Self::One(side) => [side, side],
            Self::Two(sides) => sides,
        }
    }
}

/// Kernels of Pillow's `Image.resize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The one pixel at the centre.
    Nearest,
    /// Mean of the covered pixels.
    Box,
    /// Triangle.
    Bilinear,
    /// Hamming window.
    Hamming,
    /// Keys' cubic, a = −0.5.
    Bicubic,
    /// Windowed sinc of 3 lobes.
    Lanczos,
}

/// Cut out of the resampled picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Where.
    pub mode: CropMode,
    /// Pixels: one number, or width and height.
    pub size: Size,
    /// How half of an odd remainder, which is cut off on the left and at the top, becomes whole
    /// pixels.
    #[serde(default = "down")]
    pub rounding: Rounding,
}

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CropMode {
    /// In the middle; of an odd remainder `rounding` says what goes where.
    Center,
}

/// `[output]`: how the graph's output becomes log-odds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSection {
    /// The graph's output.
    pub name: String,
    /// What its numbers are.
    pub kind: OutputKind,
    /// Which of several classes is "synthetic"; needed for `softmax`.
    pub class: Option<usize>,
    /// How tokens become one embedding.
    #[serde(default)]
    pub pool: Pooling,
    /// File of the linear head; for an embedding only.
    pub head: Option<String>,
}

/// What an output's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// 0..=1.
    Probability,
    /// Log-odds.
    Logit,
    /// Unnormalised class scores, to which softmax is applied here.
    Softmax,
    /// A vector, or one a token.
    Embedding,
}

/// How tokens `[batch, tokens, dim]` become one embedding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// It is one already: `[batch, dim]`.
    #[default]
    None,
    /// Token 0.
    Cls,
    /// Mean of all tokens.
    Mean,
}

/// `[runtime]`: how to run it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeSection {
    /// Pictures that may share one run; 1 where the scores depend on the batch.
    #[serde(default = "single")]
    pub max_batch: NonZeroUsize,
    /// Sessions; the configuration decides otherwise.
    pub sessions: Option<NonZeroUsize>,
    /// Threads a session; the configuration decides otherwise.
    pub intra_threads: Option<NonZeroUsize>,
    /// Execution providers on which it gives the answers that it was calibrated for; all where
    /// absent.
    pub providers: Option<Vec<Provider>>,
}

fn single() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl Default for RuntimeSection {
    fn default() -> Self {
        Self {
            max_batch: single(),
            sessions: None,
            intra_threads: None,
            providers: None,
        }
    }
}
