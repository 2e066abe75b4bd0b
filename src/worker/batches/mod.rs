//! Batches: one manifest, many jobs.

mod config;
mod feeder;
mod line;
mod pace;
mod read;
mod result;
mod submit;
mod survey;

pub use config::BatchesConfig;
pub(super) use feeder::feed;
pub use line::{Line, LineFault, Target};
pub use pace::Pace;
pub use read::Lines;
pub use result::ResultLine;
pub use submit::BatchOrder;
pub(super) use submit::SURVEYS;
pub use survey::{Limits, ManifestFault, Survey, digest};
