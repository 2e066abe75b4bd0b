//! `GET /v1/models`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::verdict::Thresholds;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::inference::{FinderInfo, Model, ModelInfo};

/// What is loaded.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Loaded {
    /// Models that score, by name.
    models: Vec<LoadedModel>,
    /// What finds faces for them, by name.
    finders: Vec<FinderInfo>,
}

/// A model that scores.
#[derive(Debug, Serialize, ToSchema)]
struct LoadedModel {
    #[serde(flatten)]
    info: ModelInfo,
    /// It scores when a request names no model.
    default: bool,
    /// Kind of calibration.
    calibration: &'static str,
    /// Kind of aggregation.
    aggregation: &'static str,
    /// Of its verdict.
    thresholds: Thresholds,
}

/// What is loaded, with versions, hashes, licence, status and the provider in use.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "models",
    responses((status = 200, description = "All models and finders", body = Loaded))
)]
pub(in crate::http) async fn list(State(state): State<AppState>) -> Result<Json<Loaded>, Problem> {
    let pipeline = state.pipeline()?;
    let default = pipeline.default_models();
    let models = pipeline.models().list();
    let finders = pipeline.models().finders();
    Ok(Json(Loaded {
        models: models.map(|model| describe(model, default)).collect(),
        finders: finders.map(|finder| finder.info().clone()).collect(),
    }))
}

fn describe(model: &Model, default: &[String]) -> LoadedModel {
    let info = model.info();
    LoadedModel {
        info: info.clone(),
        default: default.contains(&info.name),
        calibration: model.calibration().name(),
        aggregation: model.aggregation().name(),
        thresholds: model.thresholds(),
    }
}
