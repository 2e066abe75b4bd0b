//! Where bytes and, later, jobs and reports are kept.

pub mod config;
pub mod error;
pub mod spool;

pub use error::StoreError;
pub use spool::{Spool, Upload};
