//! Batches as they are kept.

use crate::domain::job::JobStatus;
use crate::store::jobs::{Idempotency, Millis, NewJob};

/// A batch to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// ULID; names the manifest's file as well.
    pub id: String,
    /// Id of the caller's key; empty where none was asked for.
    pub owner: String,
    /// The caller's own word for it.
    pub client_ref: Option<String>,
    /// BLAKE3 of the manifest, hex.
    pub blake3: String,
    /// The manifest's bytes.
    pub bytes: u64,
    /// Its lines, the empty ones left aside.
    pub lines: u64,
    /// When given, the batch of an earlier request with the same key comes back.
    pub idempotency: Option<Idempotency>,
}

/// A line that becomes a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    /// The line's id.
    pub item_id: String,
    /// The job.
    pub job: NewJob,
}

/// A place in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Bytes before it.
    pub bytes: u64,
    /// Lines before it, the empty ones left aside.
    pub lines: u64,
}

/// How a batch's lines stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All lines.
    pub lines: u64,
    /// Those that became jobs.
    pub fed: u64,
    /// Those of which an attempt is on its way.
    pub running: u64,
    /// Those with a report.
    pub done: u64,
    /// Those with a problem.
    pub failed: u64,
    /// Those that were given up.
    pub cancelled: u64,
}

impl Counts {
    /// Lines that are over.
    pub fn over(&self) -> u64 {
        let failed_or_cancelled = self.failed.saturating_add(self.cancelled);
        self.done.saturating_add(failed_or_cancelled)
    }

    /// Lines that wait, whether they are jobs yet or not.
    pub fn queued(&self) -> u64 {
        let not_waiting = self.over().saturating_add(self.running);
        self.lines.saturating_sub(not_waiting)
    }
}

/// The newest results of a batch, up to a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// How many.
    pub results: u64,
    /// When the result before them came; when the batch began, if there is none.
    pub since_ms: Millis,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Place in the order of acceptance; a list goes on after it.
    pub seq: i64,
    /// ULID.
    pub id: String,
    /// See [`NewBatch::owner`].
    pub owner: String,
    /// See [`NewBatch::client_ref`].
    pub client_ref: Option<String>,
    /// See [`NewBatch::blake3`].
    pub blake3: String,
    /// See [`NewBatch::bytes`].
    pub bytes: u64,
    /// How its lines stand.
    pub counts: Counts,
    /// When it was accepted.
    pub created_ms: Millis,
    /// When the first attempt at one of its jobs began.
    pub started_ms: Option<Millis>,
    /// When it was cancelled.
    pub cancelled_ms: Option<Millis>,
    /// When its last line ended.
    pub finished_ms: Option<Millis>,
    /// JSON of why the rest of its manifest could not become jobs.
    pub problem: Option<String>,
    /// What its pace is told from; `None` before the first result.
    pub recent: Option<Recent>,
}

/// A batch with lines that are to become jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hungry {
    /// The batch.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// BLAKE3 of its manifest.
    pub blake3: String,
    /// Bytes of its manifest.
    pub bytes: u64,
    /// Lines of its manifest.
    pub lines: u64,
    /// How far it was read.
    pub place: Place,
    /// Its jobs that aren't over.
    pub live: u64,
}

/// Which batches are listed, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchFilter {
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those that were accepted before the batch of this place.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// How a line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// Place in the order of completion; results go on after it.
    pub seq: i64,
    /// The line's id.
    pub item_id: String,
    /// The job that it was.
    pub job_id: String,
    /// The line's own reference.
    pub client_ref: Option<String>,
    /// One that is final.
    pub status: JobStatus,
    /// The report's id, when done.
    pub report_id: Option<String>,
    /// JSON of what went wrong, when failed.
    pub problem: Option<String>,
}
