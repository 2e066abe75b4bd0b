//! Where bytes and, later, jobs and reports are kept.

pub mod config;
pub mod error;
pub mod keys;
pub mod spool;
mod stamp;

pub use error::StoreError;
pub use keys::{KeyRing, KeyStore, KeysError};
pub use spool::{Spool, Upload};
pub use stamp::{Followed, Stamp};
