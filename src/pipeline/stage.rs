//! Spans of a request's stages, for traces. They are no part of the log: without an export nobody
//! listens to them, and they cost next to nothing. Their fields are counts and times only.

use tracing::Span;
use tracing::field::Empty;

use super::spent::Spent;

/// Target of all spans that are exported, and of nothing else.
pub const TARGET: &str = "jaga::stage";

/// An upload arrives and goes to the spool; `bytes` once it is complete.
pub fn spool() -> Span {
    tracing::info_span!(target: TARGET, "spool", bytes = Empty)
}

/// A complete upload waits for a place to work.
pub fn wait() -> Span {
    tracing::info_span!(target: TARGET, "wait")
}

/// From the child's start to its last frame; `frames` that were chosen.
pub(super) fn decode() -> Span {
    tracing::info_span!(target: TARGET, "decode", frames = Empty)
}

/// From the first input to the last output; overlaps with `decode`. Its fields are sums as in
/// `timings_ms` of a report.
pub(super) fn inference() -> Span {
    tracing::info_span!(
        target: TARGET,
        "inference",
        preprocess_ms = Empty,
        faces_ms = Empty,
        queue_ms = Empty,
        inference_ms = Empty,
    )
}

/// Fills in the fields of [`inference`].
pub(super) fn spent(span: &Span, spent: &Spent) {
    for (field, time) in [
        ("preprocess_ms", spent.preprocess),
        ("faces_ms", spent.faces),
        ("queue_ms", spent.queue),
        ("inference_ms", spent.inference),
    ] {
        span.record(field, time.as_secs_f64() * 1000.0);
    }
}

/// Fills in a field that counts. A collector knows signed numbers only.
pub fn count(span: &Span, field: &str, count: u64) {
    span.record(field, i64::try_from(count).unwrap_or(i64::MAX));
}

/// From the outputs to the report.
pub(super) fn aggregate() -> Span {
    tracing::info_span!(target: TARGET, "aggregate")
}
