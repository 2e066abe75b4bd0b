//! Batches: manifests whose lines become jobs bit by bit, and how those ended.
//!
//! An implementation promises: what a method returned is on disk; lines become jobs together with
//! the place in the manifest up to which they did; the end of a batch's job, its line's result and
//! the batch's counts are written together. `conformance` has the tests of that.

mod batch;
#[cfg(test)]
mod conformance;
mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;

pub use batch::{
    Batch, BatchFilter, BatchResult, Counts, Hungry, NewBatch, NewItem, Place, Recent,
};

use crate::store::jobs::{JobsError, Millis};

/// Where batches are kept. Times come from the caller, so that a test has its own clock.
#[async_trait]
pub trait BatchStore: Debug + Send + Sync {
    /// Accepts a batch, unless its owner has `open` that aren't over. `false`: it is the batch of
    /// an earlier request with the same idempotency key.
    async fn submit_batch(
        &self,
        batch: NewBatch,
        open: u64,
        now: Millis,
    ) -> Result<(Batch, bool), JobsError>;

    /// The batch of this id.
    async fn batch(&self, id: &str) -> Result<Option<Batch>, JobsError>;

    /// Batches, newest first.
    async fn batches(&self, filter: &BatchFilter) -> Result<Vec<Batch>, JobsError>;

    /// Batches with lines that are to become jobs, oldest first; and how many jobs of any batch
    /// aren't over.
    async fn hungry(&self) -> Result<(Vec<Hungry>, u64), JobsError>;

    /// Makes jobs of the lines of a batch between `from` and `to`. `false`, and nothing is changed,
    /// when its manifest was read to another place, or nothing more is wanted of it.
    async fn feed(
        &self,
        id: &str,
        from: Place,
        to: Place,
        items: Vec<NewItem>,
        now: Millis,
    ) -> Result<bool, JobsError>;

    /// Gives up the lines of a batch that aren't jobs yet: they count as failed, by `problem`
    /// (JSON).
    async fn abandon(&self, id: &str, problem: &str, now: Millis) -> Result<(), JobsError>;

    /// Cancels what isn't over of a batch. Returns the ids of the jobs that this ended; `None`:
    /// there is no such batch.
    async fn cancel_batch(&self, id: &str, now: Millis) -> Result<Option<Vec<String>>, JobsError>;

    /// At most `limit` results of a batch that came after the one of place `after`, in the order
    /// in which they came. Later ones never get an earlier place.
    async fn results(
        &self,
        id: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<BatchResult>, JobsError>;

    /// Lines of all batches that wait, whether they are jobs yet or not.
    async fn waiting_lines(&self) -> Result<u64, JobsError>;

    /// Forgets batches that ended before `older` with their results, up to ten thousand rows.
    /// Returns how many went.
    async fn forget_batches(&self, older: Millis) -> Result<u64, JobsError>;
}
