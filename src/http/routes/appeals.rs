//! `/v1/reports/{id}/appeal`: a report made anew, beside the old one.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::jobs::written;
use crate::domain::policy::StoredFindings;
use crate::domain::report::Report;
use crate::http::access::Caller;
use crate::http::error::nothing_of_this_id;
use crate::http::problem::Problem;
use crate::http::routes::score::Form;
use crate::http::state::AppState;
use crate::http::upload;
use crate::pipeline::AnalyzeError;
use crate::pipeline::again::{Again, Material};
use crate::store::appeals::{Appeal, AppealMaterial, MOST_APPEALS};
use crate::store::jobs::KeptReport;
use crate::worker::Desk;

/// A report and what was made of it anew.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Appeals)]
pub(in crate::http) struct Body {
    /// The report as it was stored.
    #[schema(value_type = Report)]
    old: Box<RawValue>,
    /// Oldest first.
    appeals: Vec<AppealBody>,
}

/// A report that was made anew.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Appeal)]
struct AppealBody {
    /// RFC 3339, UTC.
    created_at: String,
    /// What it was made from: `frames` or `content`.
    material: &'static str,
    /// By the models and the policy of that time; `rescored_of` has the old one's id.
    #[schema(value_type = Report)]
    new: Box<RawValue>,
}

/// Scores a report's video again by the models, and decides by the policy, of now.
///
/// With a body, which must be the same upload; else from its kept frames. Both reports stay, and the
/// first one is the one that counts.
#[utoipa::path(
    post,
    path = "/v1/reports/{id}/appeal",
    operation_id = "appeal",
    params(("id" = String, Path, description = "The report's id")),
    request_body(
        description = "The same file again, or a form with it; empty where its frames are kept",
        content((String = "application/octet-stream"), (Form = "multipart/form-data"))
    ),
    responses((status = 201, description = "Both reports, with those of earlier appeals", body = Body))
)]
pub(in crate::http) async fn submit(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let pipeline = state.pipeline()?;
    let desk = state.desk()?;
    let old = find(desk, &caller, &id).await?;
    if desk.store().appeals(&id).await?.len() >= MOST_APPEALS as usize {
        return Err(too_many());
    }
    let findings: StoredFindings =
        serde_json::from_str(&old.body).map_err(|_| Problem::internal())?;
    let again = Again {
        report: id.clone(),
        policy: pipeline.policies().now(&findings.decision.name)?,
        lane: old.lane,
        region: findings.case().region,
    };
    let ticket = pipeline.admission().enter(caller.lane)?;
    let sent = upload::receive(&state, request).await?;
    let material = if sent.bytes == 0 {
        Material::Kept
    } else if Some(&sent.blake3) == content_of(&old).as_ref() {
        Material::Content(sent)
    } else {
        return Err(other_content());
    };
    let made_from = match material {
        Material::Kept => AppealMaterial::Frames,
        Material::Content(_) => AppealMaterial::Content,
    };
    let analyzed = async {
        let permit = pipeline.admission().work(ticket).await?;
        pipeline.again(&again, material, permit).await
    };
    let analyzed = analyzed.await;
    state.metrics().analyzed(caller.lane, analyzed.as_deref());
    let report = analyzed.map_err(gone)?;
    let appeal = Appeal {
        id: report.id.clone(),
        report_id: id.clone(),
        owner: caller.owner.to_string(),
        created_ms: Timestamp::now().as_millisecond(),
        material: made_from,
        body: serde_json::to_string(&*report).map_err(|_| Problem::internal())?,
    };
    if !desk.store().appeal(&appeal).await? {
        return Err(too_many());
    }
    Ok((StatusCode::CREATED, Json(body(desk, old).await?)).into_response())
}

/// Shows a report beside those that were made of it anew.
#[utoipa::path(
    get,
    path = "/v1/reports/{id}/appeal",
    operation_id = "appeals",
    params(("id" = String, Path, description = "The report's id")),
    responses((status = 200, description = "Both reports", body = Body))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Body>, Problem> {
    let desk = state.desk()?;
    let old = find(desk, &caller, &id).await?;
    Ok(Json(body(desk, old).await?))
}

async fn find(desk: &Desk, caller: &Caller, id: &str) -> Result<KeptReport, Problem> {
    let report = desk.store().report(id).await?;
    let report = report.filter(|report| caller.may_see(&report.owner));
    report.ok_or_else(|| nothing_of_this_id("report"))
}

async fn body(desk: &Desk, old: KeptReport) -> Result<Body, Problem> {
    let raw = |text: String| RawValue::from_string(text).map_err(|_| Problem::internal());
    let mut appeals = Vec::new();
    for appeal in desk.store().appeals(&old.id).await? {
        appeals.push(AppealBody {
            created_at: written(appeal.created_ms),
            material: appeal.material.name(),
            new: raw(appeal.body)?,
        });
    }
    Ok(Body {
        old: raw(old.body)?,
        appeals,
    })
}

/// BLAKE3 of a stored report's upload.
fn content_of(report: &KeptReport) -> Option<String> {
    let report: serde_json::Value = serde_json::from_str(&report.body).ok()?;
    Some(report["media"]["blake3"].as_str()?.to_owned())
}

/// Nothing is left to score, or not what the models of now want to see.
fn gone(error: AnalyzeError) -> Problem {
    let told = if matches!(error, AnalyzeError::NothingKept(_)) {
        "No frames of it are kept; send the same file again."
    } else if matches!(error, AnalyzeError::KeptPlan { .. }) {
        "The models of now want other frames than were kept; send the same file again."
    } else {
        return error.into();
    };
    Problem::new(
        StatusCode::CONFLICT,
        "content_gone",
        "There is nothing to score again",
        told,
    )
}

fn other_content() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "other_content",
        "The file is another one",
        "The file that was sent is not the one that the report is about.",
    )
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "limit_exceeded",
        "The report has too many appeals",
        format!("A report can have {MOST_APPEALS} appeals."),
    )
    .with("limit", "appeals")
    .with("allowed", MOST_APPEALS)
}

/// Statuses and codes of an appeal, besides those of an analysis.
pub(in crate::http) fn problems() -> [(StatusCode, &'static str); 4] {
    [
        (StatusCode::NOT_FOUND, "not_found"),
        (StatusCode::CONFLICT, "content_gone"),
        (StatusCode::CONFLICT, "other_content"),
        (StatusCode::UNPROCESSABLE_ENTITY, "limit_exceeded"),
    ]
}
