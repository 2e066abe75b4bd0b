//! Counts as they are told.

use serde::Serialize;
use utoipa::ToSchema;

use super::period::Period;
use super::{Line, Table};
use crate::domain::audit::Head;

/// Counts of a period, and the end of the chain that vouches for the decisions in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transparency)]
pub struct Published {
    /// First day, UTC.
    pub from: String,
    /// The day after the last one.
    pub to: String,
    /// What is told apart.
    pub group_by: Vec<&'static str>,
    /// Decisions of the period.
    pub total: u64,
    /// One a group that has decisions; the counts add up to `total`.
    #[schema(value_type = Vec<Group>)]
    pub groups: Vec<Line>,
    /// The chain of all that was ever decided, as it ended when this was counted. Publish it with the
    /// counts: `jaga audit verify --head` tells whether a chain still has this end, or leads to it.
    pub chain: Head,
}

impl Published {
    /// What is told of `table`.
    pub fn new(period: &Period, table: Table, chain: Head) -> Self {
        Self {
            from: period.from().to_string(),
            to: period.to().to_string(),
            group_by: table.cut.names().collect(),
            total: table.total,
            groups: table.lines,
            chain,
        }
    }
}

/// One group. What isn't told apart is absent.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Group {
    /// The policy's name.
    policy: Option<String>,
    /// The policy's version.
    policy_version: Option<String>,
    /// The rule that decided; empty where none applied.
    rule: Option<String>,
    /// The action.
    action: Option<String>,
    /// The verdict.
    verdict: Option<String>,
    /// `flagger`, `live` or `backfill`.
    lane: Option<String>,
    /// `trusted_flagger` or `own_initiative`.
    source: Option<String>,
    /// `fully`, `partly` or `not`.
    automation: Option<String>,
    /// `true` or `false`.
    overturned: Option<String>,
    /// `2026-11-24`, UTC.
    day: Option<String>,
    /// `2026-11`, UTC.
    month: Option<String>,
    /// Decisions.
    count: u64,
    /// Median seconds from request to decision.
    median_s: f64,
    /// 95th percentile of the same.
    p95_s: f64,
}
