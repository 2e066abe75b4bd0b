//! `/v1/flags`: what trusted reporters send, and how they were served.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::jobs::by_url::{ByUrl, FlagMembers};
use super::jobs::submit::{answered, take};
use super::jobs::wishes::Door;
use super::jobs::{JobBody, whole, written};
use super::options::{day, period, unknown, unusable};
use super::paging;
use super::score::Form;
use crate::domain::flag::{Figures, FlagOutcome, Organisation};
use crate::domain::job::JobStatus;
use crate::domain::lanes::Lane;
use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::http::access::{Caller, FlagsAs};
use crate::http::error::nothing_of_this_id;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::store::flags::{Flag, FlagFilter};
use crate::store::jobs::{Job, Millis};

/// Reads the name of an organisation.
pub(super) fn organisation(text: &str) -> Result<Organisation, Problem> {
    let expected = "1 to 64 lower-case letters and digits, with single `-` between them";
    text.parse().map_err(|_| unusable("organisation", expected))
}

fn forbidden(detail: String) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "The key may not do that",
        detail,
    )
}

/// The problem of a key that flags in nobody's name.
pub(super) fn nobody() -> Problem {
    let detail = "This key belongs to no organisation that flags videos; `jaga keys create --role flagger --organisation ORG` makes one that does.";
    forbidden(detail.to_owned())
}

/// The problem of a key that flags in the name of `own` only.
pub(super) fn another(own: &Organisation) -> Problem {
    forbidden(format!("This key flags in the name of `{own}` only."))
        .with("organisation", own.as_str())
}

/// A flag's JSON.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct FlagByUrl {
    #[schema(inline)]
    #[serde(flatten)]
    flag: FlagMembers,
    #[schema(inline)]
    #[serde(flatten)]
    job: ByUrl,
}

/// The acknowledgement of a flag, which is its receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Acknowledgement {
    /// ULID; the job's as well.
    id: String,
    status: JobStatus,
    /// Where it waits: `flagger`.
    #[schema(value_type = String)]
    lane: Lane,
    organisation: Organisation,
    /// The reporter's own number of the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    case_ref: Option<String>,
    /// When it was taken. RFC 3339, UTC.
    received_at: String,
    /// When an answer is due.
    due_at: String,
    content: Received,
}

/// What was flagged, as it was received.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Received {
    /// BLAKE3 of the upload, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
    /// Bytes of the upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Where it will be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Acknowledgement {
    fn of(job: &Job, flag: Flag) -> Self {
        let (blake3, bytes) = job.file.clone().unzip();
        Self {
            id: flag.id,
            status: job.status,
            lane: job.lane,
            organisation: flag.organisation,
            case_ref: flag.grounds.case_ref,
            received_at: written(flag.received_ms),
            due_at: written(flag.due_ms),
            content: Received {
                blake3,
                bytes,
                url: job.url.clone(),
            },
        }
    }
}

/// Takes a video that a trusted reporter flags; it is scored before what other lanes send.
///
/// The answer acknowledges the flag and says when it will be answered at the latest. Once it is out,
/// the flag is on disk and outlives a crash. The result is told as that of a job: `GET`, events,
/// callback.
#[utoipa::path(
    post,
    path = "/v1/flags",
    operation_id = "submit_flag",
    params(
        ("organisation" = Option<Organisation>, Query, description = "Who flags; needed where the key belongs to no organisation"),
        ("case_ref" = Option<String>, Query, description = "The reporter's own number of the case", max_length = 255),
        ("reason" = Option<String>, Query, description = "Why it was flagged", max_length = 4000),
        ("content_url" = Option<String>, Query, description = "Where the public sees it; noted beside an upload, never opened", max_length = 4096),
        ("model" = Option<Vec<String>>, Query, description = "Name of a loaded model; may come several times"),
        ("policy" = Option<String>, Query, description = "Name of a loaded policy"),
        ("frames" = Option<u32>, Query, description = "Into how many slices the video is cut", minimum = 1, maximum = 256),
        ("sampling" = Option<Strategy>, Query, description = "How frames are chosen"),
        ("adaptive" = Option<bool>, Query, description = "Score no more frames than the verdict needs; the policy's choice when absent"),
        ("frame_scores" = Option<bool>, Query, description = "Put every frame's score into the report"),
        ("region" = Option<Region>, Query, description = "Where the video is shown, such as `id-jk`; rules of a policy can differ by it"),
        ("client_ref" = Option<String>, Query, description = "The caller's own word for it", max_length = 255),
        ("callback_url" = Option<String>, Query, description = "Where the flag's end is told", max_length = 4096),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's word for \"this request again\"; 1 to 255 visible characters"),
    ),
    request_body(
        description = "The file itself, a form with it, or where it is",
        content((String = "application/octet-stream"), (Form = "multipart/form-data"), (FlagByUrl = "application/json"))
    ),
    responses((status = 202, description = "The acknowledgement", body = Acknowledgement,
        headers(("Location" = String, description = "Where the flag is shown"))))
)]
pub(in crate::http) async fn submit(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (job, is_new) = take(&state, &caller, request, Door::Flags).await?;
    let flag = state.desk()?.store().flag(&job.id).await?;
    let flag = flag.ok_or_else(Problem::internal)?;
    let body = Acknowledgement::of(&job, flag);
    answered("/v1/flags", &job, is_new, body)
}

/// A flag as its organisation sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flag)]
pub(in crate::http) struct FlagBody {
    /// ULID; the job's as well.
    id: String,
    organisation: Organisation,
    /// The reporter's own number of the case; as the next two, until the job is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    case_ref: Option<String>,
    /// Why it was flagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where the public sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_url: Option<String>,
    /// When it was taken. RFC 3339, UTC.
    received_at: String,
    /// When an answer is due.
    due_at: String,
    /// When it was answered, failed or was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// How it ended; null while it waits.
    outcome: Option<FlagOutcome>,
    /// Whether the answer is late, or was.
    late: bool,
    /// Id of the report, once it is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    report_id: Option<String>,
    /// The job with its report or problem, where one flag is shown, until it is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobBody>,
}

impl FlagBody {
    fn of(flag: Flag, now: Millis) -> Self {
        let end = flag.ended.map(|(_, at)| at);
        Self {
            late: end.unwrap_or(now) > flag.due_ms,
            id: flag.id,
            organisation: flag.organisation,
            case_ref: flag.grounds.case_ref,
            reason: flag.grounds.reason,
            content_url: flag.grounds.content_url,
            received_at: written(flag.received_ms),
            due_at: written(flag.due_ms),
            ended_at: end.map(written),
            outcome: flag.ended.map(|(outcome, _)| outcome),
            report_id: flag.report_id,
            job: None,
        }
    }
}

fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

/// Whose flags the caller may see; `None`: all.
fn visible(caller: &Caller) -> Result<Option<Organisation>, Problem> {
    match &caller.flags_as {
        _ if caller.sees_all => Ok(None),
        FlagsAs::One(own) => Ok(Some(own.clone())),
        FlagsAs::Anyone | FlagsAs::Nobody => Err(nobody()),
    }
}

/// Those of `asked`, as far as the caller may see them.
fn narrowed(caller: &Caller, asked: Option<Organisation>) -> Result<Option<Organisation>, Problem> {
    match (visible(caller)?, asked) {
        (Some(own), Some(asked)) if own != asked => Err(another(&own)),
        (own, asked) => Ok(own.or(asked)),
    }
}

/// Shows a flag, with its job.
///
/// It is there for its organisation's keys, reviewers and admins.
#[utoipa::path(
    get,
    path = "/v1/flags/{id}",
    operation_id = "flag",
    params(("id" = String, Path, description = "The flag's id")),
    responses((status = 200, description = "The flag", body = FlagBody))
)]
pub(in crate::http) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<FlagBody>, Problem> {
    let desk = state.desk()?;
    let own = visible(&caller)?;
    let flag = desk.store().flag(&id).await?;
    let flag = flag.filter(|flag| own.is_none_or(|own| own == flag.organisation));
    let flag = flag.ok_or_else(|| nothing_of_this_id("flag"))?;
    let mut body = FlagBody::of(flag, now());
    if let Some(job) = desk.store().job(&id).await? {
        body.job = Some(whole(desk, job).await?);
    }
    Ok(Json(body))
}

/// A page of flags.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flags)]
pub(in crate::http) struct Page {
    /// Newest first, without their jobs.
    flags: Vec<FlagBody>,
    /// What `cursor` has to be for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Lists the flags of the caller's organisation, or of all, newest first.
#[utoipa::path(
    get,
    path = "/v1/flags",
    operation_id = "flags",
    params(
        ("organisation" = Option<Organisation>, Query, description = "Only those of this one"),
        ("over" = Option<bool>, Query, description = "Only those that are over, or only those that wait"),
        ("limit" = Option<u32>, Query, description = "Flags of this page", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "Goes on where the page with this `cursor` ended"),
    ),
    responses((status = 200, description = "The flags", body = Page))
)]
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Problem> {
    let desk = state.desk()?;
    let mut filter = filter(query.as_deref().unwrap_or_default())?;
    filter.organisation = narrowed(&caller, filter.organisation)?;
    let flags = desk.store().flags(&filter).await?;
    let cursor = paging::cursor(&flags, filter.limit, |flag| flag.seq);
    let now = now();
    let flags = flags.into_iter().map(|flag| FlagBody::of(flag, now));
    Ok(Json(Page {
        flags: flags.collect(),
        cursor,
    }))
}

fn filter(query: &str) -> Result<FlagFilter, Problem> {
    let mut filter = FlagFilter {
        limit: paging::PAGE,
        ..FlagFilter::default()
    };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "organisation" => filter.organisation = Some(organisation(&value)?),
            "over" => {
                let over = value.parse().map_err(|_| unusable("over", "true or false"));
                filter.is_over = Some(over?);
            }
            "limit" => filter.limit = paging::limit(&value)?,
            "cursor" => filter.before = Some(paging::before(&value)?),
            other => return Err(unknown(other, "organisation, over, limit, cursor")),
        }
    }
    Ok(filter)
}

/// How a channel served those who flag.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlagsService)]
pub(in crate::http) struct Service {
    /// First day of the period, UTC.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// Day after its last.
    #[schema(value_type = String, format = Date)]
    to: Date,
    /// By organisation; those without a flag in the period are absent.
    organisations: BTreeMap<String, Figures>,
}

/// Tells how flags that were taken in a period were answered, by organisation.
#[utoipa::path(
    get,
    path = "/v1/flags/figures",
    operation_id = "flag_figures",
    params(
        ("from" = String, Query, description = "First day of the period, `YYYY-MM-DD`, UTC"),
        ("to" = String, Query, description = "Day after its last"),
        ("organisation" = Option<Organisation>, Query, description = "Only this one"),
    ),
    responses((status = 200, description = "The figures", body = Service))
)]
pub(in crate::http) async fn figures(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Service>, Problem> {
    let desk = state.desk()?;
    let (mut from, mut to, mut asked) = (None, None, None);
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*key {
            "from" => from = Some(day("from", &value)?),
            "to" => to = Some(day("to", &value)?),
            "organisation" => asked = Some(organisation(&value)?),
            other => return Err(unknown(other, "from, to, organisation")),
        }
    }
    let period = period(from, to)?;
    let own = narrowed(&caller, asked)?;
    let store = desk.store();
    let (from, to) = period.millis();
    let tally = store.tally(from, to, own.as_ref(), now()).await?;
    Ok(Json(Service {
        from: period.from(),
        to: period.to(),
        organisations: tally.figures(),
    }))
}
