//! Inference on the real ONNX Runtime.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that can't go on stops, and says what it measured"
)]

mod batches;
mod faces;
mod finders;
mod graphs;
mod heads;
pub(crate) mod import;
mod parity;
mod real;
pub(crate) mod support;
mod tiny;
mod windows;
