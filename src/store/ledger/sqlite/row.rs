//! Rows as they stand in the tables, and what they mean.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::super::Recorded;
use crate::domain::audit::EntryKind;
use crate::domain::counted::Counted;
use crate::domain::review::{Review, Ruling};
use crate::domain::transparency::Decided;
use crate::store::jobs::sqlite::row::{known, lane};
use crate::store::jobs::{JobsError, Millis};

/// Columns of a record, for [`RecordRow`]. The table has the alias `l`.
pub(super) const RECORD: &str = "l.entry, l.report, l.report_blake3, l.media_blake3, l.is_still, \
     l.lane, l.policy, l.policy_version, l.rule, l.rule_score, l.rule_threshold, l.action, \
     l.verdict, l.score, l.asked_ms, l.created_ms, l.ruling, l.ruled_ms, \
     (SELECT j.client_ref FROM jobs j WHERE j.report_id = l.report AND j.client_ref IS NOT NULL \
     LIMIT 1) AS client_ref";

#[derive(Debug, FromRow)]
pub(super) struct RecordRow {
    entry: i64,
    report: String,
    report_blake3: String,
    media_blake3: String,
    is_still: bool,
    lane: String,
    policy: String,
    policy_version: String,
    rule: String,
    rule_score: Option<f64>,
    rule_threshold: Option<f64>,
    action: String,
    verdict: String,
    score: Option<f64>,
    asked_ms: Millis,
    created_ms: Millis,
    ruling: Option<String>,
    ruled_ms: Option<Millis>,
    #[sqlx(default)]
    client_ref: Option<String>,
}

impl TryFrom<RecordRow> for Recorded {
    type Error = JobsError;

    fn try_from(row: RecordRow) -> Result<Self, JobsError> {
        let ruling = row.ruling.as_deref().map(ruling).transpose()?;
        Ok(Self {
            entry: u64::try_from(row.entry).unwrap_or_default(),
            ruling: ruling.map(|ruling| (ruling, row.ruled_ms.unwrap_or_default())),
            client_ref: row.client_ref,
            counted: Counted {
                action: row.action,
                asked_ms: row.asked_ms,
                created_ms: row.created_ms,
                is_still: row.is_still,
                lane: lane(&row.lane)?,
                media_blake3: row.media_blake3,
                policy: row.policy,
                policy_version: row.policy_version,
                report: row.report,
                report_blake3: row.report_blake3,
                rule: row.rule,
                rule_score: row.rule_score,
                rule_threshold: row.rule_threshold,
                score: row.score,
                verdict: row.verdict,
            },
        })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct DecidedRow {
    policy: String,
    policy_version: String,
    rule: String,
    action: String,
    verdict: String,
    lane: String,
    ruling: Option<String>,
    asked_ms: Millis,
    created_ms: Millis,
}

impl TryFrom<DecidedRow> for Decided {
    type Error = JobsError;

    fn try_from(row: DecidedRow) -> Result<Self, JobsError> {
        Ok(Self {
            lane: lane(&row.lane)?,
            ruling: row.ruling.as_deref().map(ruling).transpose()?,
            policy: row.policy,
            policy_version: row.policy_version,
            rule: row.rule,
            action: row.action,
            verdict: row.verdict,
            received_at: time(row.asked_ms),
            decided_at: time(row.created_ms),
        })
    }
}

/// Columns of a decision, for [`ReviewRow`].
pub(super) const REVIEW: &str = "entry, report, ruling, reviewer, key, note, appeal, decided_ms";

#[derive(Debug, FromRow)]
pub(super) struct ReviewRow {
    pub(super) entry: i64,
    report: String,
    ruling: String,
    reviewer: String,
    key: String,
    note: String,
    appeal: bool,
    decided_ms: Millis,
}

impl ReviewRow {
    /// Of columns whose names begin with `v_`.
    pub(super) fn prefixed(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            entry: row.try_get("v_entry")?,
            report: row.try_get("v_report")?,
            ruling: row.try_get("v_ruling")?,
            reviewer: row.try_get("v_reviewer")?,
            key: row.try_get("v_key")?,
            note: row.try_get("v_note")?,
            appeal: row.try_get("v_appeal")?,
            decided_ms: row.try_get("v_decided_ms")?,
        })
    }
}

impl TryFrom<ReviewRow> for Review {
    type Error = JobsError;

    fn try_from(row: ReviewRow) -> Result<Self, JobsError> {
        Ok(Self {
            appeal: row.appeal,
            decided_at: time(row.decided_ms),
            key: row.key,
            note: row.note,
            report: row.report,
            reviewer: row.reviewer,
            ruling: ruling(&row.ruling)?,
        })
    }
}

fn time(millis: Millis) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn ruling(text: &str) -> Result<Ruling, JobsError> {
    known("a ruling", text, Ruling::ALL, Ruling::name)
}

pub(super) fn kind(text: &str) -> Result<EntryKind, JobsError> {
    known("a kind of entry", text, EntryKind::ALL, EntryKind::name)
}
