//! The door for work that nobody waits at: jobs from the store go through the pipeline.

mod attempt;
pub mod batches;
pub mod config;
mod crew;
mod desk;
pub mod drift;
mod fault;
mod fetching;
mod messenger;

pub use batches::BatchesConfig;
pub use config::{FlagsConfig, JobsConfig};
pub use crew::{Crew, Explain, Tools};

pub use desk::{Desk, Order, Places};
pub use drift::DriftConfig;
pub use fault::Fault;
pub use fetching::download;
pub use messenger::{Messenger, Render};

use std::time::Duration;

use jiff::Timestamp;

use crate::store::jobs::Millis;

/// A time as the store counts.
fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

/// Now, as the store counts.
fn now() -> Millis {
    Timestamp::now().as_millisecond()
}
