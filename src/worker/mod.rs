//! The door for work that nobody waits at: jobs from the store go through the pipeline.

mod attempt;
pub mod config;
mod crew;
mod desk;
mod fault;
mod fetching;
mod messenger;

pub use config::{FlagsConfig, JobsConfig};
pub use crew::{Crew, Explain, Tools};
pub use desk::{Desk, Order, Places};
pub use fault::Fault;
pub use messenger::{Messenger, Render};

use jiff::Timestamp;

use crate::store::jobs::Millis;

/// Now, as the store counts.
fn now() -> Millis {
    Timestamp::now().as_millisecond()
}
