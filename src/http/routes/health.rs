//! `GET /healthz` and `GET /readyz`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// The models are loaded and warm, and the server takes work: 200 with what runs where, else 503.
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let pipeline = state.pipeline()?;
    let models: Vec<Value> = pipeline
        .models()
        .list()
        .map(|model| {
            let info = model.info();
            json!({ "name": info.name, "version": info.version, "provider": info.provider.name() })
        })
        .collect();
    Ok(Json(json!({
        "status": "ready",
        "models": models,
        "requests_inside": pipeline.admission().inside(),
    })))
}
