//! `POST /v1/batches`: a manifest in, a batch out.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::lanes::Lane;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::http::routes::jobs::submit::{REPLAYED, fingerprint, idempotency_key};
use crate::http::routes::jobs::wishes::checked_word;
use crate::http::routes::options::unknown;
use crate::http::state::AppState;
use crate::http::upload;
use crate::pipeline::{Options, Pipeline};
use crate::worker::batches::{BatchOrder, Line, LineFault, ManifestFault, Survey, Target};

/// A batch that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedBatch)]
pub(in crate::http) struct Accepted {
    /// ULID.
    id: String,
    /// Lines of its manifest, the empty ones left aside.
    lines: u64,
}

/// Takes a manifest of videos to be scored in the `backfill` lane.
///
/// JSON lines, each `{"id", "url"}` and, as it likes, the members of a job by URL but for `lane` and
/// `callback_url`. A manifest with a line that is wrong is refused whole, and the answer names the
/// line; what is found later, such as a URL that can't be fetched, is that line's problem. Once this
/// answers, the batch is on disk and outlives a crash.
#[utoipa::path(
    post,
    path = "/v1/batches",
    operation_id = "submit_batch",
    params(
        ("client_ref" = Option<String>, Query, description = "The caller's own word for it", max_length = 255),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's word for \"this request again\"; 1 to 255 visible characters"),
    ),
    request_body(
        description = "The manifest, JSON lines",
        content((String = "application/x-ndjson"))
    ),
    responses((status = 202, description = "The batch", body = Accepted,
        headers(("Location" = String, description = "Where the batch is shown"))))
)]
pub(in crate::http) async fn submit(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let pipeline = state.pipeline()?;
    let desk = state.desk()?;
    state.fetcher()?.require_enabled()?;
    let idempotency_key = idempotency_key(request.headers())?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let client_ref = client_ref(&query)?;
    let _place = desk.surveying().map_err(|at_once| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "overloaded",
            "Too many manifests are coming in",
            format!("{at_once} manifests are being read."),
        )
        .with("allowed", at_once)
        .retry_after(crate::http::error::RETRY_AFTER_S)
    })?;
    let mut check = Check::new(pipeline);
    let survey = Survey::new(desk.batch_limits());
    let accept = |line: &Line| check.line(line);
    let (manifest, lines) = upload::receive_manifest(&state, request, survey, accept).await?;
    let order = BatchOrder {
        owner: caller.owner.to_string(),
        client_ref,
        idempotency_key,
        fingerprint: fingerprint(&[b"batch", query.as_bytes(), manifest.blake3.as_bytes()]),
    };
    let (batch, is_new) = desk.submit_batch(order, manifest, lines).await?;
    let location = format!("/v1/batches/{}", batch.id);
    let accepted = Accepted {
        id: batch.id,
        lines: batch.counts.lines,
    };
    let mut response = (StatusCode::ACCEPTED, Json(accepted)).into_response();
    let headers = response.headers_mut();
    let location = location.parse().map_err(|_| Problem::internal())?;
    headers.insert(LOCATION, location);
    if !is_new {
        headers.insert(REPLAYED, axum::http::HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn client_ref(query: &str) -> Result<Option<String>, Problem> {
    let mut client_ref = None;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "client_ref" => client_ref = Some(value.into_owned()),
            other => return Err(unknown(other, "client_ref")),
        }
    }
    checked_word("client_ref", client_ref)
}

/// What is looked at in each line, besides its form.
struct Check<'a> {
    pipeline: &'a Pipeline,
    /// The options that were looked at last: most lines have the same.
    known: Option<Options>,
}

impl<'a> Check<'a> {
    fn new(pipeline: &'a Pipeline) -> Self {
        Self {
            pipeline,
            known: None,
        }
    }

    fn line(&mut self, line: &Line) -> Result<(), LineFault> {
        if let Target::Path(_) = line.target {
            return Err(LineFault::Path);
        }
        if self.known.as_ref() != Some(&line.options) {
            let possible = self.pipeline.request(&line.options, Lane::Backfill);
            possible.map_err(|error| LineFault::Refused(error.to_string()))?;
            self.known = Some(line.options.clone());
        }
        Ok(())
    }
}

impl From<ManifestFault> for Problem {
    fn from(fault: ManifestFault) -> Self {
        let too_large = |limit: &'static str, allowed: u64| {
            Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The manifest is too large",
                fault.to_string(),
            )
            .with("limit", limit)
            .with("allowed", allowed)
        };
        match &fault {
            ManifestFault::Line { line, .. } => {
                Self::bad_request(format!("{fault}.")).with("line", *line)
            }
            ManifestFault::Lines { limit } => too_large("jobs.batches.max_lines", *limit),
            ManifestFault::Bytes { limit } => too_large("jobs.batches.max_bytes", *limit),
            ManifestFault::Empty => Self::bad_request(format!("{fault}.")),
        }
    }
}
