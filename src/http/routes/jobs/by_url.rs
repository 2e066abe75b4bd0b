//! The JSON form of a job: its content lies behind a URL.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::lane;
use super::wishes::{Asked, Door, Flagging};
use crate::domain::flag::{Grounds, Organisation};
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::upload;
use crate::pipeline::Options;

/// Bytes of the JSON.
const LONGEST: usize = 64 * 1024;

/// A job whose content is to be fetched. What the query says of an upload stands here as a member.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct ByUrl {
    /// Where the content is; `https:`, at a host that `fetch.hosts` allows. Must be there, unless a
    /// flag has `content_url`.
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

/// What a flag's JSON has besides. A file behind another URL than the one that the public sees is named
/// by `url`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(in crate::http) struct FlagMembers {
    /// Who flags, where the key doesn't tell.
    organisation: Option<Organisation>,
    /// The reporter's own number of the case.
    #[schema(max_length = 255)]
    case_ref: Option<String>,
    /// Why it was flagged.
    #[schema(max_length = 4000)]
    reason: Option<String>,
    /// Where the public sees it; fetched where `url` is absent.
    #[schema(max_length = 4096)]
    content_url: Option<String>,
}

/// Names of [`FlagMembers`].
const FLAG_MEMBERS: [&str; 4] = ["organisation", "case_ref", "reason", "content_url"];

/// Reads the form: what is asked for, the URL as it stands there, and the bytes, for their hash.
pub(super) async fn read(
    state: &AppState,
    request: Request,
    door: Door,
) -> Result<(Asked, String, Bytes), Problem> {
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::bad_request(
            "With a JSON body, options are its members and the query is empty.",
        ));
    }
    let body = upload::small(state, request, LONGEST).await?;
    let (form, flag) = parse(&body, door)
        .map_err(|e| Problem::bad_request(format!("The body is no job: {e}.")))?;
    let content_url = flag.as_ref().and_then(|f| f.grounds.content_url.clone());
    let url = Some(form.url).filter(|url| !url.is_empty()).or(content_url);
    let lane = form.lane.as_deref().map(lane).transpose()?;
    let asked = Asked {
        options: Options {
            models: form.model,
            policy: form.policy,
            frames: form.frames,
            sampling: form.sampling,
            frame_scores: form.frame_scores,
            adaptive: form.adaptive,
            region: form.region,
        },
        lane,
        client_ref: form.client_ref,
        callback_url: form.callback_url,
        flag,
    };
    Ok((asked, url.unwrap_or_default(), body))
}

fn parse(body: &[u8], door: Door) -> Result<(ByUrl, Option<Flagging>), serde_json::Error> {
    // Not at once as what it should be: a list would do for that.
    let mut members: Map<String, Value> = serde_json::from_slice(body)?;
    if door == Door::Jobs {
        return Ok((serde_json::from_value(Value::Object(members))?, None));
    }
    let own = FLAG_MEMBERS
        .into_iter()
        .filter_map(|name| members.remove_entry(name));
    let own: FlagMembers = serde_json::from_value(Value::Object(own.collect()))?;
    // A flag's lane is its own.
    if members.contains_key("lane") {
        return Err(serde::de::Error::custom("unknown field `lane`"));
    }
    let flag = Flagging {
        organisation: own.organisation,
        grounds: Grounds {
            case_ref: own.case_ref,
            reason: own.reason,
            content_url: own.content_url,
        },
    };
    Ok((serde_json::from_value(Value::Object(members))?, Some(flag)))
}

/// The URL, if its content may be fetched; its addresses are looked up for that.
pub(super) async fn checked(state: &AppState, url: &str) -> Result<String, Problem> {
    let fetcher = state.fetcher()?;
    let url = fetcher.parse(url)?;
    fetcher.check(&url).await?;
    Ok(url.into())
}
