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
    let report = report.filter(|report| caller.may_see(&report.owner));
    let report = report.ok_or_else(|| nothing_of_this_id("report"))?;
    Ok(([(CONTENT_TYPE, "application/json")], report.body).into_response())
}
