//! `/v1/transparency`: what was decided, for the public.

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::civil::Date;
use utoipa::ToSchema;

use super::options::{unknown, unusable};
use crate::domain::transparency::Cut;
use crate::domain::transparency::period::Period;
use crate::domain::transparency::published::Published;
use crate::domain::transparency::statement::Terms;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::store::JobsError;
use crate::store::ledger::{After, Recorded, Sought};
use crate::worker::Desk;

/// Decisions that are read at once for statements.
const PAGE: u32 = 500;

/// Form of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = CountsFormat, rename_all = "lowercase")]
pub(in crate::http) enum Format {
    Json,
    Csv,
}

/// Counts the decisions of a period.
///
/// One decision is one report that was kept, also where it is deleted since. It is in exactly one
/// group, so that counts add up. By `format`, else by `Accept`, it is JSON or CSV.
#[utoipa::path(
    get,
    path = "/v1/transparency",
    operation_id = "transparency",
    params(
        ("from" = String, Query, description = "First day, such as `2026-10-01`, UTC", format = Date),
        ("to" = String, Query, description = "The day after the last one, UTC", format = Date),
        ("group_by" = Option<String>, Query, description = "What is told apart, separated by commas: policy, policy_version, rule, action, verdict, lane, source, automation, overturned, day, month; nothing for one sum"),
        ("format" = Option<Format>, Query, description = "Comes before `Accept`"),
    ),
    responses((status = 200, description = "The counts", content(
        (Published = "application/json"), (String = "text/csv; charset=utf-8; header=present")
    )))
)]
pub(in crate::http) async fn counts(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let desk = state.desk()?;
    let asked = Asked::read(query.as_deref().unwrap_or_default(), true)?;
    let (table, head) = desk.store().count(&asked.period, asked.cut).await?;
    let vary = [(VARY, "Accept")];
    let format = asked.format.unwrap_or_else(|| accepted(&headers));
    Ok(match format {
        Format::Json => {
            let published = Published::new(&asked.period, table, head);
            (vary, Json(published)).into_response()
        }
        Format::Csv => {
            let kind = [(CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
            (vary, kind, table.csv()).into_response()
        }
    })
}

/// Tells the decisions of a period that restrict something as statements of reasons for the DSA
/// transparency database, one JSON object a line.
///
/// Needs `[transparency.statements]` in the configuration. `docs/transparency.md` explains each field.
#[utoipa::path(
    get,
    path = "/v1/transparency/statements",
    operation_id = "statements",
    params(
        ("from" = String, Query, description = "First day, such as `2026-10-01`, UTC", format = Date),
        ("to" = String, Query, description = "The day after the last one, UTC", format = Date),
    ),
    responses((status = 200, description = "The statements", content((String = "application/jsonl"))))
)]
pub(in crate::http) async fn statements(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let desk = Arc::clone(state.desk()?);
    let Some(terms) = state.terms().cloned() else {
        return Err(Problem::bad_request(
            "This server has no `[transparency.statements]` in its configuration.",
        ));
    };
    let asked = Asked::read(query.as_deref().unwrap_or_default(), false)?;
    // The first page now: what fails at once is a problem and no answer that breaks off.
    let first = page(&desk, &terms, asked.period, None).await?;
    let pages = stream::try_unfold(Some(first), move |last| {
        let (desk, terms) = (Arc::clone(&desk), Arc::clone(&terms));
        async move {
            let Some((lines, place)) = last else {
                return Ok::<_, io::Error>(None);
            };
            let next = match place {
                Some(place) => Some(page(&desk, &terms, asked.period, Some(place)).await),
                None => None,
            };
            let next = next.transpose().map_err(|error| {
                let told = &error as &dyn std::error::Error;
                tracing::error!(error = told, "statements broke off");
                io::Error::other(error)
            })?;
            Ok(Some((lines, next)))
        }
    });
    let kind = [(CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(pages)).into_response())
}

/// The statements of one page of records, and where the next one begins, if there is one.
async fn page(
    desk: &Desk,
    terms: &Terms,
    period: Period,
    after: Option<After>,
) -> Result<(Bytes, Option<After>), JobsError> {
    let sought = Sought {
        period: Some(period),
        after,
        limit: PAGE,
        ..Sought::default()
    };
    let records = desk.store().records(&sought).await?;
    let mut lines = Vec::new();
    for statement in records.iter().filter_map(|record| record.statement(terms)) {
        serde_json::to_writer(&mut lines, &statement).map_err(|error| JobsError::Row {
            what: "a statement",
            text: error.to_string(),
        })?;
        lines.push(b'\n');
    }
    Ok((lines.into(), records.last().map(Recorded::place)))
}

/// What a query asks for.
#[derive(Debug)]
struct Asked {
    period: Period,
    cut: Cut,
    format: Option<Format>,
}

impl Asked {
    /// Reads the query; `cuts`: whether it may say what is told apart, and in which form.
    fn read(query: &str, cuts: bool) -> Result<Self, Problem> {
        let (mut from, mut to, mut cut, mut format) = (None, None, Vec::new(), None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "from" => from = Some(day("from", &value)?),
                "to" => to = Some(day("to", &value)?),
                "group_by" if cuts => cut.push(value.into_owned()),
                "format" if cuts => {
                    format = Some(match &*value {
                        "json" => Format::Json,
                        "csv" => Format::Csv,
                        _ => return Err(unusable("format", "json or csv")),
                    });
                }
                other if cuts => return Err(unknown(other, "from, to, group_by, format")),
                other => return Err(unknown(other, "from, to")),
            }
        }
        let missing = |key| unusable(key, "a day such as 2026-11-24; it is needed");
        let from = from.ok_or_else(|| missing("from"))?;
        let to = to.ok_or_else(|| missing("to"))?;
        let period = Period::new(from, to);
        let period = period
            .map_err(|error| Problem::bad_request(error.to_string()).with("parameter", "to"))?;
        let cut = cut.join(",").parse().map_err(|error| {
            let detail = format!("`group_by`: {error}.");
            Problem::bad_request(detail).with("parameter", "group_by")
        })?;
        Ok(Self {
            period,
            cut,
            format,
        })
    }
}

fn day(key: &str, text: &str) -> Result<Date, Problem> {
    let day = text.parse();
    day.map_err(|_| unusable(key, "a day such as 2026-11-24"))
}

/// The form that the caller would rather have; JSON where it is all the same.
fn accepted(headers: &HeaderMap) -> Format {
    let lines = headers.get_all(ACCEPT).iter();
    let text: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let text = text.join(",");
    let rank = |kinds: &[&str]| {
        let ranges = text.split(',').filter_map(|range| weight(range, kinds));
        ranges.fold(None, |best: Option<f32>, next| {
            Some(best.map_or(next, |best| best.max(next)))
        })
    };
    let csv = rank(&["text/csv"]).or_else(|| rank(&["text/*"]));
    let json = rank(&["application/json"]).or_else(|| rank(&["application/*", "*/*"]));
    if csv.unwrap_or_default() > json.unwrap_or_default() {
        Format::Csv
    } else {
        Format::Json
    }
}

/// The weight of a media range that is one of `kinds` (RFC 9110, section 12.5.1).
fn weight(range: &str, kinds: &[&str]) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?;
    if !kinds.iter().any(|wanted| kind.eq_ignore_ascii_case(wanted)) {
        return None;
    }
    let weight = parts.find_map(|part| part.strip_prefix("q="));
    Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_needed_and_faults_are_named() {
        let asked = Asked::read(
            "from=2026-10-01&to=2027-01-01&group_by=policy,rule&group_by=day&format=csv",
            true,
        )
        .unwrap();
        assert!(asked.cut.names().eq(["policy", "rule", "day"]));
        assert_eq!(asked.format, Some(Format::Csv));
        for bad in [
            "",
            "from=2026-10-01",
            "from=2026-10-01&to=2026-10-01",
            "from=2026-10-01&to=2026-13-01",
            "from=2026-10-01&to=2026-11-01&group_by=colour",
            "from=2026-10-01&to=2026-11-01&format=xml",
            "from=2026-10-01&to=2026-11-01&until=x",
        ] {
            let problem = Asked::read(bad, true).unwrap_err();
            assert_eq!(problem.code(), "bad_request", "{bad}");
        }
        assert!(Asked::read("from=2026-10-01&to=2026-11-01&group_by=day", false).is_err());
    }

    #[test]
    fn the_caller_chooses_by_accept() {
        for (accept, want) in [
            (None, Format::Json),
            (Some("*/*"), Format::Json),
            (Some("text/csv"), Format::Csv),
            (Some("text/csv, */*;q=0.1"), Format::Csv),
            (Some("application/json, text/csv"), Format::Json),
            (Some("application/json;q=0.5, text/csv;q=0.8"), Format::Csv),
            (Some("text/csv;q=0"), Format::Json),
            (Some("text/html"), Format::Json),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(accepted(&headers), want, "{accept:?}");
        }
    }
}
