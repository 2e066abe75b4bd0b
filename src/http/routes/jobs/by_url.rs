//! The JSON form of a job: its content lies behind a URL.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use utoipa::ToSchema;

use super::lane;
use super::submit::Wishes;
use crate::domain::lanes::Lane;
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::http::error::upload_timeout;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::pipeline::Options;

/// Bytes of the JSON.
const LONGEST: usize = 64 * 1024;

/// A job whose content is to be fetched. What the query says of an upload stands here as a member.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct ByUrl {
    /// Where the content is; `https:`, at a host that `fetch.hosts` allows.
    #[schema(required)]
    url: String,
    /// Names of loaded models.
    model: Vec<String>,
    /// Name of a loaded policy.
    policy: Option<String>,
    /// Into how many slices the video is cut.
    frames: Option<u32>,
    /// How frames are chosen.
    sampling: Option<Strategy>,
    /// Score no more frames than the verdict needs.
    adaptive: Option<bool>,
    /// Put every frame's score into the report.
    frame_scores: bool,
    /// Where the video is shown.
    region: Option<Region>,
    /// `backfill` for what has time.
    lane: Option<String>,
    /// The caller's own word for it.
    client_ref: Option<String>,
    /// Where the job's end is told.
    callback_url: Option<String>,
}

/// Whether a body is such a form.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads the form; the URL is checked, its addresses among it. With the bytes, for their hash.
pub(super) async fn read(
    state: &AppState,
    request: Request,
    own: Lane,
) -> Result<(Wishes, String, Vec<u8>), Problem> {
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::bad_request(
            "With a JSON body, options are its members and the query is empty.",
        ));
    }
    let timeout = state.upload_timeout();
    let body = tokio::time::timeout(timeout, to_bytes(request.into_body(), LONGEST))
        .await
        .map_err(|_| upload_timeout(timeout.as_secs_f64()))?
        .map_err(|_| {
            Problem::bad_request("The body broke off or has more than 64 KiB.")
                .with("allowed", LONGEST)
        })?;
    let form: ByUrl = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("The body is no job: {error}.")))?;
    let fetcher = state.fetcher()?;
    let url = fetcher.parse(&form.url)?;
    fetcher.check(&url).await?;
    let lane = form.lane.as_deref().map(lane).transpose()?;
    let options = Options {
        models: form.model,
        policy: form.policy,
        frames: form.frames,
        sampling: form.sampling,
        frame_scores: form.frame_scores,
        adaptive: form.adaptive,
        region: form.region,
    };
    let wishes = Wishes::new(options, own, lane, form.client_ref, form.callback_url)?;
    Ok((wishes, url.into(), body.to_vec()))
}
