//! The door for work that nobody waits at: jobs from the store go through the pipeline.

mod attempt;
pub mod config;
mod crew;
mod desk;
mod messenger;

pub use config::JobsConfig;
pub use crew::{Crew, Explain};
pub use desk::{Desk, Order};
pub use messenger::{Messenger, Render};

use jiff::Timestamp;

use crate::store::jobs::Millis;

/// Now, as the store counts.
fn now() -> Millis {
    Timestamp::now().as_millisecond()
}
