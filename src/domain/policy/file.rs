//! A policy's written form, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::combination::{Combination, Combine, InvalidCombination};
use super::super::score::Probability;
use super::super::verdict::Thresholds;
use super::{Policy, Rule};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    policy: Head,
    #[serde(default)]
    combine: Vec<Entry>,
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    version: String,
    actions: Vec<String>,
    #[serde(default)]
    adaptive: bool,
}

/// How one question's scores are joined.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    question: String,
    rule: String,
    k: Option<u32>,
    of: Option<u32>,
    substantial_evidence: Option<Probability>,
    little_evidence: Option<Probability>,
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// TOML that is none, or not of a policy's form; the source has line and key.
    #[error("not a policy")]
    Form(#[source] Box<toml::de::Error>),
    /// No actions, or one twice.
    #[error("policy.actions must list at least one action, each once")]
    Actions,
    /// A rule's action that is not in the list.
    #[error("rule `{rule}`: action `{action}` is not in policy.actions ({known})")]
    UnknownAction {
        /// The rule's name.
        rule: String,
        /// Its action.
        action: String,
        /// What the list has.
        known: String,
    },
    /// Two rules of one name.
    #[error("rule `{0}` is there twice")]
    RuleTwice(String),
    /// A date range that is empty.
    #[error("rule `{0}`: `from` is after `to`")]
    DateRange(String),
    /// Two ways of joining one question's scores.
    #[error("combine for question `{0}` is there twice")]
    CombineTwice(String),
    /// A way of joining scores that there is not.
    #[error("combine for question `{question}`: {fault}")]
    Combine {
        /// The entry's question.
        question: String,
        /// What is wrong with its rule.
        fault: InvalidCombination,
    },
    /// One threshold without the other, or both in the wrong order.
    #[error(
        "combine for question `{0}`: give both `substantial_evidence` and `little_evidence`, the \
         second not above the first, or neither"
    )]
    CombineThresholds(String),
}

impl Policy {
    /// Reads and validates a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: PolicyFile = toml::from_str(text).map_err(|e| PolicyError::Form(Box::new(e)))?;
        let actions = file.policy.actions;
        let distinct: BTreeSet<&String> = actions.iter().collect();
        if actions.is_empty() || distinct.len() != actions.len() {
            return Err(PolicyError::Actions);
        }
        let mut names = BTreeSet::new();
        for rule in &file.rule {
            if !names.insert(&rule.name) {
                return Err(PolicyError::RuleTwice(rule.name.clone()));
            }
            rule.validate(&actions)?;
        }
        Ok(Self {
            name: file.policy.name,
            version: file.policy.version,
            blake3: blake3::hash(text.as_bytes()).to_hex().to_string(),
            actions,
            adaptive: file.policy.adaptive,
            combinations: combinations(file.combine)?,
            rules: file.rule,
        })
    }
}

fn combinations(entries: Vec<Entry>) -> Result<BTreeMap<String, Combine>, PolicyError> {
    let mut combinations = BTreeMap::new();
    for entry in entries {
        let combine = entry.validate()?;
        if combinations
            .insert(entry.question.clone(), combine)
            .is_some()
        {
            return Err(PolicyError::CombineTwice(entry.question));
        }
    }
    Ok(combinations)
}

impl Entry {
    fn validate(&self) -> Result<Combine, PolicyError> {
        let combination = Combination::new(&self.rule, self.k, self.of).map_err(|fault| {
            PolicyError::Combine {
                question: self.question.clone(),
                fault,
            }
        })?;
        let crossed = || PolicyError::CombineThresholds(self.question.clone());
        let thresholds = match (self.substantial_evidence, self.little_evidence) {
            (None, None) => None,
            (Some(substantial_evidence), Some(little_evidence)) => {
                let thresholds = Thresholds {
                    substantial_evidence,
                    little_evidence,
                };
                thresholds.validate().map_err(|_| crossed())?;
                Some(thresholds)
            }
            (Some(_), None) | (None, Some(_)) => return Err(crossed()),
        };
        Ok(Combine {
            combination,
            thresholds,
        })
    }
}
