//! The span of a whole request.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::pipeline::stage;

/// Asked every few seconds by machines, and of no use in a trace.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

const TRACEPARENT: &str = "traceparent";

/// The span of a request of this method to this route (a template, never a path), with the id that
/// it has in the log. It goes on with the caller's trace where `traceparent`, as the W3C's Trace
/// Context has it, names one; what can't be read is as good as none.
pub fn request(method: &str, route: &str, id: &str, traceparent: Option<&str>) -> Span {
    if UNTRACED.contains(&route) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: stage::TARGET,
        parent: None,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        jaga.request_id = id,
        http.response.status_code = Empty,
        jaga.code = Empty,
        otel.status_code = Empty,
    );
    if let Some(traceparent) = traceparent.filter(|_| !span.is_disabled()) {
        // Its `tracestate` is a text of the caller's choice, so it is left behind.
        let caller = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Caller(traceparent));
        if caller.span().span_context().is_valid() {
            // It fails only for a span that has begun, and nobody has entered this one.
            let _ = span.set_parent(caller);
        }
    }
    span
}

/// Notes how the request ended; `code` is empty when there was no problem.
pub fn answered(span: &Span, status: u16, code: &'static str) {
    span.record("http.response.status_code", i64::from(status));
    if !code.is_empty() {
        span.record("jaga.code", code);
    }
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

struct Caller<'a>(&'a str);

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
