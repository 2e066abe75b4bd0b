//! Around every request: an id, one log line, and the problem's body.

use std::any::Any;
use std::time::Instant;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::error;
use super::problem::Problem;

const HEADER: &str = "x-request-id";
const LONGEST_ID: usize = 64;

/// Bytes of a path and query that are read.
const URI_BYTES: usize = 8192;

/// Refuses a request target that no caller needs.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    let bytes = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if bytes > URI_BYTES {
        return error::uri_too_long(bytes, URI_BYTES).into_response();
    }
    next.run(request).await
}

/// Gives the request its id (the caller's, when it is one), runs it, writes the body of a problem
/// and logs one line. Nothing of the upload, its name or the query is logged.
pub(super) async fn around(request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let id = id_of(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let problem = response.extensions_mut().remove::<Problem>();
    let code = problem.as_ref().map_or("", Problem::code);
    if let Some(problem) = &problem {
        let headers = std::mem::take(response.headers_mut());
        response = problem.render(&id);
        // A 405 keeps its `Allow`.
        for (name, value) in &headers {
            if !response.headers().contains_key(name) && name != "content-length" {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    let status = response.status().as_u16();
    let elapsed_ms = begin.elapsed().as_millis();
    span.in_scope(|| tracing::info!(%method, path, status, code, elapsed_ms, "answered"));
    response
}

fn id_of(request: &Request) -> String {
    request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=LONGEST_ID).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        })
        .map_or_else(|| ulid::Ulid::generate().to_string(), str::to_owned)
}

/// The answer to a handler that panicked.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the form that CatchPanicLayer asks for"
)]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into_response()
}
