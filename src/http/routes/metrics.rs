//! `GET /metrics`.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::telemetry::metrics::MEDIA_TYPE;

/// What is counted, for Prometheus.
///
/// Everything that is counted, as OpenMetrics text; also while models are loaded and while the
/// server is shutting down.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub(in crate::http) async fn show(
    State(state): State<AppState>,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let status = state.loaded().map(|pipeline| pipeline.status());
    let text = state
        .metrics()
        .text(state.ready().is_ok(), status.as_ref())
        .map_err(|_| Problem::internal())?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], text))
}
