//! `POST /v1/jobs`: a video in, a job out.

use axum::extract::{Request, State};
use axum::http::header::{HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use super::by_url::{self, ByUrl};
use super::wishes::{Asked, Door, LONGEST_WORD, Wishes};
use crate::domain::job::JobStatus;
use crate::domain::lanes::Lane;
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::http::routes::options::unusable;
use crate::http::routes::score::Form;
use crate::http::state::AppState;
use crate::http::upload;
use crate::media::MediaError;
use crate::pipeline::{AnalyzeError, stage};
use crate::store::jobs::Job;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(in crate::http::routes) const REPLAYED: HeaderName =
    HeaderName::from_static("idempotency-replayed");

/// A job that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Accepted {
    /// ULID.
    id: String,
    status: JobStatus,
    /// Where it waits: `flagger`, `live` or `backfill`.
    #[schema(value_type = String)]
    lane: Lane,
}

/// Takes a video or an image to be scored later.
///
/// Once this answers, the job is on disk and outlives a crash. With an `Idempotency-Key`, the same
/// request again gets the same job, as long as the key is remembered.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    operation_id = "submit_job",
    params(
        ("model" = Option<Vec<String>>, Query, description = "Name of a loaded model; may come several times"),
        ("policy" = Option<String>, Query, description = "Name of a loaded policy"),
        ("frames" = Option<u32>, Query, description = "Into how many slices the video is cut", minimum = 1, maximum = 256),
        ("sampling" = Option<Strategy>, Query, description = "How frames are chosen"),
        ("adaptive" = Option<bool>, Query, description = "Score no more frames than the verdict needs; the policy's choice when absent"),
        ("frame_scores" = Option<bool>, Query, description = "Put every frame's score into the report"),
        ("region" = Option<Region>, Query, description = "Where the video is shown, such as `id-jk`; rules of a policy can differ by it"),
        ("lane" = Option<String>, Query, description = "`backfill` for what has time; the key's own lane when absent"),
        ("client_ref" = Option<String>, Query, description = "The caller's own word for it", max_length = 255),
        ("callback_url" = Option<String>, Query, description = "Where the job's end is told", max_length = 4096),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's word for \"this request again\"; 1 to 255 visible characters"),
    ),
    request_body(
        description = "The file itself, a form with it, or where it is",
        content((String = "application/octet-stream"), (Form = "multipart/form-data"), (ByUrl = "application/json"))
    ),
    responses((status = 202, description = "The job", body = Accepted,
        headers(("Location" = String, description = "Where the job is shown"))))
)]
pub(in crate::http) async fn submit(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (job, is_new) = take(&state, &caller, request, Door::Jobs).await?;
    let accepted = Accepted {
        id: job.id.clone(),
        status: job.status,
        lane: job.lane,
    };
    answered("/v1/jobs", &job, is_new, accepted)
}

/// Takes the job that a request to `door` asks for. `false`: it is that of the same request before.
pub(in crate::http::routes) async fn take(
    state: &AppState,
    caller: &Caller,
    request: Request,
    door: Door,
) -> Result<(Job, bool), Problem> {
    let pipeline = state.pipeline()?;
    let desk = state.desk()?;
    let idempotency_key = idempotency_key(request.headers())?;
    let possible = |wishes: &Wishes| pipeline.request(&wishes.options, wishes.lane);
    // The same key and content by another door is another request.
    let print = |kind: &[u8], parts: [&[u8]; 2]| match door {
        Door::Jobs => fingerprint(&[kind, parts[0], parts[1]]),
        Door::Flags => fingerprint(&[b"flag", kind, parts[0], parts[1]]),
    };
    if by_url::is_json(request.headers()) {
        let (asked, url, body) = by_url::read(state, request, door).await?;
        let wishes = asked.checked(caller)?;
        possible(&wishes)?;
        let url = by_url::checked(state, &url).await?;
        wishes.check_callback(state).await?;
        let order = wishes.order(caller, idempotency_key)?;
        let print = print(b"url", [&body, b""]);
        return Ok(desk.submit_url(order, url, print).await?);
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let wishes = Asked::read(&query, door)?.checked(caller)?;
    // What can't be done is refused now and not when its turn comes.
    possible(&wishes)?;
    wishes.check_callback(state).await?;
    let spooling = stage::spool();
    let upload = upload::receive(state, request).instrument(spooling);
    let upload = upload.await?;
    if upload.bytes == 0 {
        return Err(AnalyzeError::from(MediaError::Empty).into());
    }
    let order = wishes.order(caller, idempotency_key)?;
    let print = print(b"file", [query.as_bytes(), upload.blake3.as_bytes()]);
    Ok(desk.submit(order, upload, print).await?)
}

/// 202 with `body` and where the job, or what came with it, is shown.
pub(in crate::http::routes) fn answered(
    path: &str,
    job: &Job,
    is_new: bool,
    body: impl Serialize,
) -> Result<Response, Problem> {
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    let headers = response.headers_mut();
    let location = format!("{path}/{}", job.id).parse();
    headers.insert(LOCATION, location.map_err(|_| Problem::internal())?);
    if !is_new {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Hash of what makes a request what it is; the parts' lengths are part of it.
pub(in crate::http::routes) fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

pub(in crate::http::routes) fn idempotency_key(
    headers: &HeaderMap,
) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().ok().filter(|key| {
        (1..=LONGEST_WORD).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    });
    let key = key.ok_or_else(|| unusable("Idempotency-Key", "1 to 255 visible characters"))?;
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_visible_word() {
        let mut headers = HeaderMap::new();
        assert_eq!(idempotency_key(&headers).unwrap(), None);
        for (bad, is_key) in [("a-1", true), ("", false), ("a b", false)] {
            headers.insert(IDEMPOTENCY_KEY, bad.parse().unwrap());
            assert_eq!(idempotency_key(&headers).is_ok(), is_key, "{bad}");
        }
    }
}
