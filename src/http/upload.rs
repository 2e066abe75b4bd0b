//! From a request's body to a spooled upload, piece by piece.

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::{Stream, StreamExt};

use super::error::{upload_timeout, upload_too_slow};
use super::problem::Problem;
use super::state::AppState;
use crate::pipeline::AnalyzeError;
use crate::store::{Feed, StoreError, Upload};

/// What a multipart form may have around its file, in bytes.
const FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// Spools the body of `request`: the file itself, or a form with one part named `file`.
pub(super) async fn receive(state: &AppState, request: Request) -> Result<Upload, Problem> {
    let timeout = state.upload_timeout();
    let pace = state.upload_pace();
    let (head, body) = request.into_parts();
    let (body, too_slow) = pace.keep(body);
    let request = Request::from_parts(head, body);
    let receive = async {
        if is_form(request.headers()) {
            receive_form(state, request).await
        } else {
            let declared = declared_bytes(request.headers());
            let body: Body = request.into_body();
            spool(state, declared, body.into_data_stream()).await
        }
    };
    let received = tokio::time::timeout(timeout, receive)
        .await
        .map_err(|_| upload_timeout(timeout.as_secs_f64()))?;
    // To whoever reads the body, one that is given up looks like one that broke off.
    received.map_err(|problem| {
        if too_slow.is_set() {
            upload_too_slow(pace.bytes_per_s())
        } else {
            problem
        }
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/")
        })
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn receive_form(state: &AppState, request: Request) -> Result<Upload, Problem> {
    let limit = state.spool().limit();
    let declared = declared_bytes(request.headers());
    if declared.is_some_and(|bytes| bytes > limit.saturating_add(FORM_OVERHEAD_BYTES)) {
        return Err(StoreError::TooLarge { limit, declared }.into());
    }
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| Problem::bad_request(error.body_text()))?;
    let mut upload = None;
    while let Some(field) = form
        .next_field()
        .await
        .map_err(|error| Problem::bad_request(error.body_text()))?
    {
        if field.name() != Some("file") || upload.is_some() {
            return Err(Problem::bad_request(
                "A form has one part, named `file`; options go into the query.",
            ));
        }
        upload = Some(spool(state, None, pieces(field)).await?);
    }
    upload.ok_or_else(|| Problem::bad_request("The form has no part named `file`."))
}

fn pieces(field: Field<'_>) -> impl Stream<Item = Result<Bytes, impl std::error::Error>> {
    futures_util::stream::unfold(Some(field), |field| async move {
        let mut field = field?;
        match field.chunk().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(field))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// Writes `pieces` on a blocking thread while they arrive. A body that breaks off leaves nothing.
async fn spool<E: std::error::Error>(
    state: &AppState,
    declared: Option<u64>,
    pieces: impl Stream<Item = Result<Bytes, E>>,
) -> Result<Upload, Problem> {
    let feed = Feed::new(state.spool().begin(declared)?);
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            tracing::debug!(%error, "the body broke off");
            Problem::bad_request("The request's body broke off.")
        })?;
        state.metrics().received(piece.len());
        if !feed.push(piece).await {
            break;
        }
    }
    Ok(feed.finish().await.map_err(AnalyzeError::from)??)
}
