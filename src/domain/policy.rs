//! A written policy: how the scores of several models become one, which action that asks for, and
//! why.

mod check;
mod file;
mod rule;
mod stored;
mod transitions;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

pub use file::{Fault, PolicyError};
pub use rule::Rule;
pub use stored::{ModelAnswer, StoredDecision, StoredFindings};
pub use transitions::{Transition, Transitions};

use super::combination::{Ballot, Combine, Combined};
use super::lanes::Lane;
use super::region::Region;
use super::score::Probability;

/// Text of the policy that applies when none is configured.
pub const DEFAULT_POLICY: &str = include_str!("default-policy.toml");

/// A validated policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name, unique among the loaded ones.
    pub name: String,
    /// Its version, as written in the file.
    pub version: String,
    /// BLAKE3 of the file's text, hex.
    pub blake3: String,
    /// Whether a request that doesn't say has no more frames scored than its verdict needs.
    pub adaptive: bool,
    actions: Vec<String>,
    combinations: BTreeMap<String, Combine>,
    /// Where each question's `[[combine]]` begins, for messages.
    combine_lines: BTreeMap<String, usize>,
    rules: Vec<Rule>,
}

/// What was found out about one question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Calibrated; `None` when inconclusive or not asked.
    pub score: Option<Probability>,
    /// Part of the plan that the models whose score it is have an answer on, 0..=1.
    pub coverage: f64,
}

impl Finding {
    /// Of one question: the joined score, and the coverage of the model whose score it is; of a
    /// score that is nobody's own the least among those that voted. `covered` goes with `ballots`.
    pub fn of(combined: Option<Combined>, ballots: &[Ballot], covered: &[f64]) -> Self {
        let own = combined.and_then(|c| covered.get(c.decided_by?).copied());
        let least = || {
            let voted = ballots
                .iter()
                .zip(covered)
                .filter(|(b, _)| b.score.is_some());
            voted.map(|(_, part)| *part).min_by(f64::total_cmp)
        };
        Self {
            score: combined.map(|c| c.score),
            coverage: own.or_else(least).unwrap_or(0.0),
        }
    }
}

/// What a request is, as far as rules differ by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its queue class.
    pub lane: Lane,
    /// Where the video is shown, as the caller says.
    pub region: Option<Region>,
    /// The day of the decision, UTC.
    pub date: Date,
}

/// What a policy asks for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Decision {
    /// The policy's name.
    pub name: String,
    /// The policy's version.
    pub version: String,
    /// The strongest action of the rules that apply.
    pub action: String,
    /// The rules that apply, in the policy's order.
    pub reasons: Vec<Reason>,
    /// The request's lane; rules can differ by it.
    pub lane: Lane,
    /// The region that the request named; rules can differ by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}

/// A rule that applies.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Reason {
    /// The rule's name.
    pub rule: String,
    /// The question that it looks at.
    pub question: String,
    /// The score that was found.
    pub score: Probability,
    /// The rule's `min_score`.
    pub threshold: Probability,
    /// What the rule asks for.
    pub action: String,
}

impl Policy {
    /// How the scores of `question` become one; the highest counts when the policy says nothing.
    pub fn combination(&self, question: &str) -> Combine {
        self.combinations.get(question).copied().unwrap_or_default()
    }

    /// Its actions, weakest first.
    pub fn actions(&self) -> &[String] {
        &self.actions
    }

    /// Its rules, in the order of the file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How strong an action is; the weakest has 0.
    fn rank(&self, action: &str) -> Option<usize> {
        self.actions.iter().position(|own| own == action)
    }

    /// Decides by what was found out.
    pub fn decide(&self, findings: &BTreeMap<String, Finding>, case: &Case) -> Decision {
        let applying: Vec<(&Rule, Probability)> = self
            .rules
            .iter()
            .filter_map(|rule| {
                let finding = findings.get(&rule.question)?;
                Some((rule, rule.applies(finding, case)?))
            })
            .collect();
        let action = applying
            .iter()
            .map(|(rule, _)| &rule.action)
            .max_by_key(|action| self.rank(action))
            .or(self.actions.first());
        Decision {
            name: self.name.clone(),
            version: self.version.clone(),
            action: action.cloned().unwrap_or_default(),
            reasons: applying
                .into_iter()
                .map(|(rule, score)| Reason {
                    rule: rule.name.clone(),
                    question: rule.question.clone(),
                    score,
                    threshold: rule.min_score,
                    action: rule.action.clone(),
                })
                .collect(),
            lane: case.lane,
            region: case.region.clone(),
        }
    }
}

impl Policy {
    /// Scores of `question` at which a rule begins to apply, whatever its lane and its dates.
    pub fn thresholds(&self, question: &str) -> impl Iterator<Item = Probability> {
        let own = self
            .rules
            .iter()
            .filter(move |rule| rule.question == question);
        own.map(|rule| rule.min_score)
    }
}

#[cfg(test)]
mod tests;
