//! How good models are on labelled videos: scores of the [`pipeline`](crate::pipeline), or of other
//! tools, in; metrics, tables and a page out. `docs/evaluation.md` has definitions and file formats.

mod asking;
mod cache;
mod columnar;
mod document;
mod drift;
mod error;
mod manifest;
mod outcome;
mod page;
mod perturb;
mod rows;
mod scoring;
mod side_by_side;
mod table;
mod thumbnails;
mod worst;

pub(crate) use asking::Asking;
pub use columnar::{frames_parquet, scores_parquet};
pub use document::{Document, Programs, SCHEMA, document};
pub use drift::reference;
pub use error::EvaluationError;
pub use manifest::{Manifest, Video};
pub use outcome::{Column, Outcome, Provenance, Results};
pub use page::page;
pub use perturb::{
    ROBUSTNESS, Robustness, Sweep, add_robustness, score_perturbed, write_robustness,
};
pub use scoring::{Scoring, score};
pub(crate) use side_by_side::each;
pub use table::{FRAMES, SCORES, read_scores, write_frames, write_scores};
pub use thumbnails::{Looking, Thumbnail, Thumbnails, thumbnails};
