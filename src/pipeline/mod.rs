//! A spooled file in, a report out. The one place that knows the order of the stages.

mod adaptive;
pub mod admission;
pub mod again;
mod analyze;
mod answer;
pub mod config;
pub mod error;
mod faces;
pub mod footage;
mod frames;
mod framing;
mod gathering;
mod inputs;
mod keeping;
pub mod policies;
mod recall;
mod receipt;
mod repeats;
pub mod request;
pub mod rescoring;
mod sight;
pub mod simulation;
mod source;
mod spent;
pub mod stage;
pub mod status;
mod turnstile;
mod views;
mod windows;

pub use admission::{Admission, Permit};
pub use analyze::{Pipeline, caching};
pub use error::{AnalyzeError, AnalyzeErrorKind};
pub use footage::Footage;
pub use recall::{RecallConfig, Recalled};
pub use request::{Options, Request};
pub use status::Status;
