//! `/v1/reports/{id}/decision`: what a person decides on a report.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::audit::Head;
use crate::domain::review::{Review, Ruling};
use crate::http::access::Caller;
use crate::http::error::nothing_of_this_id;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::upload;

/// Bytes of the JSON.
const LONGEST: usize = 64 * 1024;

/// What a reviewer decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewDecision {
    /// Whether the action of the report stands.
    ruling: Ruling,
    /// Who decided.
    #[schema(min_length = 1, max_length = 128)]
    reviewer: String,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 4000)]
    note: String,
    /// Whether it is on an appeal.
    #[serde(default)]
    appeal: bool,
}

/// A decision that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Taken {
    #[serde(flatten)]
    decision: Review,
    /// The chain of all that was ever decided, which ends with this decision.
    chain: Head,
}

/// Takes a person's decision on a report.
///
/// A report can have several; the last one counts. The report itself doesn't change. It may be
/// deleted already, as long as it is counted.
#[utoipa::path(
    post,
    path = "/v1/reports/{id}/decision",
    operation_id = "decide",
    params(("id" = String, Path, description = "The report's id")),
    request_body = NewDecision,
    responses((status = 201, description = "The decision as it is kept", body = Taken))
)]
pub(in crate::http) async fn decide(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    let new = read(&state, request).await?;
    let decision = Review {
        appeal: new.appeal,
        decided_at: now(),
        key: caller.owner.to_string(),
        note: new.note,
        report: id,
        reviewer: new.reviewer.trim().to_owned(),
        ruling: new.ruling,
    };
    decision.validate().map_err(|error| {
        let detail = format!("The decision can't be taken: {error}.");
        Problem::bad_request(detail)
    })?;
    let sealed = desk.store().review(decision.clone()).await?;
    let sealed = sealed.ok_or_else(|| nothing_of_this_id("report"))?;
    let taken = Taken {
        decision,
        chain: sealed.head(),
    };
    Ok((StatusCode::CREATED, Json(taken)).into_response())
}

/// As it is kept: to the millisecond.
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

async fn read(state: &AppState, request: Request) -> Result<NewDecision, Problem> {
    let body = upload::small(state, request, LONGEST).await?;
    let wrong = |error: serde_json::Error| {
        Problem::bad_request(format!("The body is no decision: {error}."))
    };
    // Not at once as what it should be: a list would do for that.
    let members: Map<String, Value> = serde_json::from_slice(&body).map_err(wrong)?;
    serde_json::from_value(Value::Object(members)).map_err(wrong)
}

/// Decisions on one report.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Decisions {
    /// Id of the report.
    report: String,
    /// Oldest first; the last one counts.
    decisions: Vec<Review>,
}

/// Shows what people decided on a report.
#[utoipa::path(
    get,
    path = "/v1/reports/{id}/decisions",
    operation_id = "decisions",
    params(("id" = String, Path, description = "The report's id")),
    responses((status = 200, description = "The decisions", body = Decisions))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Decisions>, Problem> {
    let decisions = state.desk()?.store().reviews(&id).await?;
    let decisions = decisions.ok_or_else(|| nothing_of_this_id("report"))?;
    Ok(Json(Decisions {
        report: id,
        decisions,
    }))
}
