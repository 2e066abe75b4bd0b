//! `/v1/jobs`: videos that are scored while nobody waits.

pub(in crate::http) mod by_url;
pub(in crate::http) mod callbacks;
pub(in crate::http) mod events;
pub(in crate::http) mod submit;
pub(in crate::http::routes) mod wishes;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::options::{unknown, unusable};
use super::paging;
use crate::domain::flag::Organisation;
use crate::domain::job::JobStatus;
use crate::domain::lanes::Lane;
use crate::domain::report::Report;
use crate::http::access::Caller;
use crate::http::error::nothing_of_this_id;
use crate::http::problem::{Body, Problem};
use crate::http::state::AppState;
use crate::store::jobs::{Filter, Job, Millis};
use crate::worker::Desk;

/// A job as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(in crate::http) struct JobBody {
    /// ULID.
    id: String,
    status: JobStatus,
    /// Where it waits: `flagger`, `live` or `backfill`.
    #[schema(value_type = String)]
    lane: Lane,
    /// The caller's own word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ref: Option<String>,
    /// The batch that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    /// The id of its line there.
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<String>,
    /// RFC 3339, UTC.
    created_at: String,
    /// When its first attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// Attempts that have begun.
    attempts: u32,
    /// Id of the report, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    report_id: Option<String>,
    /// The report, where one job is shown.
    #[schema(value_type = Option<Report>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Box<RawValue>>,
    /// Of whose flag it is the job, where one job is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<FlagNote>,
    /// What went wrong; of the last attempt while the job is queued again.
    #[schema(value_type = Option<Body>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<RawValue>>,
}

/// What a job's end says of the flag that it answers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FlagNote {
    organisation: Organisation,
    /// The reporter's own number of the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    case_ref: Option<String>,
    /// When an answer is due. RFC 3339, UTC.
    due_at: String,
}

impl From<Job> for JobBody {
    fn from(job: Job) -> Self {
        let (batch_id, item_id) = job.item.unzip();
        Self {
            batch_id,
            item_id,
            id: job.id,
            status: job.status,
            lane: job.lane,
            client_ref: job.client_ref,
            created_at: written(job.created_ms),
            started_at: job.started_ms.map(written),
            finished_at: job.finished_ms.map(written),
            attempts: job.attempt,
            report_id: job.report_id,
            report: None,
            flag: None,
            problem: job
                .problem
                .and_then(|json| RawValue::from_string(json).ok()),
        }
    }
}

pub(in crate::http::routes) fn written(ms: Millis) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

/// `job` with its report.
pub(in crate::http::routes) async fn whole(desk: &Desk, job: Job) -> Result<JobBody, Problem> {
    let report = match &job.report_id {
        Some(id) => desk.store().report(id).await?,
        None => None,
    };
    let flag = match job.lane {
        Lane::Flagger => desk.store().flag(&job.id).await?,
        Lane::Live | Lane::Backfill => None,
    };
    let mut body = JobBody::from(job);
    body.flag = flag.map(|flag| FlagNote {
        organisation: flag.organisation,
        case_ref: flag.grounds.case_ref,
        due_at: written(flag.due_ms),
    });
    body.report = report.and_then(|report| RawValue::from_string(report.body).ok());
    Ok(body)
}

/// The job of this id, if the caller may see it.
pub(super) async fn find(desk: &Desk, caller: &Caller, id: &str) -> Result<Job, Problem> {
    let job = desk.store().job(id).await?;
    let job = job.filter(|job| caller.may_see(&job.owner));
    job.ok_or_else(|| nothing_of_this_id("job"))
}

/// Shows a job, with its report or problem.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    operation_id = "job",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobBody))
)]
pub(in crate::http) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    let job = find(desk, &caller, &id).await?;
    Ok(Json(whole(desk, job).await?).into_response())
}

/// Cancels a job.
///
/// One that is over stays as it is. An attempt that runs is given up.
#[utoipa::path(
    delete,
    path = "/v1/jobs/{id}",
    operation_id = "cancel_job",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job as it stands now", body = JobBody))
)]
pub(in crate::http) async fn cancel(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    find(desk, &caller, &id).await?;
    let job = desk.cancel(&id).await?;
    let job = job.ok_or_else(|| nothing_of_this_id("job"))?;
    Ok(Json(whole(desk, job).await?).into_response())
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Jobs)]
pub(in crate::http) struct Page {
    /// Newest first, without reports.
    jobs: Vec<JobBody>,
    /// What `cursor` has to be for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Lists the caller's jobs, newest first.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    operation_id = "jobs",
    params(
        ("status" = Option<JobStatus>, Query, description = "Only those that stand here"),
        ("lane" = Option<String>, Query, description = "Only those of this lane"),
        ("limit" = Option<u32>, Query, description = "Jobs of this page", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "Goes on where the page with this `cursor` ended"),
    ),
    responses((status = 200, description = "The jobs", body = Page))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Problem> {
    let desk = state.desk()?;
    let mut filter = filter(query.as_deref().unwrap_or_default())?;
    filter.owner = (!caller.sees_all).then(|| caller.owner.to_string());
    let jobs = desk.store().jobs(&filter).await?;
    let cursor = paging::cursor(&jobs, filter.limit, |job| job.seq);
    let jobs = jobs.into_iter().map(JobBody::from).collect();
    Ok(Json(Page { jobs, cursor }))
}

fn filter(query: &str) -> Result<Filter, Problem> {
    let mut filter = Filter {
        limit: paging::PAGE,
        ..Filter::default()
    };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "status" => {
                let status = JobStatus::ALL.into_iter().find(|s| s.name() == value);
                let status = status.ok_or_else(|| {
                    unusable("status", "queued, running, done, failed or cancelled")
                });
                filter.status = Some(status?);
            }
            "lane" => filter.lane = Some(lane(&value)?),
            "limit" => filter.limit = paging::limit(&value)?,
            "cursor" => filter.before = Some(paging::before(&value)?),
            other => return Err(unknown(other, "status, lane, limit, cursor")),
        }
    }
    Ok(filter)
}

pub(in crate::http) fn lane(name: &str) -> Result<Lane, Problem> {
    let lane = Lane::ALL.into_iter().find(|lane| lane.name() == name);
    lane.ok_or_else(|| unusable("lane", "flagger, live or backfill"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read() {
        let got = filter("status=done&lane=backfill&limit=7&cursor=12").unwrap();
        let want = Filter {
            owner: None,
            status: Some(JobStatus::Done),
            lane: Some(Lane::Backfill),
            before: Some(12),
            limit: 7,
        };
        assert_eq!(got, want);
        for bad in [
            "status=over",
            "lane=fast",
            "limit=0",
            "limit=501",
            "cursor=x",
            "state=done",
        ] {
            assert_eq!(filter(bad).unwrap_err().code(), "bad_request", "{bad}");
        }
    }
}
