//! `GET /healthz` and `GET /readyz`.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::inference::Placement;
use crate::media::sandbox::Walls;

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
            let placement = &info.placement;
            let mut shown =
                json!({ "name": info.name, "version": info.version, "provider": info.provider });
            add(&mut shown, placement);
            shown
        })
        .collect();
    Ok(Json(json!({
        "status": "ready",
        "models": models,
        "sandbox": sandbox(pipeline.walls()),
        "requests_inside": pipeline.admission().inside(),
    })))
}

/// Adds what ran where to what is said of a model.
pub(super) fn add(shown: &mut Value, placement: &Placement) {
    if let (Value::Object(shown), Value::Object(more)) = (shown, json!(placement)) {
        shown.extend(more);
    }
}

/// Which walls around a decoder child stand; the details are for `jaga doctor` and the log.
fn sandbox(walls: &Walls) -> Value {
    let layers: Map<String, Value> = walls
        .each()
        .into_iter()
        .map(|(name, wall)| (name.to_owned(), wall.in_force.into()))
        .collect();
    json!({ "complete": walls.missing().is_none(), "layers": layers })
}
