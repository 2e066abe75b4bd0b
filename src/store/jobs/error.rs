//! What can go wrong with jobs and reports.

use std::path::PathBuf;

use super::super::error::StoreError;
use crate::domain::lanes::Lane;

/// A fault of the job store.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// The same idempotency key came with another request.
    #[error("this Idempotency-Key was used for another request")]
    IdempotencyConflict,
    /// As many jobs as may wait in the lane do.
    #[error("{limit} jobs wait in the lane {}", lane.name())]
    LaneFull {
        /// The lane.
        lane: Lane,
        /// Jobs that may wait in it.
        limit: u64,
    },
    /// The uploads of waiting jobs take as much of the disk as they may.
    #[error("the uploads of waiting jobs take {limit} bytes")]
    SpaceFull {
        /// Bytes that they may take.
        limit: u64,
    },
    /// The disk is nearly full: what is accepted couldn't be brought to its end.
    #[error("fewer than {least} bytes are free on the disk of the jobs")]
    DiskFull {
        /// Bytes that must stay free.
        least: u64,
    },
    /// An owner has as many batches that aren't over as it may.
    #[error("{limit} batches of this caller aren't over")]
    TooManyBatches {
        /// Batches that it may have.
        limit: u64,
    },
    /// Another server uses the data directory.
    #[error("another server uses {}", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The database can't be opened.
    #[error("can't open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// The database's form is not this program's.
    #[error("can't bring the database {} to this program's form", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// There is no database, and none is to be made.
    #[error("there is no database {}: no server has kept anything here", path.display())]
    NoStore {
        /// The file that would be it.
        path: PathBuf,
    },
    /// The database has the form of another version of this program.
    #[error("the database {} has another form than this program's: start `jaga serve` on it once", path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
    },
    /// The database's log is there without what is needed to read it.
    #[error("{} is there without {}: copy both with the database", log.display(), index.display())]
    NoIndex {
        /// The log.
        log: PathBuf,
        /// Its index, shared by those who use the database.
        index: PathBuf,
    },
    /// As many decisions on one report as it may have.
    #[error("a report can have {limit} decisions")]
    TooManyDecisions {
        /// Their number.
        limit: u32,
    },
    /// A statement failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds what this program never wrote.
    #[error("the database holds {what} that can't be read: {text}")]
    Row {
        /// Of what.
        what: &'static str,
        /// As it stands there.
        text: String,
    },
    /// A file of a job can't be written or read.
    #[error(transparent)]
    File(#[from] StoreError),
}
