//! `GET /healthz` and `GET /readyz`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::lanes::Lane;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::inference::{Placement, Provider};
use crate::media::sandbox::Walls;

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Alive {
    /// `alive`
    status: &'static str,
}

/// The server takes work.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Ready {
    /// `ready`
    status: &'static str,
    /// What is loaded and warm.
    models: Vec<ReadyModel>,
    sandbox: Sandbox,
    /// Requests that wait or run now, their uploads included.
    requests_inside: usize,
}

/// A model that is loaded and warm.
#[derive(Debug, Serialize, ToSchema)]
struct ReadyModel {
    /// The bundle's name.
    name: String,
    /// The bundle's version.
    version: String,
    /// The execution provider that runs it, by ONNX Runtime's name.
    #[schema(value_type = String)]
    provider: Provider,
    /// What ran where, and what was passed over.
    #[serde(flatten)]
    placement: Placement,
}

/// Which walls around a decoder child stand; the details are for `jaga doctor` and the log.
#[derive(Debug, Serialize, ToSchema)]
struct Sandbox {
    /// All of them.
    complete: bool,
    /// Each by its name.
    layers: BTreeMap<&'static str, bool>,
}

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    responses((status = 200, description = "It does", body = Alive))
)]
pub(in crate::http) async fn alive() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether the models are loaded and warm and the server takes work.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    responses((status = 200, description = "It does, with what runs where", body = Ready))
)]
pub(in crate::http) async fn ready(State(state): State<AppState>) -> Result<Json<Ready>, Problem> {
    let pipeline = state.ready()?;
    let inside = Lane::ALL
        .iter()
        .map(|lane| pipeline.admission().inside(*lane));
    let models = pipeline.models().list().map(|model| {
        let info = model.info();
        ReadyModel {
            name: info.name.clone(),
            version: info.version.clone(),
            provider: info.provider,
            placement: info.placement.clone(),
        }
    });
    Ok(Json(Ready {
        status: "ready",
        models: models.collect(),
        sandbox: sandbox(pipeline.walls()),
        requests_inside: inside.sum(),
    }))
}

fn sandbox(walls: &Walls) -> Sandbox {
    let layers = walls.each().into_iter();
    Sandbox {
        complete: walls.missing().is_none(),
        layers: layers.map(|(name, wall)| (name, wall.in_force)).collect(),
    }
}
