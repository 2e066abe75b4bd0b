//! `/v1/reports`: what was answered.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::domain::report::Report;
use crate::http::access::Caller;
use crate::http::error::nothing_of_this_id;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Shows a report that was made before, of a job or of `/v1/score`.
///
/// It is there for `jobs.keep_days`, for the key that sent the upload, reviewers and admins.
#[utoipa::path(
    get,
    path = "/v1/reports/{id}",
    operation_id = "report",
    params(("id" = String, Path, description = "The report's id")),
    responses((status = 200, description = "The report", body = Report))
)]
pub(in crate::http) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    let report = desk.store().report(&id).await?;
    if let Some(report) = report.filter(|report| caller.may_see(&report.owner)) {
        return Ok(shown(report.body));
    }
    // One that was made anew is seen by who sees the first one.
    if let Some(appeal) = desk.store().appealed(&id).await? {
        let first = desk.store().report(&appeal.report_id).await?;
        if first.is_some_and(|first| caller.may_see(&first.owner)) {
            return Ok(shown(appeal.body));
        }
    }
    Err(nothing_of_this_id("report"))
}

fn shown(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
