//! A written policy: how the scores of several models become one, which action that asks for, and
//! why.

mod file;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use file::PolicyError;

use super::combination::Combine;
use super::lanes::Lane;
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
    rules: Vec<Rule>,
}

/// One rule; conditions that are absent hold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    question: String,
    min_score: Probability,
    min_coverage: Option<Probability>,
    lane: Option<Lane>,
    from: Option<Date>,
    to: Option<Date>,
    action: String,
}

/// What was found out about one question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Calibrated; `None` when inconclusive or not asked.
    pub score: Option<Probability>,
    /// Part of the plan that the models whose score it is have an answer on, 0..=1.
    pub coverage: f64,
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
}

impl Policy {
    /// How the scores of `question` become one; the highest counts when the policy says nothing.
    pub fn combination(&self, question: &str) -> Combine {
        self.combinations.get(question).copied().unwrap_or_default()
    }

    /// Decides by what was found out, for a request of `lane` on the day `today` (UTC).
    pub fn decide(
        &self,
        findings: &BTreeMap<String, Finding>,
        lane: Lane,
        today: Date,
    ) -> Decision {
        let applying: Vec<(&Rule, Probability)> = self
            .rules
            .iter()
            .filter_map(|rule| {
                let finding = findings.get(&rule.question)?;
                Some((rule, rule.applies(finding, lane, today)?))
            })
            .collect();
        let rank = |action: &String| self.actions.iter().position(|a| a == action);
        let action = applying
            .iter()
            .map(|(rule, _)| &rule.action)
            .max_by_key(|action| rank(action))
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
                })
                .collect(),
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

impl Rule {
    fn validate(&self, actions: &[String]) -> Result<(), PolicyError> {
        if !actions.contains(&self.action) {
            return Err(PolicyError::UnknownAction {
                rule: self.name.clone(),
                action: self.action.clone(),
                known: actions.join(", "),
            });
        }
        if matches!((self.from, self.to), (Some(from), Some(to)) if from > to) {
            return Err(PolicyError::DateRange(self.name.clone()));
        }
        Ok(())
    }

    /// The score that makes this rule apply, if it does. Both dates are inclusive.
    fn applies(&self, finding: &Finding, lane: Lane, today: Date) -> Option<Probability> {
        let score = finding.score?;
        let enough = self
            .min_coverage
            .is_none_or(|min| finding.coverage >= min.get());
        let in_lane = self.lane.is_none_or(|wanted| wanted == lane);
        let in_time =
            self.from.is_none_or(|from| today >= from) && self.to.is_none_or(|to| today <= to);
        (score >= self.min_score && enough && in_lane && in_time).then_some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::super::combination::Combination;
    use super::*;

    const TWO_RULES: &str = r#"
        [policy]
        name = "election"
        version = "2"
        actions = ["none", "label", "escalate"]
        [[rule]]
        name = "label"
        question = "ai_generated"
        min_score = 0.5
        action = "label"
        [[rule]]
        name = "flagged"
        question = "ai_generated"
        min_score = 0.7
        min_coverage = 0.75
        lane = "flagger"
        from = "2026-11-01"
        to = "2026-11-30"
        action = "escalate"
    "#;

    fn decide(score: Option<f64>, scored: u32, lane: Lane, day: &str) -> Decision {
        let finding = Finding {
            score: score.map(|s| Probability::new(s).unwrap()),
            coverage: f64::from(scored) / 16.0,
        };
        let findings = BTreeMap::from([("ai_generated".to_owned(), finding)]);
        Policy::parse(TWO_RULES)
            .unwrap()
            .decide(&findings, lane, day.parse().unwrap())
    }

    #[test]
    fn the_strongest_applying_rule_decides_and_all_are_named() {
        let decision = decide(Some(0.8), 16, Lane::Flagger, "2026-11-30");
        assert_eq!(decision.action, "escalate");
        let rules: Vec<&str> = decision.reasons.iter().map(|r| r.rule.as_str()).collect();
        assert_eq!(rules, ["label", "flagged"]);
    }

    #[test]
    fn every_condition_must_hold() {
        assert_eq!(
            decide(Some(0.8), 16, Lane::Live, "2026-11-24").action,
            "label"
        );
        assert_eq!(
            decide(Some(0.8), 11, Lane::Flagger, "2026-11-24").action,
            "label"
        );
        assert_eq!(
            decide(Some(0.8), 16, Lane::Flagger, "2026-12-01").action,
            "label"
        );
        assert_eq!(
            decide(Some(0.4), 16, Lane::Flagger, "2026-11-24").action,
            "none"
        );
    }

    #[test]
    fn without_a_score_no_rule_applies() {
        let decision = decide(None, 3, Lane::Live, "2026-11-24");
        assert_eq!(
            (decision.action.as_str(), decision.reasons.len()),
            ("none", 0)
        );
    }

    #[test]
    fn faults_are_named() {
        let with = |from: &str, to: &str| Policy::parse(&TWO_RULES.replacen(from, to, 1));
        assert!(matches!(
            with("\"none\", ", "\"label\", "),
            Err(PolicyError::Actions)
        ));
        assert!(matches!(
            with("action = \"label\"", "action = \"delete\""),
            Err(PolicyError::UnknownAction { .. })
        ));
        assert!(matches!(
            with("name = \"flagged\"", "name = \"label\""),
            Err(PolicyError::RuleTwice(_))
        ));
        assert!(matches!(
            with("2026-11-01", "2026-12-01"),
            Err(PolicyError::DateRange(_))
        ));
        let Err(PolicyError::Form(source)) = with("min_score = 0.5", "min_scor = 0.5") else {
            panic!("an unknown key was taken");
        };
        assert!(source.to_string().contains("min_scor"), "{source}");
        assert!(matches!(
            with("min_score = 0.5", "min_score = 1.5"),
            Err(PolicyError::Form(_))
        ));
    }

    fn combining(entries: &str) -> Result<Policy, PolicyError> {
        Policy::parse(&format!("{TWO_RULES}\n{entries}"))
    }

    #[test]
    fn a_question_is_combined_as_the_policy_says_and_by_the_maximum_else() {
        let policy = combining(
            r#"
            [[combine]]
            question = "ai_generated"
            rule = "vote"
            k = 2
            of = 3
            substantial_evidence = 0.8
            little_evidence = 0.2
            "#,
        )
        .unwrap();
        let combine = policy.combination("ai_generated");
        assert_eq!(combine.combination, Combination::Vote { k: 2, of: 3 });
        assert!(combine.thresholds.is_some());
        assert_eq!(policy.combination("face_manipulation"), Combine::default());
        assert_eq!(Combine::default().combination, Combination::Max);
    }

    #[test]
    fn faults_of_a_combination_name_the_question() {
        let fault = |keys: &str| {
            let entry = format!("[[combine]]\nquestion = \"q1\"\n{keys}");
            combining(&entry).unwrap_err().to_string()
        };
        for (keys, want) in [
            ("rule = \"median\"", "`median` is not known"),
            ("rule = \"vote\"", "needs `k`"),
            ("rule = \"mean\"\nk = 2", "`k` belongs to rule `vote`"),
            ("rule = \"max\"\nof = 2", "`of` belongs to rule `vote`"),
            ("rule = \"vote\"\nk = 3\nof = 2", "at least `k`, 3"),
            ("rule = \"max\"\nsubstantial_evidence = 0.9", "both"),
            (
                "rule = \"max\"\nsubstantial_evidence = 0.1\nlittle_evidence = 0.2",
                "not above",
            ),
            (
                "rule = \"max\"\n[[combine]]\nquestion = \"q1\"\nrule = \"mean\"",
                "twice",
            ),
        ] {
            let error = fault(keys);
            assert!(error.contains("question `q1`"), "{error}");
            assert!(error.contains(want), "{error}");
        }
        let unknown = combining("[[combine]]\nquestion = \"q1\"\nrule = \"max\"\nweights = [1]");
        assert!(matches!(unknown, Err(PolicyError::Form(_))));
    }

    #[test]
    fn the_built_in_policy_is_valid() {
        assert_eq!(Policy::parse(DEFAULT_POLICY).unwrap().name, "default");
    }
}
