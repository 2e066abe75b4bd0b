//! A spooled file in, a report out. The one place that knows the order of the stages.

pub mod admission;
mod analyze;
mod answer;
pub mod config;
pub mod error;
mod frames;
pub mod policies;
mod receipt;
pub mod request;

pub use admission::{Admission, Permit};
pub use analyze::Pipeline;
pub use error::{AnalyzeError, AnalyzeErrorKind};
pub use request::{Options, Request};
