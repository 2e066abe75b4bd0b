//! `POST /v1/policies/{name}/simulate`: stored reports decided anew.

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::policy::{Policy, PolicyError};
use crate::http::error;
use crate::http::problem::Problem;
use crate::http::routes::jobs::lane;
use crate::http::routes::options::{day, unknown, unusable};
use crate::http::state::AppState;
use crate::http::upload;
use crate::pipeline::simulation::{Simulated, Simulation, SimulationError};
use crate::store::reports::Span;

/// Bytes of a candidate policy.
const LONGEST: usize = 1 << 20;
/// Ids of each transition when the caller doesn't say.
const EXAMPLES: usize = 10;
/// Ids of each transition at most.
const MOST_EXAMPLES: usize = 100;

const KNOWN: &str = "from, to, lane, decided_by, on, examples";

/// What a policy would have decided.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SimulationCounts {
    /// The policy that decided anew.
    policy: SimulatedPolicy,
    /// Reports that were decided anew.
    reports: u64,
    /// Of these, reports with another action.
    changed: u64,
    /// Stored reports that this program can't read; they are not among `reports`.
    unreadable: u64,
    /// By old and new action, those that stay the same among them.
    transitions: Vec<TransitionCount>,
}

/// Which policy decided anew.
#[derive(Debug, Serialize, ToSchema)]
struct SimulatedPolicy {
    /// As in its text.
    name: String,
    /// As in its text.
    version: String,
    /// BLAKE3 of its text, hex.
    blake3: String,
    /// Whether it came with the request; else it is the loaded one.
    candidate: bool,
}

/// Reports with the same old and the same new action.
#[derive(Debug, Serialize, ToSchema)]
struct TransitionCount {
    /// The stored decision's action.
    from: String,
    /// The new decision's action.
    to: String,
    /// Their number.
    count: u64,
    /// Ids of the oldest of them, where the action is another one.
    examples: Vec<String>,
}

/// Decides stored reports anew, without any inference: how many go from which action to which.
///
/// With a body, by the policy in it, whose name must be that of the path; without, by the loaded
/// policy of that name. Nothing is changed. One simulation runs at a time; for a client that goes
/// away it is given up.
#[utoipa::path(
    post,
    path = "/v1/policies/{name}/simulate",
    operation_id = "simulate_policy",
    params(
        ("name" = String, Path, description = "The policy's name"),
        ("from" = Option<String>, Query, description = "First UTC date of the reports, such as `2026-11-01`"),
        ("to" = Option<String>, Query, description = "Last UTC date of the reports"),
        ("lane" = Option<String>, Query, description = "Only reports of this lane"),
        ("decided_by" = Option<String>, Query, description = "Only reports that a policy of this name decided"),
        ("on" = Option<String>, Query, description = "Decide as if all reports were of this UTC date; each one's own when absent"),
        ("examples" = Option<u32>, Query, description = "Ids that are shown of each transition to another action", minimum = 0, maximum = 100),
    ),
    request_body(
        description = "The policy as TOML; empty for the loaded one",
        content((String = "application/toml"))
    ),
    responses((status = 200, description = "The counts", body = SimulationCounts))
)]
pub(in crate::http) async fn simulate(
    State(state): State<AppState>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<SimulationCounts>, Problem> {
    let pipeline = state.pipeline()?;
    let desk = state.desk()?;
    let Ok(_turn) = state.simulations().try_acquire() else {
        return Err(error::simulating());
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let text = upload::small(&state, request, LONGEST).await?;
    let is_candidate = !text.trim_ascii().is_empty();
    let policy = if is_candidate {
        let policy = candidate(&name, &text)?;
        let checked = pipeline.policies().check_answers(&policy);
        checked.map_err(|fault| refused(&fault))?;
        Arc::new(policy)
    } else {
        let loaded = pipeline.policies().in_use().get(&name).cloned();
        let loaded = loaded.ok_or_else(|| error::nothing_of_this_id("loaded policy"))?;
        loaded.policy
    };
    let wanted = read(&query, Arc::clone(&policy))?;
    let found = wanted.run(desk.store()).await?;
    Ok(Json(answer(&policy, is_candidate, &found)))
}

fn candidate(name: &str, text: &[u8]) -> Result<Policy, Problem> {
    let text = std::str::from_utf8(text)
        .map_err(|_| Problem::bad_request("The policy is not UTF-8 text."))?;
    let policy = Policy::parse(text).map_err(|fault| refused(&fault))?;
    if policy.name != name {
        let told = format!(
            "The policy in the body is named `{}`, that of the path `{name}`.",
            policy.name
        );
        return Err(Problem::bad_request(told));
    }
    Ok(policy)
}

fn refused(fault: &PolicyError) -> Problem {
    let mut told = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    Problem::bad_request(format!("The policy can't be used: {}.", told.trim_end()))
}

/// Reads the query; an unknown key is an error, for it may be a misspelt one.
fn read(query: &str, policy: Arc<Policy>) -> Result<Simulation, Problem> {
    let mut wanted = Simulation {
        policy,
        span: Span::of_days(None, None),
        decided_by: None,
        on: None,
        examples: EXAMPLES,
    };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let date = || day(&key, &value);
        match &*key {
            "from" => wanted.span.from_ms = Span::of_days(Some(date()?), None).from_ms,
            "to" => wanted.span.until_ms = Span::of_days(None, Some(date()?)).until_ms,
            "lane" => wanted.span.lane = Some(lane(&value)?),
            "decided_by" => wanted.decided_by = Some(value.into_owned()),
            "on" => wanted.on = Some(date()?),
            "examples" => {
                let examples = value.parse().ok().filter(|n| *n <= MOST_EXAMPLES);
                wanted.examples = examples.ok_or_else(|| unusable("examples", "0 to 100"))?;
            }
            other => return Err(unknown(other, KNOWN)),
        }
    }
    Ok(wanted)
}

fn answer(policy: &Policy, candidate: bool, found: &Simulated) -> SimulationCounts {
    let each = found.transitions.each();
    let each = each.map(|(from, to, transition)| TransitionCount {
        from: from.to_owned(),
        to: to.to_owned(),
        count: transition.count,
        examples: transition.examples.clone(),
    });
    SimulationCounts {
        policy: SimulatedPolicy {
            name: policy.name.clone(),
            version: policy.version.clone(),
            blake3: policy.blake3.clone(),
            candidate,
        },
        reports: found.transitions.reports(),
        changed: found.transitions.changed(),
        unreadable: found.unreadable,
        transitions: each.collect(),
    }
}

impl From<SimulationError> for Problem {
    fn from(error: SimulationError) -> Self {
        match error {
            SimulationError::Store(error) => error.into(),
            SimulationError::Task(error) => {
                tracing::error!(%error, "a simulation failed");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lanes::Lane;
    use crate::domain::policy::DEFAULT_POLICY;

    fn wanted(query: &str) -> Result<Simulation, Problem> {
        read(query, Arc::new(Policy::parse(DEFAULT_POLICY).unwrap()))
    }

    #[test]
    fn both_dates_are_inclusive_and_bad_ones_are_named() {
        let one = wanted("from=1970-01-02&to=1970-01-02&lane=live&examples=0").unwrap();
        let day = 86_400_000;
        let want = Span {
            from_ms: day,
            until_ms: 2 * day,
            lane: Some(Lane::Live),
        };
        assert_eq!((one.span, one.examples), (want, 0));
        assert_eq!(wanted("").unwrap().span, Span::of_days(None, None));
        assert!(wanted("to=9999-12-31").is_ok());
        for bad in [
            "from=2026-02-30",
            "on=today",
            "lane=x",
            "examples=101",
            "until=2026-01-01",
        ] {
            assert_eq!(wanted(bad).unwrap_err().code(), "bad_request", "{bad}");
        }
    }

    #[test]
    fn the_body_has_the_policy_of_the_path() {
        assert!(candidate("default", DEFAULT_POLICY.as_bytes()).is_ok());
        for (name, text) in [
            ("other", DEFAULT_POLICY.as_bytes()),
            ("default", b"[policy]"),
            ("default", b"\xff"),
        ] {
            assert_eq!(candidate(name, text).unwrap_err().code(), "bad_request");
        }
    }
}
