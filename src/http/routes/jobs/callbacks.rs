//! What is told of a job's end, and how the telling went.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{JobBody, find, whole, written};
use crate::http::access::Caller;
use crate::http::error::{bad_callback, nothing_of_this_id};
use crate::http::problem::Problem;
use crate::http::routes::options::{unknown, unusable};
use crate::http::state::AppState;
use crate::outbound::{Url, webhook};
use crate::store::jobs::{Delivery, Job};
use crate::worker::Desk;

/// Reads a callback's URL and checks its host's addresses, as each delivery will again.
pub(super) async fn checked(sender: &webhook::Sender, url: &str) -> Result<Url, Problem> {
    let url = sender.parse(url).map_err(|error| bad_callback(&error))?;
    let checked = sender.check(&url).await;
    checked.map_err(|error| bad_callback(&error))?;
    Ok(url)
}

/// The body of a callback.
#[derive(Debug, Serialize)]
struct Event {
    r#type: String,
    /// When the job ended.
    timestamp: String,
    data: JobBody,
}

/// The body of the callback of a job that is over.
pub(in crate::http) fn render(desk: &Desk, job: Job) -> BoxFuture<'_, Option<Bytes>> {
    async move {
        let event = Event {
            r#type: format!("job.{}", job.status.name()),
            timestamp: written(job.finished_ms.unwrap_or(job.created_ms)),
            data: whole(desk, job).await.ok()?,
        };
        serde_json::to_vec(&event).ok().map(Bytes::from)
    }
    .boxed()
}

/// One attempt to deliver a callback.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(in crate::http) struct DeliveryBody {
    /// `webhook-id`: the same at each attempt.
    message_id: String,
    /// RFC 3339, UTC.
    at: String,
    duration_ms: u64,
    /// HTTP's, where there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was no answer, or the begin of one that is no success.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            message_id: delivery.message_id,
            at: written(delivery.at_ms),
            duration_ms: delivery.duration_ms,
            status: delivery.status,
            error: delivery.error,
        }
    }
}

/// The attempts to deliver a job's callback.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub(in crate::http) struct DeliveriesBody {
    /// Oldest first.
    deliveries: Vec<DeliveryBody>,
}

/// Lists the attempts to deliver a job's callback.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/deliveries",
    operation_id = "deliveries",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The attempts", body = DeliveriesBody))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<DeliveriesBody>, Problem> {
    let desk = state.desk()?;
    let job = find(desk, &caller, &id).await?;
    let deliveries = desk.store().deliveries(&job.id).await?;
    let deliveries = deliveries.into_iter().map(DeliveryBody::from).collect();
    Ok(Json(DeliveriesBody { deliveries }))
}

/// A callback that is to be sent again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Redelivery)]
pub(in crate::http) struct RedeliveryBody {
    /// `webhook-id`, as before.
    message_id: String,
}

/// Has a job's callback sent again, whatever came of it before.
///
/// 404 where the job named none, or isn't over.
#[utoipa::path(
    post,
    path = "/v1/jobs/{id}/deliveries",
    operation_id = "redeliver",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 202, description = "The callback", body = RedeliveryBody))
)]
pub(in crate::http) async fn redeliver(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    let sender = state.sender()?;
    let job = find(desk, &caller, &id).await?;
    if let Some(url) = &job.callback_url {
        sender.parse(url).map_err(|error| bad_callback(&error))?;
    }
    let message = desk.redeliver(&job.id).await?;
    let message = message.ok_or_else(|| nothing_of_this_id("callback of a job"))?;
    let body = RedeliveryBody {
        message_id: message.id,
    };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// Sends a message of the type `ping` to a URL, once, and tells how that went.
#[utoipa::path(
    post,
    path = "/v1/webhooks/ping",
    operation_id = "ping",
    params(("url" = String, Query, description = "Where to")),
    responses((status = 200, description = "The attempt", body = DeliveryBody))
)]
pub(in crate::http) async fn ping(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeliveryBody>, Problem> {
    let sender = state.sender()?;
    let mut to = None;
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*key {
            "url" => to = Some(value.into_owned()),
            other => return Err(unknown(other, "url")),
        }
    }
    let to = to.ok_or_else(|| unusable("url", "the URL of a receiver"))?;
    let url = checked(sender, &to).await?;
    let at = Timestamp::now();
    let id = format!("msg_ping_{}", ulid::Ulid::generate());
    let body = serde_json::json!({ "type": "ping", "timestamp": at.to_string(), "data": {} });
    let delivery = webhook::Delivery {
        id: id.clone(),
        url,
        body: body.to_string().into(),
    };
    let attempt = sender.send(&delivery, at).await;
    Ok(Json(DeliveryBody {
        message_id: id,
        at: at.to_string(),
        duration_ms: attempt.duration_ms(),
        status: attempt.status,
        error: attempt.fault(),
    }))
}
