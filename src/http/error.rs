//! The one place where a fault becomes a status, a code and a text for the caller.

use axum::http::StatusCode;

use super::problem::Problem;
use crate::domain::plan::{FramePlan, InvalidPlan};
use crate::inference::InferenceError;
use crate::media::MediaError;
use crate::outbound::{OutboundError, OutboundErrorKind};
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind};
use crate::store::{JobsError, StoreError};
use crate::worker::Fault;

/// Seconds after which a caller that was turned away may try again.
pub(super) const RETRY_AFTER_S: u32 = 5;

impl From<AnalyzeError> for Problem {
    fn from(error: AnalyzeError) -> Self {
        let kind = error.kind();
        if matches!(
            kind,
            AnalyzeErrorKind::Internal | AnalyzeErrorKind::Configuration
        ) {
            tracing::error!(error = &error as &dyn std::error::Error, "request failed");
            return Self::internal();
        }
        let (status, title) = outline(kind);
        let problem = Self::new(status, kind.code(), title, error.to_string());
        with_facts(problem, &error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        AnalyzeError::from(error).into()
    }
}

impl From<JobsError> for Problem {
    fn from(error: JobsError) -> Self {
        match error {
            JobsError::File(error) => error.into(),
            JobsError::IdempotencyConflict => Self::new(
                StatusCode::CONFLICT,
                "idempotency_conflict",
                "The key belongs to another request",
                "This Idempotency-Key was used for a request with another body or other options.",
            ),
            JobsError::LaneFull { lane, limit } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "overloaded",
                "Too many jobs are waiting",
                error.to_string(),
            )
            .with("lane", lane.name())
            .with("allowed", limit)
            .retry_after(RETRY_AFTER_S),
            JobsError::SpaceFull { limit } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "overloaded",
                "Too many jobs are waiting",
                error.to_string(),
            )
            .with("limit", "jobs.max_bytes")
            .with("allowed", limit)
            .retry_after(RETRY_AFTER_S),
            JobsError::TooManyBatches { limit } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "overloaded",
                "Too many batches are open",
                error.to_string(),
            )
            .with("limit", "jobs.batches.max_open")
            .with("allowed", limit)
            .retry_after(RETRY_AFTER_S),
            JobsError::TooManyDecisions { limit } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "limit_exceeded",
                "The report has as many decisions as it can have",
                error.to_string(),
            )
            .with("limit", "decisions")
            .with("allowed", limit),
            JobsError::DiskFull { least } => {
                tracing::error!(least, "the disk is nearly full, so jobs are refused");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "overloaded",
                    "No room for another job",
                    error.to_string(),
                )
                .with("limit", "jobs.min_free_bytes")
                .with("allowed", least)
                .retry_after(RETRY_AFTER_S)
            }
            JobsError::InUse { .. }
            | JobsError::NoStore { .. }
            | JobsError::OtherForm { .. }
            | JobsError::NoIndex { .. }
            | JobsError::Open { .. }
            | JobsError::Migrate { .. }
            | JobsError::Database(_)
            | JobsError::Row { .. } => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the job store failed");
                Self::internal()
            }
        }
    }
}

impl From<OutboundError> for Problem {
    fn from(error: OutboundError) -> Self {
        match error.kind() {
            OutboundErrorKind::Refused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_url",
                "The URL can't be fetched",
                error.to_string(),
            ),
            OutboundErrorKind::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The file is too large",
                error.to_string(),
            ),
            OutboundErrorKind::Transient | OutboundErrorKind::Permanent => Self::new(
                StatusCode::BAD_GATEWAY,
                "fetch_failed",
                "The file could not be fetched",
                error.to_string(),
            ),
            OutboundErrorKind::Configuration => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "nothing can be fetched");
                Self::internal()
            }
        }
    }
}

/// The problem of an attempt as it is kept with a job.
pub fn explain(fault: Fault) -> String {
    let problem: Problem = match fault {
        Fault::Analysis(error) => error.into(),
        Fault::Fetch(error) => error.into(),
        Fault::Store(error) => error.into(),
        Fault::Wishes(error) => {
            tracing::error!(%error, "the store holds wishes that can't be read");
            Problem::internal()
        }
    };
    problem.kept()
}

/// The problem of a job whose attempts all died with the server or were never heard of again.
pub(super) fn poison() -> String {
    Problem::internal().kept()
}

/// No job or report of this id that the caller may see.
pub(super) fn nothing_of_this_id(what: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "Not found",
        format!("There is no {what} of this id."),
    )
}

fn outline(kind: AnalyzeErrorKind) -> (StatusCode, &'static str) {
    match kind {
        AnalyzeErrorKind::BadRequest => (StatusCode::BAD_REQUEST, "The request can't be read"),
        AnalyzeErrorKind::NotFound => (StatusCode::NOT_FOUND, "Not found"),
        AnalyzeErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The upload is too large"),
        AnalyzeErrorKind::Empty => (StatusCode::UNPROCESSABLE_ENTITY, "The upload is empty"),
        AnalyzeErrorKind::Unsupported => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The upload is of no supported kind",
        ),
        AnalyzeErrorKind::NoVideoStream => {
            (StatusCode::UNPROCESSABLE_ENTITY, "The upload has no video")
        }
        AnalyzeErrorKind::Corrupt => (StatusCode::UNPROCESSABLE_ENTITY, "The upload is damaged"),
        AnalyzeErrorKind::Limit => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "The upload passes a limit",
        ),
        AnalyzeErrorKind::UnknownModel => {
            (StatusCode::UNPROCESSABLE_ENTITY, "There is no such model")
        }
        AnalyzeErrorKind::Overloaded => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests are waiting",
        ),
        AnalyzeErrorKind::Draining => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server is shutting down",
        ),
        AnalyzeErrorKind::Deadline => (StatusCode::GATEWAY_TIMEOUT, "The analysis took too long"),
        AnalyzeErrorKind::Configuration | AnalyzeErrorKind::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "The server failed")
        }
    }
}

/// Statuses and codes that every route can answer: a target that is too long, a fault, more
/// connections than there may be.
pub(super) fn of_every_route() -> [(StatusCode, &'static str); 3] {
    [
        (StatusCode::URI_TOO_LONG, "bad_request"),
        (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
    ]
}

/// Statuses and codes of a route that asks who comes, and how often.
pub(super) fn of_guarded_routes() -> [(StatusCode, &'static str); 3] {
    [
        (StatusCode::UNAUTHORIZED, "unauthenticated"),
        (StatusCode::FORBIDDEN, "forbidden"),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
    ]
}

/// Statuses and codes that an analysis can end with.
pub(super) fn of_analyses() -> Vec<(StatusCode, &'static str)> {
    use AnalyzeErrorKind as Kind;
    let kinds = [
        Kind::BadRequest,
        Kind::TooLarge,
        Kind::Empty,
        Kind::Unsupported,
        Kind::NoVideoStream,
        Kind::Corrupt,
        Kind::Limit,
        Kind::UnknownModel,
        Kind::Overloaded,
        Kind::Draining,
        Kind::Deadline,
    ];
    let kinds = kinds.map(|kind| (outline(kind).0, kind.code()));
    let late = (StatusCode::REQUEST_TIMEOUT, "upload_timeout");
    kinds
        .into_iter()
        .chain(of_readiness())
        .chain([late])
        .collect()
}

/// Statuses and codes that the submission of a job can end with.
pub(super) fn of_submissions() -> Vec<(StatusCode, &'static str)> {
    use AnalyzeErrorKind as Kind;
    let kinds = [
        Kind::BadRequest,
        Kind::TooLarge,
        Kind::Empty,
        Kind::UnknownModel,
        Kind::Overloaded,
    ];
    let kinds = kinds.map(|kind| (outline(kind).0, kind.code()));
    let own = [
        (StatusCode::REQUEST_TIMEOUT, "upload_timeout"),
        (StatusCode::CONFLICT, "idempotency_conflict"),
        (StatusCode::UNPROCESSABLE_ENTITY, "bad_url"),
        (StatusCode::UNPROCESSABLE_ENTITY, "bad_callback"),
    ];
    kinds.into_iter().chain(of_readiness()).chain(own).collect()
}

/// Statuses and codes that the submission of a batch can end with.
pub(super) fn of_batches() -> Vec<(StatusCode, &'static str)> {
    let own = [
        (StatusCode::BAD_REQUEST, "bad_request"),
        (StatusCode::REQUEST_TIMEOUT, "upload_timeout"),
        (StatusCode::CONFLICT, "idempotency_conflict"),
        (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        (StatusCode::UNPROCESSABLE_ENTITY, "bad_url"),
        (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
    ];
    of_readiness().into_iter().chain(own).collect()
}

/// Statuses and codes of a route that needs the models.
pub(super) fn of_readiness() -> [(StatusCode, &'static str); 2] {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    [(status, "overloaded"), (status, "draining")]
}

/// Adds what helps the caller: limits with what was found, and when to come again.
fn with_facts(problem: Problem, error: &AnalyzeError) -> Problem {
    match error {
        AnalyzeError::Media(MediaError::Limit(passed)) => problem
            .with("limit", passed.limit.to_string())
            .with("allowed", passed.allowed)
            .with("actual", passed.actual),
        AnalyzeError::Store(StoreError::TooLarge { limit, declared }) => {
            let problem = problem
                .with("limit", "max_upload_bytes")
                .with("allowed", *limit);
            declared.map_or(problem.clone(), |bytes| problem.with("actual", bytes))
        }
        AnalyzeError::Frames(range) => problem.with("limit", "frames").with("allowed", range.max),
        AnalyzeError::Plan(InvalidPlan::TooManyFrames { got }) => problem
            .with("limit", "frames")
            .with("allowed", FramePlan::MAX_FRAMES)
            .with("actual", *got),
        AnalyzeError::Overloaded { .. }
        | AnalyzeError::Draining
        | AnalyzeError::Inference(InferenceError::Closed { .. }) => {
            problem.retry_after(RETRY_AFTER_S)
        }
        AnalyzeError::Media(_)
        | AnalyzeError::Inference(_)
        | AnalyzeError::Store(_)
        | AnalyzeError::Plan(InvalidPlan::Window(_))
        | AnalyzeError::UnknownPolicy { .. }
        | AnalyzeError::PolicyFile { .. }
        | AnalyzeError::Policy { .. }
        | AnalyzeError::PolicyTwice(_)
        | AnalyzeError::Deadline { .. }
        | AnalyzeError::Task(_)
        | AnalyzeError::Kept(_)
        | AnalyzeError::NothingKept(_)
        | AnalyzeError::KeptPlan { .. }
        | AnalyzeError::Calibration { .. }
        | AnalyzeError::Report(_) => problem,
    }
}

/// A callback that can't be called.
pub(super) fn bad_callback(error: &OutboundError) -> Problem {
    if error.kind() == OutboundErrorKind::Configuration {
        let error = error as &dyn std::error::Error;
        tracing::error!(error, "a callback can't be checked");
        return Problem::internal();
    }
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad_callback",
        "The callback can't be called",
        error.to_string(),
    )
}

/// Statuses and codes of the routes about callbacks.
pub(super) fn of_callbacks() -> Vec<(StatusCode, &'static str)> {
    let own = [
        (StatusCode::BAD_REQUEST, "bad_request"),
        (StatusCode::UNPROCESSABLE_ENTITY, "bad_callback"),
    ];
    of_readiness().into_iter().chain(own).collect()
}

/// Statuses and codes of a reviewer's decision.
pub(super) fn of_decisions() -> Vec<(StatusCode, &'static str)> {
    let own = [
        (StatusCode::BAD_REQUEST, "bad_request"),
        (StatusCode::NOT_FOUND, "not_found"),
        (StatusCode::REQUEST_TIMEOUT, "upload_timeout"),
        (StatusCode::UNPROCESSABLE_ENTITY, "limit_exceeded"),
    ];
    of_readiness().into_iter().chain(own).collect()
}

/// Another simulation is running.
pub(super) fn simulating() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "overloaded",
        "A simulation is running",
        "One simulation runs at a time.",
    )
    .with("limit", "simulations")
    .with("allowed", 1)
    .retry_after(RETRY_AFTER_S)
}

/// Statuses and codes of a simulation.
pub(super) fn of_simulations() -> Vec<(StatusCode, &'static str)> {
    let own = [
        (StatusCode::BAD_REQUEST, "bad_request"),
        (StatusCode::NOT_FOUND, "not_found"),
        (StatusCode::REQUEST_TIMEOUT, "upload_timeout"),
        (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
    ];
    of_readiness().into_iter().chain(own).collect()
}

/// The server is up but its models are not loaded yet.
pub(super) fn loading() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "The server is not ready yet",
        "The models are still being loaded.",
    )
    .retry_after(RETRY_AFTER_S)
}

/// The server has been told to stop.
pub(super) fn draining() -> Problem {
    AnalyzeError::Draining.into()
}

/// No key, or none that opens.
pub(super) fn unauthenticated() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "A key is needed",
        "Send a valid API key as `Authorization: Bearer KEY`.",
    )
}

/// A key whose role may not do that.
pub(super) fn forbidden(role: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "The key may not do that",
        format!("A key with the role {role} may not use this route."),
    )
    .with("role", role)
}

/// One caller, by its key or its address, that comes too often.
pub(super) fn rate_limited(by: &str, seconds: u32) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        "Too many requests",
        format!("This {by} has sent too many requests; try again in {seconds} s."),
    )
    .with("limit", format!("{by}_requests_per_minute"))
    .retry_after(seconds)
}

/// More connections than there may be.
pub(super) fn too_many_connections() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "Too many connections",
        "The server has as many connections as it takes.",
    )
    .with("limit", "max_connections")
    .retry_after(RETRY_AFTER_S)
}

/// HTTP without TLS on a port that has it.
pub(super) fn no_tls() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad_request",
        "The request can't be read",
        "This port speaks TLS: use https.",
    )
}

/// A request target longer than is read.
pub(super) fn uri_too_long(actual: usize, allowed: usize) -> Problem {
    Problem::new(
        StatusCode::URI_TOO_LONG,
        "bad_request",
        "The request can't be read",
        format!("The request's path and query may have {allowed} bytes."),
    )
    .with("limit", "uri_bytes")
    .with("allowed", allowed)
    .with("actual", actual)
}

/// An upload that stays below the pace which `server.min_upload_bytes_per_s` asks for.
pub(super) fn upload_too_slow(bytes_per_s: u32) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "upload_timeout",
        "The upload took too long",
        format!("The upload must arrive at {bytes_per_s} bytes a second or more."),
    )
    .with("limit", "min_upload_bytes_per_s")
    .with("allowed", bytes_per_s)
}

/// An upload that took too long to arrive.
pub(super) fn upload_timeout(seconds: f64) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "upload_timeout",
        "The upload took too long",
        format!("The whole upload must arrive within {seconds} s."),
    )
    .with("limit", "upload_timeout_s")
    .with("allowed", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sampling::SamplingPlan;
    use crate::domain::sampling::Strategy;
    use crate::media::MediaLimits;

    fn rows() -> Vec<(AnalyzeError, u16, &'static str)> {
        let model = || "m".to_owned();
        let limit = MediaLimits::default().check_frame(9000, 1).unwrap_err();
        vec![
            (
                SamplingPlan::new(Strategy::Uniform, 0).unwrap_err().into(),
                400,
                "bad_request",
            ),
            (
                AnalyzeError::UnknownPolicy {
                    name: model(),
                    known: model(),
                },
                400,
                "bad_request",
            ),
            (
                StoreError::TooLarge {
                    limit: 1,
                    declared: Some(2),
                }
                .into(),
                413,
                "too_large",
            ),
            (MediaError::Empty.into(), 422, "empty_media"),
            (
                MediaError::UnsupportedFormat("x".to_owned()).into(),
                415,
                "unsupported_media",
            ),
            (
                MediaError::UnsupportedCodec("x".to_owned()).into(),
                415,
                "unsupported_media",
            ),
            (MediaError::Encrypted.into(), 415, "unsupported_media"),
            (MediaError::NoVideoStream.into(), 422, "no_video_stream"),
            (
                MediaError::NoFrames("x".to_owned()).into(),
                422,
                "corrupt_media",
            ),
            (
                MediaError::Corrupt("x".to_owned()).into(),
                422,
                "corrupt_media",
            ),
            (MediaError::Limit(limit).into(), 422, "limit_exceeded"),
            (MediaError::SandboxViolation.into(), 422, "corrupt_media"),
            (
                MediaError::Sandbox {
                    missing: "secret".to_owned(),
                }
                .into(),
                500,
                "internal",
            ),
            (MediaError::Deadline.into(), 504, "deadline_exceeded"),
            (
                AnalyzeError::Deadline { limit_s: 1.0 },
                504,
                "deadline_exceeded",
            ),
            (
                InferenceError::UnknownModel {
                    name: model(),
                    known: model(),
                }
                .into(),
                422,
                "unknown_model",
            ),
            (AnalyzeError::Overloaded { waiting: 66 }, 429, "overloaded"),
            (AnalyzeError::Draining, 503, "draining"),
            (
                InferenceError::Closed { model: model() }.into(),
                503,
                "draining",
            ),
            (
                MediaError::ChildInternal("secret".to_owned()).into(),
                500,
                "internal",
            ),
            (InferenceError::NoLibrary.into(), 500, "internal"),
        ]
    }

    #[tokio::test]
    async fn every_kind_has_its_row() {
        for (error, status, code) in rows() {
            let text = error.to_string();
            let response = Problem::from(error).render("id-1");
            assert_eq!(response.status().as_u16(), status, "{text}");
            let told = of_analyses().contains(&(response.status(), code));
            assert!(told || status == 500, "{text} isn't in openapi.json");
            let retry = response.headers().contains_key("retry-after");
            let body = axum::body::to_bytes(response.into_body(), 10_000)
                .await
                .unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["code"], code, "{text}");
            assert_eq!(body["type"], format!("urn:jaga:problem:{code}"));
            assert_eq!(body["request_id"], "id-1");
            assert_eq!(body["status"], status);
            assert_eq!(retry, ["overloaded", "draining"].contains(&code), "{text}");
            assert!(
                !body.to_string().contains("secret"),
                "a 500 says nothing of the inside"
            );
        }
    }
}
