//! Callbacks as Standard Webhooks (<https://www.standardwebhooks.com>, version 1.0.0) describes
//! them: signed, sent at least once, each message with an id that stays.

mod retry;
mod secret;
mod secret_file;
mod sender;

pub use retry::{A_DAY, ATTEMPTS, wait};
pub use secret::Secret;
pub use sender::{Attempt, Delivery, Outcome, Sender};
