//! Rows as they stand in the tables, and what they mean.

use sqlx::FromRow;

use super::{Batch, BatchResult, Counts, Hungry, Place};
use crate::store::jobs::sqlite::row;
use crate::store::jobs::{JobsError, Millis};

#[derive(Debug, FromRow)]
pub(super) struct BatchRow {
    seq: i64,
    id: String,
    owner: String,
    client_ref: Option<String>,
    blake3: String,
    bytes: i64,
    lines: i64,
    fed_lines: i64,
    running: i64,
    done: i64,
    failed: i64,
    cancelled: i64,
    created_ms: Millis,
    started_ms: Option<Millis>,
    cancelled_ms: Option<Millis>,
    finished_ms: Option<Millis>,
    problem: Option<String>,
}

#[derive(Debug, FromRow)]
pub(super) struct HungryRow {
    id: String,
    owner: String,
    blake3: String,
    bytes: i64,
    lines: i64,
    fed_bytes: i64,
    fed_lines: i64,
    live: i64,
}

#[derive(Debug, FromRow)]
pub(super) struct ResultRow {
    seq: i64,
    item_id: String,
    job_id: String,
    client_ref: Option<String>,
    status: String,
    report_id: Option<String>,
    problem: Option<String>,
}

impl From<BatchRow> for Batch {
    fn from(row: BatchRow) -> Self {
        Self {
            seq: row.seq,
            id: row.id,
            owner: row.owner,
            client_ref: row.client_ref,
            blake3: row.blake3,
            bytes: count(row.bytes),
            counts: Counts {
                lines: count(row.lines),
                fed: count(row.fed_lines),
                running: count(row.running),
                done: count(row.done),
                failed: count(row.failed),
                cancelled: count(row.cancelled),
            },
            created_ms: row.created_ms,
            started_ms: row.started_ms,
            cancelled_ms: row.cancelled_ms,
            finished_ms: row.finished_ms,
            problem: row.problem,
            recent: None,
        }
    }
}

impl From<HungryRow> for Hungry {
    fn from(row: HungryRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            blake3: row.blake3,
            bytes: count(row.bytes),
            lines: count(row.lines),
            place: Place {
                bytes: count(row.fed_bytes),
                lines: count(row.fed_lines),
            },
            live: count(row.live),
        }
    }
}

impl TryFrom<ResultRow> for BatchResult {
    type Error = JobsError;

    fn try_from(row: ResultRow) -> Result<Self, JobsError> {
        Ok(Self {
            status: row::status(&row.status)?,
            seq: row.seq,
            item_id: row.item_id,
            job_id: row.job_id,
            client_ref: row.client_ref,
            report_id: row.report_id,
            problem: row.problem,
        })
    }
}

pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
