//! Inference on the real ONNX Runtime.

mod parity;
mod real;
mod support;
mod tiny;
