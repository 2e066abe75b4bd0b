//! `/v1/policies`: what decides.

pub(in crate::http) mod simulate;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::policy::Rule;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::pipeline::policies::LoadedPolicy;

/// What decides.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct LoadedPolicies {
    /// By name.
    policies: Vec<PolicyInfo>,
}

/// A policy in use.
#[derive(Debug, Serialize, ToSchema)]
struct PolicyInfo {
    /// Unique among those in use.
    name: String,
    /// As its file says.
    version: String,
    /// BLAKE3 of its file, hex.
    blake3: String,
    /// It decides when a request names no policy.
    default: bool,
    /// It is part of the program and has no file.
    built_in: bool,
    /// Whether requests that don't say otherwise have no more frames scored than their verdict needs.
    adaptive: bool,
    /// Weakest first; the first is decided when no rule applies.
    actions: Vec<String>,
    /// In the order of the file.
    rules: Vec<Rule>,
    /// RFC 3339, UTC: since when this version decides.
    loaded_since: String,
}

/// The policies in use, with their rules, versions and hashes.
#[utoipa::path(
    get,
    path = "/v1/policies",
    operation_id = "policies",
    responses((status = 200, description = "All policies", body = LoadedPolicies))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
) -> Result<Json<LoadedPolicies>, Problem> {
    let policies = state.pipeline()?.policies();
    let in_use = policies.in_use();
    let each = in_use.values();
    Ok(Json(LoadedPolicies {
        policies: each
            .map(|loaded| describe(loaded, policies.default_name()))
            .collect(),
    }))
}

fn describe(loaded: &LoadedPolicy, default: &str) -> PolicyInfo {
    let policy = &loaded.policy;
    PolicyInfo {
        name: policy.name.clone(),
        version: policy.version.clone(),
        blake3: policy.blake3.clone(),
        default: policy.name == default,
        built_in: loaded.built_in,
        adaptive: policy.adaptive,
        actions: policy.actions().to_vec(),
        rules: policy.rules().to_vec(),
        loaded_since: loaded.since.to_string(),
    }
}
