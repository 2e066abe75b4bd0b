//! From an ONNX export with Hugging Face's or timm's configuration to a bundle.
//!
//! [`Plan::new`] reads the folder and decides, [`Plan::stage`] writes, [`Staged::publish`] puts the
//! result in its place. How JSON and graph become a bundle's keys is pure and apart from the files:
//! `hugging_face.rs`, `timm.rs`, `labels.rs`, `input.rs`, `output.rs`. Nothing of the folder is
//! executed, and nothing outside it is read. `docs/import.md` has the rules.

mod card;
mod error;
mod families;
mod graph;
mod graph_file;
mod hugging_face;
mod input;
mod json;
mod labels;
mod license;
mod manifest;
mod numbers;
mod output;
mod plan;
mod preprocessing;
mod source;
mod stage;
mod timm;
mod weights;

pub use error::{ImportError, ImportErrorKind};
pub use plan::{Plan, Request};
pub use preprocessing::{
    Color, Crop, CropMode, Filter, Mode, Preprocessing, Resize, Rounding, Size,
};
pub use source::{MAX_GRAPH_BYTES, MAX_JSON_BYTES};
pub use stage::Staged;
pub use weights::MAX_WEIGHTS_BYTES;

/// The card's file.
const CARD: &str = "CARD.md";
