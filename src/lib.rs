//! jaga tells how likely a video is synthetic or manipulated.
//!
//! Layers, lowest first; a lower one never imports a higher one (`tests/it/architecture.rs` checks):
//!
//! 1. [`domain`]: plain types and pure functions.
//! 2. [`media`] (the decoder child), [`inference`] (model bundles, ONNX Runtime).
//!
//! `docs/architecture.md` walks one request from door to door.
#![forbid(unsafe_code)]

pub mod domain;
pub mod inference;
pub mod media;
