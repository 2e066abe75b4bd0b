//! From a picture to a model's log-odds: bundles, preprocessing and ONNX Runtime.
//!
//! A [`bundle::Bundle`] says everything about a model, [`model::Model`] runs it. ONNX Runtime is
//! named in [`session`] only.

pub mod bundle;
pub mod config;
pub mod error;
pub mod faces;
pub mod head;
pub mod model;
pub mod pool;
pub mod preprocess;
pub mod readout;
pub mod registry;
pub mod session;
pub mod tensor;
mod weights;

pub use bundle::Bundle;
pub use config::{InferenceConfig, ModelsConfig, Provider, RuntimeConfig};
pub use error::{InferenceError, InferenceErrorKind};
pub use model::{Model, ModelInfo};
pub use registry::Registry;
pub use session::Runtime;
pub use tensor::Tensor;
