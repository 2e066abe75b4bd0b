//! Where bytes, keys, jobs and reports are kept.

pub mod appeals;
pub mod batches;
pub mod config;
pub mod error;
mod feed;
pub mod flags;
pub mod jobs;
pub mod kept;
pub mod keys;
pub mod ledger;
pub mod reports;
pub mod scores;
pub mod spool;
mod stamp;

use std::fmt::Debug;

pub use appeals::AppealStore;
pub use batches::BatchStore;
pub use error::StoreError;
pub use feed::Feed;
pub use flags::FlagStore;
pub use jobs::{JobFiles, JobStore, JobsError, SqliteJobs};
pub use kept::{KeepConfig, KeptError, Material, Shelf};
pub use keys::{KeyRing, KeyStore, KeysError};
pub use ledger::Ledger;
pub use reports::ReportStore;
pub use scores::ScoreStore;
pub use spool::{Spool, Upload};
pub use stamp::{Followed, Stamp};

/// All that a server keeps durably, in one place.
pub trait Store:
    JobStore
    + AppealStore
    + BatchStore
    + FlagStore
    + Ledger
    + ReportStore
    + ScoreStore
    + Debug
    + Send
    + Sync
{
}

impl<T> Store for T where
    T: JobStore + AppealStore + BatchStore + FlagStore + Ledger + ReportStore + ScoreStore
{
}
