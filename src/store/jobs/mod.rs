//! Jobs and reports, kept durably behind one trait.
//!
//! An implementation promises: what a method returned is on disk; an attempt ends once, by whoever
//! holds its claim; a job's end, its report and its message are written together or not at all.
//! `conformance` has the tests that each implementation passes.

#[cfg(test)]
mod conformance;
pub mod error;
pub mod files;
pub mod job;
pub mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;

pub use error::JobsError;
pub use files::JobFiles;
pub use job::{
    Capacity, Claim, Content, Delivery, Depth, Ending, Filter, Idempotency, Job, KeptReport,
    Message, Millis, NewJob, Next,
};
pub use sqlite::SqliteJobs;

use crate::domain::job::Step;
use crate::domain::lanes::{ByLane, Lane};

/// Where jobs and reports are kept. Times come from the caller, so that a test has its own clock.
#[async_trait]
pub trait JobStore: Debug + Send + Sync {
    /// Accepts a job. `false`: it is the job of an earlier request with the same idempotency key.
    async fn submit(
        &self,
        job: NewJob,
        capacity: &Capacity,
        now: Millis,
    ) -> Result<(Job, bool), JobsError>;

    /// Begins an attempt at the oldest job of `lane` that needs `step` and may be tried `now`. Its
    /// lease lasts until `until`.
    async fn claim(
        &self,
        lane: Lane,
        step: Step,
        now: Millis,
        until: Millis,
    ) -> Result<Option<Job>, JobsError>;

    /// Prolongs the lease of an attempt; `false` when the attempt is no longer the claim's.
    async fn heartbeat(&self, claim: &Claim, until: Millis) -> Result<bool, JobsError>;

    /// Ends an attempt; `false`, and nothing is changed, when it is no longer the claim's.
    async fn end(&self, claim: &Claim, ending: Ending, now: Millis) -> Result<bool, JobsError>;

    /// Queues jobs again whose lease ran out before `expired`; those that have had `attempts`
    /// attempts fail `now` with `problem` (JSON). Returns how many of each.
    async fn sweep(
        &self,
        expired: Millis,
        now: Millis,
        attempts: u32,
        problem: &str,
    ) -> Result<(u64, u64), JobsError>;

    /// Lets attempts and deliveries that would wait beyond these times go on `now`: none waits so long,
    /// unless the clock was set back.
    async fn hasten(&self, jobs: Millis, messages: Millis, now: Millis) -> Result<(), JobsError>;

    /// Cancels a job that isn't over. `None`: there is no such job.
    async fn cancel(&self, id: &str, now: Millis) -> Result<Option<Job>, JobsError>;

    /// The job of this id.
    async fn job(&self, id: &str) -> Result<Option<Job>, JobsError>;

    /// Jobs, newest first.
    async fn jobs(&self, filter: &Filter) -> Result<Vec<Job>, JobsError>;

    /// Keeps the report of an upload that was no job.
    async fn keep(&self, report: KeptReport) -> Result<(), JobsError>;

    /// The report of this id.
    async fn report(&self, id: &str) -> Result<Option<KeptReport>, JobsError>;

    /// What waits.
    async fn depths(&self) -> Result<ByLane<Depth>, JobsError>;

    /// Ids of the jobs that aren't over: theirs are the files that must be kept.
    async fn unfinished(&self) -> Result<Vec<String>, JobsError>;

    /// Forgets up to a thousand jobs, reports and keys each that are older than these times.
    /// Returns how many rows went.
    async fn forget(&self, older: Millis, keys: Millis) -> Result<u64, JobsError>;

    /// Messages that are to be sent `now`, those that wait longest first.
    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Message>, JobsError>;

    /// Writes down how a delivery went and what becomes of its message.
    async fn delivered(&self, delivery: &Delivery, next: Next) -> Result<(), JobsError>;

    /// Deliveries of a job's message, oldest first.
    async fn deliveries(&self, job_id: &str) -> Result<Vec<Delivery>, JobsError>;

    /// Has a job's message sent again; `None`: it has none.
    async fn redeliver(&self, job_id: &str, now: Millis) -> Result<Option<Message>, JobsError>;
}
