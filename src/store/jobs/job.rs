//! Jobs and reports as they are kept.

use crate::domain::job::{JobStatus, Step};
use crate::domain::lanes::Lane;
use crate::store::flags::NewFlag;

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

/// Where a job's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In the job's file.
    File {
        /// BLAKE3 of the bytes, hex.
        blake3: String,
        /// Their number.
        bytes: u64,
    },
    /// Still to be fetched from here.
    Url(String),
}

impl Content {
    /// What a job with this content needs next.
    pub fn step(&self) -> Step {
        match self {
            Self::File { .. } => Step::Score,
            Self::Url(_) => Step::Fetch,
        }
    }
}

/// A caller's word for "this request again".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// As the caller sent it; means something among the jobs of one owner.
    pub key: String,
    /// Hash of all that makes the request what it is.
    pub fingerprint: String,
    /// Keys that were first used before this time are forgotten.
    pub since_ms: Millis,
}

/// A job to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// ULID; names the job's file as well.
    pub id: String,
    /// Id of the caller's key; empty where none was asked for.
    pub owner: String,
    /// Where it waits.
    pub lane: Lane,
    /// What the caller wants, as JSON.
    pub wishes: String,
    /// The caller's own word for it.
    pub client_ref: Option<String>,
    /// Where its end is told.
    pub callback_url: Option<String>,
    /// What is to be scored.
    pub content: Content,
    /// When given, the job of an earlier request with the same key comes back.
    pub idempotency: Option<Idempotency>,
    /// What a trusted reporter says with it.
    pub flag: Option<NewFlag>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Place in the order of acceptance; a list goes on after it.
    pub seq: i64,
    /// ULID.
    pub id: String,
    /// See [`NewJob::owner`].
    pub owner: String,
    /// Where it waits.
    pub lane: Lane,
    /// Where it stands.
    pub status: JobStatus,
    /// What it needs next.
    pub step: Step,
    /// See [`NewJob::wishes`].
    pub wishes: String,
    /// See [`NewJob::client_ref`].
    pub client_ref: Option<String>,
    /// See [`NewJob::callback_url`].
    pub callback_url: Option<String>,
    /// Where its content came from, if from a URL.
    pub url: Option<String>,
    /// Hash and size of its content, once that is here.
    pub file: Option<(String, u64)>,
    /// Attempts that have begun.
    pub attempt: u32,
    /// When it was accepted.
    pub created_ms: Millis,
    /// When its first attempt began.
    pub started_ms: Option<Millis>,
    /// When it ended.
    pub finished_ms: Option<Millis>,
    /// Its report's id, once it is done.
    pub report_id: Option<String>,
    /// JSON of what went wrong, of the last attempt while it is queued again.
    pub problem: Option<String>,
    /// The batch that it is of, and the id of its line there.
    pub item: Option<(String, String)>,
}

impl Job {
    /// The right to end this attempt.
    pub fn claim(&self) -> Claim {
        Claim {
            id: self.id.clone(),
            attempt: self.attempt,
        }
    }
}

/// The right to end one attempt of a job. Another attempt makes it worthless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub id: String,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// A report to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// ULID.
    pub id: String,
    /// Whose upload it answers.
    pub owner: String,
    /// In which lane that came.
    pub lane: Lane,
    /// When that was accepted.
    pub asked_ms: Millis,
    /// When the report was made.
    pub created_ms: Millis,
    /// The report as JSON.
    pub body: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With the content in the job's file; the job is queued for its next step.
    Fetched {
        /// BLAKE3 of the bytes, hex.
        blake3: String,
        /// Their number.
        bytes: u64,
    },
    /// With a report.
    Done(KeptReport),
    /// For good, with a problem as JSON.
    Failed(String),
    /// With a fault that can pass, as JSON; the job is queued again, but not before this time.
    Again {
        /// JSON of what went wrong.
        problem: String,
        /// When the next attempt may begin.
        not_before_ms: Millis,
    },
    /// By a server that shuts down: it doesn't count as an attempt.
    GivenBack,
}

/// Which jobs are listed, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those that stand here.
    pub status: Option<JobStatus>,
    /// Only those of this lane.
    pub lane: Option<Lane>,
    /// Only those that were accepted before the job of this place.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// What waits in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Jobs that are queued.
    pub queued: u64,
    /// Jobs of which an attempt is on its way.
    pub running: u64,
    /// When the oldest queued one was accepted.
    pub oldest_ms: Option<Millis>,
}

/// What the store may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Jobs that may be queued in each lane.
    pub queued: crate::domain::lanes::ByLane<u64>,
    /// Bytes that the uploads of unfinished jobs may take.
    pub bytes: u64,
}

/// A message about a job's end that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same at each delivery.
    pub id: String,
    /// The job.
    pub job_id: String,
    /// Where to.
    pub url: String,
    /// Deliveries that were tried.
    pub tries: u32,
    /// When the job ended.
    pub created_ms: Millis,
}

/// How a delivery of a message went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message_id: String,
    /// When it was tried.
    pub at_ms: Millis,
    /// How long that took.
    pub duration_ms: u64,
    /// Status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong otherwise.
    pub error: Option<String>,
}

/// What becomes of a message after a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It arrived.
    Delivered,
    /// It is tried again, not before this time.
    Retry(Millis),
    /// It is not tried again.
    GivenUp,
}
