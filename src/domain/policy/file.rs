//! A policy's written form, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use super::super::combination::{Combination, Combine, InvalidCombination};
use super::super::lanes::Lane;
use super::super::region::Region;
use super::super::score::Probability;
use super::super::verdict::Thresholds;
use super::{Policy, Rule};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    policy: Head,
    #[serde(default)]
    combine: Vec<Spanned<Entry>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    version: String,
    actions: Spanned<Vec<String>>,
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

/// A rule as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    name: String,
    question: Spanned<String>,
    min_score: Probability,
    min_coverage: Option<Probability>,
    lane: Option<Lane>,
    region: Option<Spanned<Regions>>,
    from: Option<Spanned<Date>>,
    to: Option<Date>,
    action: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a region such as `id-jk` or a list of them"
)]
enum Regions {
    One(Region),
    Several(Vec<Region>),
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// TOML that is none, or not of a policy's form; the source has line and key.
    #[error("not a policy")]
    Form(#[source] Box<toml::de::Error>),
    /// A policy's form that can't be meant.
    #[error("line {line}: {fault}")]
    At {
        /// Of the text, from 1.
        line: usize,
        /// What is wrong there.
        fault: Fault,
    },
}

/// What is wrong with a policy of the right form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
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
    /// A list of regions that has none.
    #[error("rule `{0}`: `region` names no region; leave it out for everywhere")]
    NoRegion(String),
    /// A rule with the action that is decided without it as well.
    #[error(
        "rule `{rule}` can never change the action: `{first}` is the first of policy.actions, which \
         is decided when no rule applies"
    )]
    NoEffect {
        /// The rule's name.
        rule: String,
        /// Its action.
        first: String,
    },
    /// A rule whose every case has another, at least as strong one.
    #[error(
        "rule `{rule}` can never change the action: wherever it applies, rule `{other}` (line \
         {other_line}) applies too and asks for `{action}`"
    )]
    Unreachable {
        /// The rule's name.
        rule: String,
        /// The other's.
        other: String,
        /// The line on which that begins.
        other_line: usize,
        /// What that asks for.
        action: String,
    },
    /// Two periods of one rule that share a day.
    #[error(
        "rule `{rule}`: its dates overlap those of rule `{other}` (line {other_line}), which has the \
         same question, action, lane and region and other thresholds"
    )]
    Overlap {
        /// The rule's name.
        rule: String,
        /// The other's.
        other: String,
        /// The line on which that begins.
        other_line: usize,
    },
    /// A question that no model answers.
    #[error("question `{question}` is answered by no model here ({known})")]
    UnknownQuestion {
        /// As asked.
        question: String,
        /// Questions that are answered.
        known: String,
    },
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

/// Where things are in a policy's text.
#[derive(Debug, Clone, Copy)]
struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// The line, from 1, of what begins there.
    fn of<T>(self, value: &Spanned<T>) -> usize {
        let before = self.0.as_bytes().get(..value.span().start);
        let ends = before.unwrap_or_default().iter().filter(|b| **b == b'\n');
        ends.count().saturating_add(1)
    }

    fn fault<T>(self, value: &Spanned<T>, fault: Fault) -> PolicyError {
        let line = self.of(value);
        PolicyError::At { line, fault }
    }
}

impl Policy {
    /// Reads and validates a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: PolicyFile = toml::from_str(text).map_err(|e| PolicyError::Form(Box::new(e)))?;
        let lines = Lines(text);
        let actions = file.policy.actions;
        let distinct: BTreeSet<&String> = actions.get_ref().iter().collect();
        if distinct.is_empty() || distinct.len() != actions.get_ref().len() {
            return Err(lines.fault(&actions, Fault::Actions));
        }
        let actions = actions.into_inner();
        let (combinations, combine_lines) = combinations(file.combine, lines)?;
        let policy = Self {
            name: file.policy.name,
            version: file.policy.version,
            blake3: blake3::hash(text.as_bytes()).to_hex().to_string(),
            adaptive: file.policy.adaptive,
            combinations,
            combine_lines,
            rules: rules(file.rule, &actions, lines)?,
            actions,
        };
        policy.check_rules()?;
        Ok(policy)
    }
}

fn rules(
    entries: Vec<Spanned<RuleEntry>>,
    actions: &[String],
    lines: Lines<'_>,
) -> Result<Vec<Rule>, PolicyError> {
    let mut names = BTreeSet::new();
    let mut rules = Vec::with_capacity(entries.len());
    for entry in entries {
        if !names.insert(entry.get_ref().name.clone()) {
            let name = entry.get_ref().name.clone();
            return Err(lines.fault(&entry, Fault::RuleTwice(name)));
        }
        let line = lines.of(&entry);
        rules.push(entry.into_inner().validate(line, actions, lines)?);
    }
    Ok(rules)
}

impl RuleEntry {
    fn validate(
        self,
        line: usize,
        actions: &[String],
        lines: Lines<'_>,
    ) -> Result<Rule, PolicyError> {
        if !actions.contains(self.action.get_ref()) {
            let fault = Fault::UnknownAction {
                rule: self.name,
                action: self.action.get_ref().clone(),
                known: actions.join(", "),
            };
            return Err(lines.fault(&self.action, fault));
        }
        if let (Some(from), Some(to)) = (&self.from, self.to)
            && *from.get_ref() > to
        {
            return Err(lines.fault(from, Fault::DateRange(self.name)));
        }
        let regions = match self.region {
            None => Vec::new(),
            Some(written) => match written.get_ref() {
                Regions::One(region) => vec![region.clone()],
                Regions::Several(list) if list.is_empty() => {
                    return Err(lines.fault(&written, Fault::NoRegion(self.name)));
                }
                Regions::Several(list) => list.clone(),
            },
        };
        Ok(Rule {
            name: self.name,
            question_line: lines.of(&self.question),
            question: self.question.into_inner(),
            min_score: self.min_score,
            min_coverage: self.min_coverage,
            lane: self.lane,
            regions,
            from: self.from.map(Spanned::into_inner),
            to: self.to,
            action: self.action.into_inner(),
            line,
        })
    }
}

type Combinations = (BTreeMap<String, Combine>, BTreeMap<String, usize>);

fn combinations(
    entries: Vec<Spanned<Entry>>,
    lines: Lines<'_>,
) -> Result<Combinations, PolicyError> {
    let (mut combinations, mut begins) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        let line = lines.of(&entry);
        let at = |fault| PolicyError::At { line, fault };
        let entry = entry.into_inner();
        let combine = entry.validate().map_err(at)?;
        begins.insert(entry.question.clone(), line);
        if combinations
            .insert(entry.question.clone(), combine)
            .is_some()
        {
            return Err(at(Fault::CombineTwice(entry.question)));
        }
    }
    Ok((combinations, begins))
}

impl Entry {
    fn validate(&self) -> Result<Combine, Fault> {
        let combination =
            Combination::new(&self.rule, self.k, self.of).map_err(|fault| Fault::Combine {
                question: self.question.clone(),
                fault,
            })?;
        let crossed = || Fault::CombineThresholds(self.question.clone());
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
