//! Around every request: an id, one log line, and the problem's body.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, Span};

use super::error;
use super::problem::Problem;
use super::state::AppState;
use crate::telemetry::metrics::Answered;
use crate::telemetry::traces;

const HEADER: &str = "x-request-id";
const TRACEPARENT: &str = "traceparent";
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

/// Status and code in log and metrics of a request whose caller left before its answer.
const LEFT: (u16, &str) = (499, "client_left");

/// Gives the request its id (the caller's, when it is one), runs it, writes the body of a problem,
/// logs one line and counts it. Neither log nor metrics get anything of the upload, its name, the
/// path or the query; of a valid key the log gets the public id, which [`super::access`] adds.
pub(super) async fn around(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let id = id_of(&request);
    let span = tracing::info_span!("request", id, key = tracing::field::Empty);
    let mut line = Line::begin(&state, &request, span.clone(), &id);
    let trace = line.trace.clone();
    let mut response = next.run(request).instrument(span).instrument(trace).await;
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
    line.outcome = (response.status().as_u16(), code);
    response
}

/// The one line that a request has in the log, and its place in the metrics. Written when it goes,
/// so that a request whose caller left has one too.
struct Line {
    state: AppState,
    span: Span,
    /// The request as a trace has it.
    trace: Span,
    begin: Instant,
    method: Method,
    route: String,
    outcome: (u16, &'static str),
}

impl Line {
    fn begin(state: &AppState, request: &Request, span: Span, id: &str) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        let route = matched.map_or("unmatched", MatchedPath::as_str);
        let parent = request.headers().get(TRACEPARENT);
        let parent = parent.and_then(|value| value.to_str().ok());
        Self {
            state: state.clone(),
            span,
            begin: Instant::now(),
            method: request.method().clone(),
            trace: traces::request(method_name(request.method()), route, id, parent),
            route: route.to_owned(),
            outcome: LEFT,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let (elapsed, (status, code)) = (self.begin.elapsed(), self.outcome);
        let (method, route) = (method_name(&self.method), self.route.as_str());
        self.state.metrics().answered(&Answered {
            route,
            status,
            code,
            elapsed,
        });
        traces::answered(&self.trace, status, code);
        // As a whole number; one of 128 bits would be a string in JSON.
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.span
            .in_scope(|| tracing::info!(method, route, status, code, elapsed_ms, "answered"));
    }
}

/// A method that callers made up is none of ours to repeat.
fn method_name(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    if known.contains(method) {
        method.as_str()
    } else {
        "other"
    }
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
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    // The hook of `telemetry` has said where.
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
