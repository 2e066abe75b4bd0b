//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use jiff::Timestamp;

use crate::domain::lanes::ByLane;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::pipeline::Pipeline;
use crate::store::jobs::{Depth, Millis};
use crate::store::scores::Bundle;
use crate::telemetry::metrics::{LiveScores, MEDIA_TYPE, Queues, Waiting};
use crate::worker::Desk;
use crate::worker::drift::Compared;

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
    let jobs = match state.desk() {
        Ok(desk) => Some(queues(desk, state.loaded()).await?),
        Err(_) => None,
    };
    let text = state
        .metrics()
        .text(state.ready().is_ok(), status.as_ref(), jobs.as_ref())
        .map_err(|_| Problem::internal())?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], text))
}

async fn queues(desk: &Desk, pipeline: Option<&Arc<Pipeline>>) -> Result<Queues, Problem> {
    let (store, now) = (desk.store(), Timestamp::now().as_millisecond());
    Ok(Queues {
        lanes: waiting(store.depths().await?, now),
        flags_overdue: store.overdue(now).await?,
        batch_lines: store.waiting_lines().await?,
        scores: match pipeline {
            Some(pipeline) => scores(desk, pipeline).await?,
            None => Vec::new(),
        },
    })
}

/// Of the bundles that are loaded: a label has room for one of a name.
async fn scores(desk: &Desk, pipeline: &Pipeline) -> Result<Vec<LiveScores>, Problem> {
    let mut compared = desk.drift().await?;
    let loaded = pipeline.models().list().map(|model| Bundle {
        model: model.info().name.clone(),
        sha256: model.info().sha256.clone(),
    });
    let live = loaded.filter_map(|bundle| {
        let Compared { live, drift, .. } = compared.remove(&bundle)?;
        Some(LiveScores {
            model: bundle.model,
            histogram: live,
            drift,
        })
    });
    Ok(live.collect())
}

fn waiting(depths: ByLane<Depth>, now: Millis) -> ByLane<Waiting> {
    ByLane::of(|lane| {
        let depth = depths.at(lane);
        let oldest_ms = depth
            .oldest_ms
            .map_or(0, |oldest| now.saturating_sub(oldest));
        Waiting {
            queued: depth.queued,
            running: depth.running,
            // A clock that was set back makes nobody wait less than no time.
            oldest_s: oldest_ms.max(0) as f64 / 1000.0,
        }
    })
}
