//! Where bytes, keys, jobs and reports are kept.

pub mod config;
pub mod error;
pub mod jobs;
pub mod keys;
pub mod spool;
mod stamp;

pub use error::StoreError;
pub use jobs::{JobFiles, JobStore, JobsError, SqliteJobs};
pub use keys::{KeyRing, KeyStore, KeysError};
pub use spool::{Spool, Upload};
pub use stamp::{Followed, Stamp};
