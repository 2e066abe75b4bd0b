//! `/v1/batches`: many videos by one manifest.

pub(in crate::http) mod results;
pub(in crate::http) mod submit;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::jobs::written;
use super::options::unknown;
use super::paging;
use crate::domain::job::BatchStatus;
use crate::http::access::Caller;
use crate::http::error::nothing_of_this_id;
use crate::http::problem::{Body, Problem};
use crate::http::state::AppState;
use crate::store::batches::{Batch, BatchFilter};
use crate::worker::Desk;
use crate::worker::batches::Pace;

/// A batch as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(in crate::http) struct BatchBody {
    /// ULID.
    id: String,
    status: BatchStatus,
    /// The caller's own word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ref: Option<String>,
    /// RFC 3339, UTC.
    created_at: String,
    /// When the first attempt at one of its lines began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    /// When its last line ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    manifest: ManifestBody,
    counts: CountsBody,
    /// Lines a second: of the newest thousand results up to now; of all, once the batch is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines_per_s: Option<f64>,
    /// Seconds for the lines that are left, at that pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_s: Option<f64>,
    /// Why the rest of the manifest could not become jobs.
    #[schema(value_type = Option<Body>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<RawValue>>,
}

/// What was sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Manifest)]
struct ManifestBody {
    /// Hex.
    blake3: String,
    bytes: u64,
}

/// How a batch's lines stand; all but `lines` add up to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchCounts)]
struct CountsBody {
    /// All of them, the empty ones left aside.
    lines: u64,
    /// Those that wait.
    queued: u64,
    /// Those of which an attempt is on its way.
    running: u64,
    /// Those with a report.
    done: u64,
    /// Those with a problem.
    failed: u64,
    /// Those that were given up.
    cancelled: u64,
}

impl From<Batch> for BatchBody {
    fn from(batch: Batch) -> Self {
        let pace = Pace::of(&batch, Timestamp::now().as_millisecond());
        let (status, counts) = (status(&batch), batch.counts);
        Self {
            id: batch.id,
            status,
            client_ref: batch.client_ref,
            created_at: written(batch.created_ms),
            started_at: batch.started_ms.map(written),
            finished_at: batch.finished_ms.map(written),
            manifest: ManifestBody {
                blake3: batch.blake3,
                bytes: batch.bytes,
            },
            counts: CountsBody {
                lines: counts.lines,
                queued: counts.queued(),
                running: counts.running,
                done: counts.done,
                failed: counts.failed,
                cancelled: counts.cancelled,
            },
            lines_per_s: pace.map(|pace| pace.lines_per_s),
            remaining_s: pace.map(|pace| pace.remaining_s),
            problem: batch
                .problem
                .and_then(|json| RawValue::from_string(json).ok()),
        }
    }
}

fn status(batch: &Batch) -> BatchStatus {
    match (batch.finished_ms, batch.cancelled_ms, batch.started_ms) {
        (Some(_), Some(_), _) => BatchStatus::Cancelled,
        (Some(_), None, _) => BatchStatus::Done,
        (None, _, Some(_)) => BatchStatus::Running,
        (None, _, None) => BatchStatus::Queued,
    }
}

/// The batch of this id, if the caller may see it.
async fn find(desk: &Desk, caller: &Caller, id: &str) -> Result<Batch, Problem> {
    let batch = desk.store().batch(id).await?;
    let batch = batch.filter(|batch| caller.may_see(&batch.owner));
    batch.ok_or_else(|| nothing_of_this_id("batch"))
}

/// Shows how a batch stands.
#[utoipa::path(
    get,
    path = "/v1/batches/{id}",
    operation_id = "batch",
    params(("id" = String, Path, description = "The batch's id")),
    responses((status = 200, description = "The batch", body = BatchBody))
)]
pub(in crate::http) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let batch = find(state.desk()?, &caller, &id).await?;
    Ok(Json(BatchBody::from(batch)).into_response())
}

/// Cancels what isn't over of a batch.
///
/// Results that are there stay. Attempts that run are given up.
#[utoipa::path(
    delete,
    path = "/v1/batches/{id}",
    operation_id = "cancel_batch",
    params(("id" = String, Path, description = "The batch's id")),
    responses((status = 200, description = "The batch as it stands now", body = BatchBody))
)]
pub(in crate::http) async fn cancel(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    find(desk, &caller, &id).await?;
    let batch = desk.cancel_batch(&id).await?;
    let batch = batch.ok_or_else(|| nothing_of_this_id("batch"))?;
    Ok(Json(BatchBody::from(batch)).into_response())
}

/// A page of batches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batches)]
pub(in crate::http) struct Page {
    /// Newest first.
    batches: Vec<BatchBody>,
    /// What `cursor` has to be for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Lists the caller's batches, newest first.
#[utoipa::path(
    get,
    path = "/v1/batches",
    operation_id = "batches",
    params(
        ("limit" = Option<u32>, Query, description = "Batches of this page", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "Goes on where the page with this `cursor` ended"),
    ),
    responses((status = 200, description = "The batches", body = Page))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Problem> {
    let desk = state.desk()?;
    let mut filter = filter(query.as_deref().unwrap_or_default())?;
    filter.owner = (!caller.sees_all).then(|| caller.owner.to_string());
    let batches = desk.store().batches(&filter).await?;
    let cursor = paging::cursor(&batches, filter.limit, |batch| batch.seq);
    let batches = batches.into_iter().map(BatchBody::from).collect();
    Ok(Json(Page { batches, cursor }))
}

fn filter(query: &str) -> Result<BatchFilter, Problem> {
    let mut filter = BatchFilter {
        limit: paging::PAGE,
        ..BatchFilter::default()
    };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "limit" => filter.limit = paging::limit(&value)?,
            "cursor" => filter.before = Some(paging::before(&value)?),
            other => return Err(unknown(other, "limit, cursor")),
        }
    }
    Ok(filter)
}
