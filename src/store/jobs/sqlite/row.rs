//! Rows as they stand in the tables, and what they mean.

use sqlx::FromRow;

use super::super::{Job, JobsError, KeptReport, Millis};
use crate::domain::job::{JobStatus, Step};
use crate::domain::lanes::Lane;

#[derive(Debug, FromRow)]
pub(super) struct JobRow {
    seq: i64,
    id: String,
    owner: String,
    lane: String,
    status: String,
    step: String,
    wishes: String,
    client_ref: Option<String>,
    callback_url: Option<String>,
    url: Option<String>,
    blake3: Option<String>,
    bytes: Option<i64>,
    attempt: u32,
    created_ms: Millis,
    started_ms: Option<Millis>,
    finished_ms: Option<Millis>,
    report_id: Option<String>,
    problem: Option<String>,
    batch_id: Option<String>,
    item_id: Option<String>,
}

#[derive(Debug, FromRow)]
pub(super) struct ReportRow {
    id: String,
    owner: String,
    lane: String,
    asked_ms: Millis,
    created_ms: Millis,
    body: String,
}

impl TryFrom<JobRow> for Job {
    type Error = JobsError;

    fn try_from(row: JobRow) -> Result<Self, JobsError> {
        let bytes = row.bytes.and_then(|bytes| u64::try_from(bytes).ok());
        Ok(Self {
            lane: lane(&row.lane)?,
            status: status(&row.status)?,
            step: known("a step", &row.step, [Step::Fetch, Step::Score], Step::name)?,
            seq: row.seq,
            id: row.id,
            owner: row.owner,
            wishes: row.wishes,
            client_ref: row.client_ref,
            callback_url: row.callback_url,
            url: row.url,
            file: row.blake3.zip(bytes),
            attempt: row.attempt,
            created_ms: row.created_ms,
            started_ms: row.started_ms,
            finished_ms: row.finished_ms,
            report_id: row.report_id,
            problem: row.problem,
            item: row.batch_id.zip(row.item_id),
        })
    }
}

impl TryFrom<ReportRow> for KeptReport {
    type Error = JobsError;

    fn try_from(row: ReportRow) -> Result<Self, JobsError> {
        Ok(Self {
            lane: lane(&row.lane)?,
            id: row.id,
            owner: row.owner,
            asked_ms: row.asked_ms,
            created_ms: row.created_ms,
            body: row.body,
        })
    }
}

pub(in crate::store) fn status(text: &str) -> Result<JobStatus, JobsError> {
    known("a status", text, JobStatus::ALL, JobStatus::name)
}

pub(in crate::store) fn lane(text: &str) -> Result<Lane, JobsError> {
    known("a lane", text, Lane::ALL, Lane::name)
}

/// The value of this name.
pub(in crate::store) fn known<T: Copy>(
    what: &'static str,
    text: &str,
    all: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
) -> Result<T, JobsError> {
    let found = all.into_iter().find(|one| name(*one) == text);
    found.ok_or_else(|| JobsError::Row {
        what,
        text: text.to_owned(),
    })
}
