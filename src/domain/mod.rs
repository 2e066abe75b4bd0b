//! Plain types and pure functions: no I/O, no async, no FFmpeg, no ONNX Runtime.
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod adaptive;
pub mod aggregation;
pub mod appearance;
pub mod audit;
pub mod calibration;
pub mod combination;
pub mod counted;
pub mod coverage;
pub mod drift;
pub mod face;
pub mod flag;
pub mod frame;
pub mod job;
pub mod lanes;
pub mod letterbox;
mod luma;
pub mod media;
pub mod metrics;
pub mod near;
pub mod perturbation;
pub mod plan;
pub mod policy;
pub mod quality;
pub mod region;
pub mod report;
pub mod review;
pub mod role;
pub mod sampling;
pub mod score;
pub mod segments;
pub mod shots;
mod shrink;
mod tone;
pub mod tracks;
pub mod transparency;
pub mod verdict;
pub mod windows;
