//! One rule: what must hold for it, and how far it makes another one needless.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Case, Finding};
use crate::domain::lanes::Lane;
use crate::domain::region::Region;
use crate::domain::score::Probability;

/// One rule; conditions that are absent hold.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Rule {
    /// Unique in its policy.
    pub name: String,
    /// What it looks at.
    pub question: String,
    /// Least score for which it applies.
    pub min_score: Probability,
    /// Least part of the plan that the score rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_coverage: Option<Probability>,
    /// The only lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// The only regions, with their parts; empty for everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// First day, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// Last day, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
    /// What it asks for.
    pub action: String,
    /// Line of the policy's text on which it begins, from 1.
    #[serde(skip)]
    pub(super) line: usize,
    /// Line of its question.
    #[serde(skip)]
    pub(super) question_line: usize,
}

impl Rule {
    /// The score that makes this rule apply, if it does. Both dates are inclusive.
    pub(super) fn applies(&self, finding: &Finding, case: &Case) -> Option<Probability> {
        let score = finding.score?;
        let enough = self
            .min_coverage
            .is_none_or(|min| finding.coverage >= min.get());
        let in_lane = self.lane.is_none_or(|wanted| wanted == case.lane);
        let in_region = self.regions.is_empty()
            || case
                .region
                .as_ref()
                .is_some_and(|region| self.regions.iter().any(|own| own.includes(region)));
        let in_time = self.from.is_none_or(|from| case.date >= from)
            && self.to.is_none_or(|to| case.date <= to);
        (score >= self.min_score && enough && in_lane && in_region && in_time).then_some(score)
    }

    /// Whether this rule applies wherever `other` does: each of its conditions follows from one of
    /// `other`'s.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let coverage = |rule: &Self| rule.min_coverage.map_or(0.0, Probability::get);
        self.question == other.question
            && self.min_score <= other.min_score
            && coverage(self) <= coverage(other)
            && (self.lane.is_none() || self.lane == other.lane)
            && self.covers_regions(other)
            && self.first() <= other.first()
            && self.last() >= other.last()
    }

    fn covers_regions(&self, other: &Self) -> bool {
        let covered = |region: &Region| self.regions.iter().any(|own| own.includes(region));
        self.regions.is_empty() || (!other.regions.is_empty() && other.regions.iter().all(covered))
    }

    fn first(&self) -> Date {
        self.from.unwrap_or(Date::MIN)
    }

    fn last(&self) -> Date {
        self.to.unwrap_or(Date::MAX)
    }

    fn is_dated(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Whether this rule and `other` are two periods' versions of one rule (same question, action,
    /// lane and regions, other thresholds) of which some day belongs to both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let set = |rule: &Self| -> std::collections::BTreeSet<Region> {
            rule.regions.iter().cloned().collect()
        };
        self.is_dated()
            && other.is_dated()
            && self.question == other.question
            && self.action == other.action
            && self.lane == other.lane
            && set(self) == set(other)
            && (self.min_score != other.min_score || self.min_coverage != other.min_coverage)
            && self.first() <= other.last()
            && other.first() <= self.last()
    }
}
