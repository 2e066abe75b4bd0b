//! jaga tells how likely a video is synthetic or manipulated.
//!
//! Layers, lowest first; a lower one never imports a higher one (`tests/it/architecture.rs` checks):
//!
//! 1. [`domain`]: plain types and pure functions.
//! 2. [`media`] (the decoder child), [`inference`] (model bundles, ONNX Runtime), [`store`] (the
//!    spool, keys, jobs and reports), [`outbound`] (videos by URL); they never see each other.
//! 3. [`pipeline`]: a spooled file in, a report out.
//! 4. [`worker`] (jobs from the store go through the pipeline) and [`evaluation`] (labelled videos
//!    and scores in, metrics out).
//! 5. [`fitting`]: labelled embeddings in, a bundle out.
//! 6. [`http`] and [`cli`]: doors to the same pipeline.
//!
//! `docs/architecture.md` walks one request from door to door.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod domain;
pub mod evaluation;
pub mod fitting;
pub mod http;
pub mod inference;
pub mod media;
pub mod outbound;
pub mod pipeline;
pub mod store;
pub mod telemetry;
pub mod worker;
