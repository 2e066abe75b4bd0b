//! From a picture to a model's log-odds: bundles, preprocessing and ONNX Runtime.
//!
//! A [`bundle::Bundle`] says everything about a model, a [`backbone::Backbone`] runs the graph of one
//! or several, a [`model::Model`] reads its answer. ONNX Runtime is named in [`session`] only.

pub mod backbone;
pub mod bundle;
pub mod cache;
pub mod config;
pub mod error;
pub mod faces;
pub mod finder;
pub mod golden;
pub mod head;
pub mod import;
pub mod model;
pub mod pool;
pub mod preprocess;
mod protobuf;
pub mod provider;
pub mod providers;
pub mod readout;
pub mod registry;
pub mod session;
pub mod space;
pub mod tensor;
pub mod tuning;
mod weights;

pub use backbone::{Backbone, Scored};
pub use bundle::{Bundle, InputKind, Look};
pub use cache::GraphCache;
pub use config::{CacheConfig, InferenceConfig, ModelsConfig, RuntimeConfig};
pub use error::{InferenceError, InferenceErrorKind};
pub use finder::{Finder, FinderInfo, FinderInput, Found};
pub use model::{Model, ModelInfo};
pub use pool::Timed;
pub use preprocess::Pixels;
pub use provider::Provider;
pub use providers::{Placement, Providers};
pub use readout::Readout;
pub use registry::Registry;
pub use session::Runtime;
pub use space::Space;
pub use tensor::Tensor;
pub use tuning::Tuning;
