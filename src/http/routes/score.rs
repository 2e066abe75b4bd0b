//! `POST /v1/score`: a video in, its report out.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AGE, CACHE_CONTROL, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;

use tracing::Instrument;
use utoipa::ToSchema;

use super::options::options;
use crate::domain::region::Region;
use crate::domain::report::Report;
use crate::domain::sampling::Strategy;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::upload;
use crate::pipeline::stage;

/// A form with the file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct Form {
    /// The file; nothing else may be in the form.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Scores a video or an image.
///
/// Everything that can be refused without the upload is refused before it is read. The work for a
/// client that goes away is given up.
#[utoipa::path(
    post,
    path = "/v1/score",
    operation_id = "score",
    params(
        ("model" = Option<Vec<String>>, Query, description = "Name of a loaded model; may come several times"),
        ("policy" = Option<String>, Query, description = "Name of a loaded policy"),
        ("frames" = Option<u32>, Query, description = "Into how many slices the video is cut", minimum = 1, maximum = 256),
        ("sampling" = Option<Strategy>, Query, description = "How frames are chosen"),
        ("adaptive" = Option<bool>, Query, description = "Score no more frames than the verdict needs; the policy's choice when absent"),
        ("region" = Option<Region>, Query, description = "Where the video is shown, such as `id-jk`; rules of a policy can differ by it"),
        ("frame_scores" = Option<bool>, Query, description = "Put every frame's score into the report"),
    ),
    request_body(
        description = "The file itself, or a form with it",
        content((String = "application/octet-stream"), (Form = "multipart/form-data"))
    ),
    responses((status = 200, description = "The report", body = Report))
)]
pub(in crate::http) async fn score(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Timestamp::now();
    let pipeline = state.pipeline()?;
    let options = options(request.uri().query().unwrap_or_default())?;
    let mut resolved = pipeline.request(&options, caller.lane)?;
    if !state.desk()?.keeps_scores() {
        resolved = resolved.without_keeping();
    }
    let ticket = pipeline.admission().enter(resolved.lane())?;
    let afresh = asks_afresh(request.headers());
    let spooling = stage::spool();
    let upload = upload::receive(&state, request).instrument(spooling.clone());
    let upload = upload.await?;
    stage::count(&spooling, "bytes", upload.bytes);
    drop(spooling);
    if let Some(known) = (!afresh)
        .then(|| pipeline.recall(&upload, &resolved))
        .flatten()
    {
        state.metrics().recalled(resolved.lane());
        let headers = [
            (AGE, known.age().as_secs().to_string()),
            (CACHE_STATUS, "jaga; hit".to_owned()),
        ];
        return Ok((headers, Json(&*known.report)).into_response());
    }
    let analyzed = async {
        let place = pipeline.admission().work(ticket);
        let permit = place.instrument(stage::wait()).await?;
        pipeline.analyze(upload, &resolved, permit).await
    };
    let analyzed = analyzed.await;
    let outcome = analyzed.as_deref();
    state.metrics().analyzed(resolved.lane(), outcome);
    let report = analyzed?;
    let desk = state.desk()?;
    let asked_ms = asked.as_millisecond();
    let kept = desk.keep(&report, &caller.owner, resolved.lane(), asked_ms);
    kept.await?;
    Ok(Json(&*report).into_response())
}

/// Which cache answered, RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Whether the caller wants no report that was made before (RFC 9111, section 5.2.1.4).
fn asks_afresh(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|word| {
            let word = word.trim();
            ["no-cache", "no-store"]
                .iter()
                .any(|wanted| word.eq_ignore_ascii_case(wanted))
        })
}
