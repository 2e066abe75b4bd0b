//! `GET /v1/batches/{id}/results`: how lines ended, as they do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::find;
use crate::domain::job::JobStatus;
use crate::http::access::Caller;
use crate::http::error::nothing_of_this_id;
use crate::http::problem::Problem;
use crate::http::routes::options::{unknown, unusable};
use crate::http::state::AppState;
use crate::store::batches::BatchResult;
use crate::worker::Desk;
use crate::worker::batches::ResultLine;

/// Results, without their reports, that are read at once.
const PAGE: u32 = 100;
/// Time between looks for further results.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time after which a follower gets an empty line if there is nothing else.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams the results of a batch as JSON lines, in the order in which its lines ended.
///
/// Each has the line's `id`, the `job_id`, and either `report` or `problem`; and a `cursor`, with
/// which as `after` another request goes on behind it. The stream ends with the newest result; with
/// `follow=true` it goes on until the batch is over or the server shuts down, and has an empty line
/// now and then.
#[utoipa::path(
    get,
    path = "/v1/batches/{id}/results",
    operation_id = "batch_results",
    params(
        ("id" = String, Path, description = "The batch's id"),
        ("after" = Option<String>, Query, description = "`cursor` of the last result that is known already"),
        ("follow" = Option<bool>, Query, description = "Wait for further results until the batch is over"),
    ),
    responses((status = 200, description = "JSON lines", body = String, content_type = "application/x-ndjson"))
)]
pub(in crate::http) async fn stream(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let desk = Arc::clone(state.desk()?);
    let (after, follow) = options(query.as_deref().unwrap_or_default())?;
    find(&desk, &caller, &id).await?;
    let reader = Reader {
        state,
        desk,
        id,
        after,
        follow,
        page: VecDeque::new(),
        told: Instant::now(),
    };
    let lines = futures_util::stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(line)) => Some((Ok(line), Some(reader))),
            Ok(None) => None,
            // The answer has begun: all that can be told is that it isn't whole.
            Err(Broken) => Some((Err(Broken), None)),
        }
    });
    let kind = [(CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

fn options(query: &str) -> Result<(i64, bool), Problem> {
    let (mut after, mut follow) = (0, false);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "after" => {
                let place = value.parse().ok().filter(|place: &i64| *place >= 0);
                after = place.ok_or_else(|| unusable("after", "the `cursor` of a result"))?;
            }
            "follow" => {
                follow = value
                    .parse()
                    .map_err(|_| unusable("follow", "true or false"))?;
            }
            other => return Err(unknown(other, "after, follow")),
        }
    }
    Ok((after, follow))
}

/// The stream broke off.
#[derive(Debug, thiserror::Error)]
#[error("the results can't be read")]
struct Broken;

struct Reader {
    state: AppState,
    desk: Arc<Desk>,
    id: String,
    after: i64,
    follow: bool,
    page: VecDeque<BatchResult>,
    told: Instant,
}

impl Reader {
    /// The next line; `None` at the end. One report at a time is in memory.
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            if let Some(result) = self.page.pop_front() {
                self.after = result.seq;
                self.told = Instant::now();
                return self.line(&result).await.map(Some);
            }
            // Before the look for results: the last one came before the end.
            let is_over = !self.follow || self.is_over().await?;
            let store = self.desk.store();
            let page = store.results(&self.id, self.after, PAGE).await;
            self.page = page.map_err(|error| broken(&error))?.into();
            if !self.page.is_empty() {
                continue;
            }
            if is_over {
                return Ok(None);
            }
            if self.told.elapsed() >= KEEP_ALIVE {
                self.told = Instant::now();
                return Ok(Some(Bytes::from_static(b"\n")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether nothing more will come: the batch is over or gone, or the server shuts down.
    async fn is_over(&self) -> Result<bool, Broken> {
        let batch = self.desk.store().batch(&self.id).await;
        let batch = batch.map_err(|error| broken(&error))?;
        let goes_on = batch.is_some_and(|batch| batch.finished_ms.is_none());
        Ok(!goes_on || self.state.is_draining())
    }

    async fn line(&self, result: &BatchResult) -> Result<Bytes, Broken> {
        let report = match &result.report_id {
            Some(id) => self.desk.store().report(id).await,
            None => Ok(None),
        };
        let report = report.map_err(|error| broken(&error))?;
        let report = report.and_then(|report| RawValue::from_string(report.body).ok());
        let problem = match (&report, &result.problem) {
            (Some(_), _) => None,
            (None, Some(problem)) => Some(problem.clone()),
            (None, None) => Some(without_problem(result.status).kept()),
        };
        let problem = problem.and_then(|json| RawValue::from_string(json).ok());
        let line = ResultLine {
            id: &result.item_id,
            client_ref: result.client_ref.as_deref(),
            job_id: Some(&result.job_id),
            cursor: Some(result.seq.to_string()),
            report: report.as_deref(),
            problem: problem.as_deref(),
        };
        line.bytes().map(Bytes::from).map_err(|_| Broken)
    }
}

/// Of a line that ended without a fault and whose report isn't here.
fn without_problem(status: JobStatus) -> Problem {
    match status {
        JobStatus::Done => nothing_of_this_id("report"),
        JobStatus::Cancelled => Problem::new(
            StatusCode::CONFLICT,
            "cancelled",
            "The line was cancelled",
            "Its batch or its job was cancelled before it was over.",
        ),
        JobStatus::Queued | JobStatus::Running | JobStatus::Failed => Problem::internal(),
    }
}

fn broken(error: &crate::store::JobsError) -> Broken {
    let error = error as &dyn std::error::Error;
    tracing::error!(error, "the results of a batch can't be read");
    Broken
}
