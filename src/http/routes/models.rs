//! `GET /v1/models`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::inference::{FinderInfo, Model};

/// What is loaded, with versions, hashes, licence, status and the provider in use.
pub(super) async fn list(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let pipeline = state.pipeline()?;
    let default = pipeline.default_models();
    let models: Vec<Value> = pipeline
        .models()
        .list()
        .map(|model| describe(model, default))
        .collect();
    let finders = pipeline.models().finders().map(|finder| finder.info());
    let finders: Vec<&FinderInfo> = finders.collect();
    Ok(Json(json!({ "models": models, "finders": finders })))
}

fn describe(model: &Model, default: &[String]) -> Value {
    let info = model.info();
    let mut shown = json!({
        "name": info.name,
        "version": info.version,
        "sha256": info.sha256,
        "status": info.status,
        "question": info.question,
        "kind": info.kind,
        "license": info.license,
        "backbone": info.backbone,
        "provider": info.provider,
        "default": default.contains(&info.name),
        "calibration": model.calibration().name(),
        "aggregation": model.aggregation().name(),
        "thresholds": model.thresholds(),
        "max_batch": info.max_batch,
        "sessions": info.sessions,
        "intra_threads": info.intra_threads,
    });
    super::health::add(&mut shown, &info.placement);
    shown
}
