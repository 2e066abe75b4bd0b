//! From a request's body to a spooled upload, piece by piece.

use axum::body::{Body, Bytes, to_bytes};
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
use crate::worker::batches::{Line, LineFault, Survey};

/// What a multipart form may have around its file, in bytes.
const FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// Spools the body of `request`: the file itself, or a form with one part named `file`.
pub(super) async fn receive(state: &AppState, request: Request) -> Result<Upload, Problem> {
    in_time(state, request, async |request| {
        if is_form(request.headers()) {
            receive_form(state, request).await
        } else {
            let declared = declared_bytes(request.headers());
            let body: Body = request.into_body();
            let feed = Feed::new(state.spool().begin(declared)?);
            spool(state, feed, body.into_data_stream(), |_| Ok(())).await
        }
    })
    .await
}

/// Spools the body of `request`, a manifest, while `survey` and `accept` look at it. With the
/// number of its lines.
pub(super) async fn receive_manifest(
    state: &AppState,
    request: Request,
    mut survey: Survey,
    mut accept: impl FnMut(&Line) -> Result<(), LineFault>,
) -> Result<(Upload, u64), Problem> {
    in_time(state, request, async |request| {
        let spooled = state.spool().limited(survey.limits().bytes);
        let declared = declared_bytes(request.headers());
        survey.declared(declared)?;
        let feed = Feed::new(spooled.begin(declared)?);
        let body: Body = request.into_body();
        let upload = spool(state, feed, body.into_data_stream(), |piece| {
            survey.push(piece, &mut accept).map_err(Problem::from)
        })
        .await?;
        let lines = survey.finish(&mut accept)?;
        Ok((upload, lines))
    })
    .await
}

/// Gives `request` to `receive` for as long as its body keeps time and pace.
async fn in_time<T>(
    state: &AppState,
    request: Request,
    receive: impl AsyncFnOnce(Request) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let timeout = state.upload_timeout();
    let pace = state.upload_pace();
    let (head, body) = request.into_parts();
    let (body, too_slow) = pace.keep(body);
    let request = Request::from_parts(head, body);
    let received = tokio::time::timeout(timeout, receive(request))
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

/// The body of `request`, which is small, as a whole: at most `longest` bytes, in the time that an
/// upload has.
pub(super) async fn small(
    state: &AppState,
    request: Request,
    longest: usize,
) -> Result<Bytes, Problem> {
    let timeout = state.upload_timeout();
    let body = tokio::time::timeout(timeout, to_bytes(request.into_body(), longest)).await;
    let body = body.map_err(|_| upload_timeout(timeout.as_secs_f64()))?;
    body.map_err(|_| {
        let size = if longest.is_multiple_of(1 << 20) {
            format!("{} MiB", longest >> 20)
        } else {
            format!("{} KiB", longest >> 10)
        };
        Problem::bad_request(format!("The body broke off or has more than {size}."))
            .with("allowed", longest)
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
        let feed = Feed::new(state.spool().begin(None)?);
        upload = Some(spool(state, feed, pieces(field), |_| Ok(())).await?);
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

/// Writes `pieces` into `feed` while they arrive and `look` has nothing against them. A body that
/// breaks off leaves nothing.
async fn spool<E: std::error::Error>(
    state: &AppState,
    feed: Feed,
    pieces: impl Stream<Item = Result<Bytes, E>>,
    mut look: impl FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<Upload, Problem> {
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            tracing::debug!(%error, "the body broke off");
            Problem::bad_request("The request's body broke off.")
        })?;
        state.metrics().received(piece.len());
        look(&piece)?;
        if !feed.push(piece).await {
            break;
        }
    }
    Ok(feed.finish().await.map_err(AnalyzeError::from)??)
}
