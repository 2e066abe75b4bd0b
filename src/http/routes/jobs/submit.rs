//! `POST /v1/jobs`: a video in, a job out.

use axum::extract::{Request, State};
use axum::http::header::{HeaderName, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use super::by_url::{self, ByUrl};
use super::callbacks;
use crate::domain::job::JobStatus;
use crate::domain::lanes::Lane;
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::http::routes::options::{self, unknown, unusable};
use crate::http::routes::score::Form;
use crate::http::state::AppState;
use crate::http::upload;
use crate::media::MediaError;
use crate::pipeline::{AnalyzeError, Options, stage};
use crate::worker::Order;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(in crate::http::routes) const REPLAYED: HeaderName =
    HeaderName::from_static("idempotency-replayed");

/// Characters of an idempotency key or a client's reference.
const LONGEST_WORD: usize = 255;

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
    let pipeline = state.pipeline()?;
    let desk = state.desk()?;
    let idempotency_key = idempotency_key(request.headers())?;
    let possible = |wishes: &Wishes| pipeline.request(&wishes.options, wishes.lane);
    let (job, is_new) = if by_url::is_json(request.headers()) {
        let (wishes, url, body) = by_url::read(&state, request, caller.lane).await?;
        possible(&wishes)?;
        wishes.check_callback(&state).await?;
        let order = wishes.order(&caller, idempotency_key)?;
        desk.submit_url(order, url, fingerprint(&[b"url", &body]))
            .await?
    } else {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let wishes = Wishes::read(&query, caller.lane)?;
        // What can't be done is refused now and not when its turn comes.
        possible(&wishes)?;
        wishes.check_callback(&state).await?;
        let spooling = stage::spool();
        let upload = upload::receive(&state, request).instrument(spooling);
        let upload = upload.await?;
        if upload.bytes == 0 {
            return Err(AnalyzeError::from(MediaError::Empty).into());
        }
        let order = wishes.order(&caller, idempotency_key)?;
        let print = fingerprint(&[b"file", query.as_bytes(), upload.blake3.as_bytes()]);
        desk.submit(order, upload, print).await?
    };
    let mut headers = vec![(LOCATION, format!("/v1/jobs/{}", job.id))];
    if !is_new {
        headers.push((REPLAYED, "true".to_owned()));
    }
    let accepted = Accepted {
        id: job.id,
        status: job.status,
        lane: job.lane,
    };
    let mut response = (StatusCode::ACCEPTED, Json(accepted)).into_response();
    for (name, value) in headers {
        let value = value.parse().map_err(|_| Problem::internal())?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// A caller's own word, if it has the form of one.
pub(in crate::http::routes) fn checked_word(
    key: &str,
    word: Option<String>,
) -> Result<Option<String>, Problem> {
    let is_long =
        |word: &String| word.chars().count() > LONGEST_WORD || word.chars().any(char::is_control);
    if word.as_ref().is_some_and(is_long) {
        return Err(unusable(key, "at most 255 printable characters"));
    }
    Ok(word)
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

/// What a caller wants of a job besides its content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wishes {
    options: Options,
    lane: Lane,
    client_ref: Option<String>,
    callback_url: Option<String>,
}

impl Wishes {
    /// Checked. Nobody gets ahead of others by asking for it: `lane` is the key's `own`, or
    /// backfill.
    pub(super) fn new(
        options: Options,
        own: Lane,
        lane: Option<Lane>,
        client_ref: Option<String>,
        callback_url: Option<String>,
    ) -> Result<Self, Problem> {
        let lane = lane.unwrap_or(own);
        if lane != own && lane != Lane::Backfill {
            return Err(unusable("lane", "the key's own or backfill"));
        }
        Ok(Self {
            options,
            lane,
            client_ref: checked_word("client_ref", client_ref)?,
            callback_url,
        })
    }

    /// Whether the callback, if there is one, may be called.
    async fn check_callback(&self, state: &AppState) -> Result<(), Problem> {
        if let Some(url) = &self.callback_url {
            callbacks::checked(state.sender()?, url).await?;
        }
        Ok(())
    }

    /// From the query of a request with an upload.
    fn read(query: &str, own: Lane) -> Result<Self, Problem> {
        let mut options = Options::default();
        let (mut lane, mut client_ref, mut callback_url) = (None, None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "lane" => lane = Some(super::lane(&value)?),
                "client_ref" => client_ref = Some(value.into_owned()),
                "callback_url" => callback_url = Some(value.into_owned()),
                _ if options::read(&mut options, &key, &value)? => {}
                other => {
                    return Err(unknown(
                        other,
                        "model, policy, frames, sampling, frame_scores, adaptive, region, lane, client_ref, callback_url",
                    ));
                }
            }
        }
        Self::new(options, own, lane, client_ref, callback_url)
    }

    fn order(self, caller: &Caller, idempotency_key: Option<String>) -> Result<Order, Problem> {
        Ok(Order {
            owner: caller.owner.to_string(),
            lane: self.lane,
            wishes: serde_json::to_string(&self.options).map_err(|_| Problem::internal())?,
            client_ref: self.client_ref,
            callback_url: self.callback_url,
            idempotency_key,
        })
    }
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
    fn a_lane_can_only_be_given_up() {
        let lane = |query, own| Wishes::read(query, own).map(|wishes| wishes.lane);
        assert_eq!(lane("", Lane::Flagger).unwrap(), Lane::Flagger);
        assert_eq!(lane("lane=backfill", Lane::Live).unwrap(), Lane::Backfill);
        assert_eq!(lane("lane=live", Lane::Live).unwrap(), Lane::Live);
        let refused = lane("lane=flagger", Lane::Live).unwrap_err();
        assert_eq!(refused.code(), "bad_request");
    }

    #[test]
    fn words_have_their_bounds() {
        let long = format!("client_ref={}", "x".repeat(256));
        for bad in [long.as_str(), "client_ref=a%0Ab", "client=a"] {
            assert!(Wishes::read(bad, Lane::Live).is_err(), "{bad}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(idempotency_key(&headers).unwrap(), None);
        for (bad, is_key) in [("a-1", true), ("", false), ("a b", false)] {
            headers.insert(IDEMPOTENCY_KEY, bad.parse().unwrap());
            assert_eq!(idempotency_key(&headers).is_ok(), is_key, "{bad}");
        }
    }
}
