//! A decision as a statement of reasons of the EU's DSA transparency database, field by field in
//! `docs/transparency.md`. Names and values are those of the database's API, version 1.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::period::day;
use super::{Automation, Source};
use crate::domain::counted::Counted;
use crate::domain::review::Ruling;

/// What happened to the visibility of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Visibility {
    /// It is gone.
    #[serde(rename = "DECISION_VISIBILITY_CONTENT_REMOVED", alias = "removed")]
    Removed,
    /// Nobody can reach it.
    #[serde(rename = "DECISION_VISIBILITY_CONTENT_DISABLED", alias = "disabled")]
    Disabled,
    /// Fewer see it.
    #[serde(rename = "DECISION_VISIBILITY_CONTENT_DEMOTED", alias = "demoted")]
    Demoted,
    /// Only adults see it.
    #[serde(
        rename = "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
        alias = "age_restricted"
    )]
    AgeRestricted,
    /// It can't be shared or answered.
    #[serde(
        rename = "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
        alias = "interaction_restricted"
    )]
    InteractionRestricted,
    /// It bears a label.
    #[serde(rename = "DECISION_VISIBILITY_CONTENT_LABELLED", alias = "labelled")]
    Labelled,
}

/// `[transparency]` in `jaga.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransparencyConfig {
    /// What is said in statements of reasons; there are none without it.
    pub statements: Option<Terms>,
}

/// What a platform says of all its statements: jaga knows videos, not terms and conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The clause of the terms and conditions, at most 500 characters.
    pub ground: String,
    /// Why such a video is against it, at most 2000 characters.
    pub explanation: String,
    /// Such as `STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS`.
    pub category: String,
    /// Two-letter codes of the EEA countries where it holds.
    pub territorial_scope: Vec<String>,
    /// What each action of a policy does; of an action that isn't here there is no statement.
    pub visibility: BTreeMap<String, Visibility>,
}

/// Terms that the database would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {expected}, not {got}")]
pub struct InvalidTerms {
    /// The key within the terms.
    pub key: &'static str,
    /// What it may be.
    pub expected: &'static str,
    /// What it is.
    pub got: String,
}

/// The countries of the European Economic Area.
const EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS",
    "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Longest `decision_facts`, in characters.
const FACTS_CHARS: usize = 5000;

impl Terms {
    /// Checks lengths and names.
    pub fn validate(&self) -> Result<(), InvalidTerms> {
        let wrong = |key, expected, got: String| Err(InvalidTerms { key, expected, got });
        if self.visibility.is_empty() {
            let expected = "one action or more with what it does";
            return wrong("visibility", expected, "empty".to_owned());
        }
        let texts = [
            ("ground", &self.ground, 500, "1 to 500 characters"),
            (
                "explanation",
                &self.explanation,
                2000,
                "1 to 2000 characters",
            ),
        ];
        for (key, text, longest, expected) in texts {
            let got = text.chars().count();
            if !(1..=longest).contains(&got) {
                return wrong(key, expected, got.to_string());
            }
        }
        if !self.category.starts_with("STATEMENT_CATEGORY_") {
            let expected = "a name that begins with STATEMENT_CATEGORY_";
            return wrong("category", expected, format!("{:?}", self.category));
        }
        let foreign = |code: &&String| !EEA.contains(&code.as_str());
        let expected = "two-letter codes of EEA countries";
        if self.territorial_scope.is_empty() {
            return wrong("territorial_scope", expected, "empty".to_owned());
        }
        match self.territorial_scope.iter().find(foreign) {
            Some(code) => wrong("territorial_scope", expected, format!("{code:?}")),
            None => Ok(()),
        }
    }
}

/// One statement, ready to be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    decision_visibility: [Visibility; 1],
    decision_ground: &'static str,
    incompatible_content_ground: String,
    incompatible_content_explanation: String,
    incompatible_content_illegal: &'static str,
    category: String,
    content_type: [&'static str; 2],
    content_date: Date,
    application_date: Date,
    territorial_scope: Vec<String>,
    decision_facts: String,
    source_type: &'static str,
    automated_detection: &'static str,
    automated_decision: &'static str,
    puid: String,
}

impl Statement {
    /// The statement of a decision with the last `ruling` on it; `None` where nothing restricts the
    /// video: its action has no visibility in `terms`, or a person overturned it.
    pub fn of(counted: &Counted, ruling: Option<Ruling>, terms: &Terms) -> Option<Self> {
        let visibility = terms.visibility.get(&counted.action)?;
        let automated_decision = match Automation::of(ruling) {
            Automation::Fully => "AUTOMATED_DECISION_FULLY",
            Automation::Partly => "AUTOMATED_DECISION_PARTIALLY",
            Automation::Not => return None,
        };
        let picture = if counted.is_still {
            "CONTENT_TYPE_IMAGE"
        } else {
            "CONTENT_TYPE_VIDEO"
        };
        // A flagger's video was found by people.
        let (source_type, automated_detection) = match Source::of(counted.lane) {
            Source::TrustedFlagger => ("SOURCE_TRUSTED_FLAGGER", "No"),
            Source::OwnInitiative => ("SOURCE_VOLUNTARY", "Yes"),
        };
        Some(Self {
            decision_visibility: [*visibility],
            decision_ground: "DECISION_GROUND_INCOMPATIBLE_CONTENT",
            incompatible_content_ground: terms.ground.clone(),
            incompatible_content_explanation: terms.explanation.clone(),
            incompatible_content_illegal: "No",
            category: terms.category.clone(),
            content_type: [picture, "CONTENT_TYPE_SYNTHETIC_MEDIA"],
            content_date: day(counted.asked_ms),
            application_date: day(counted.created_ms),
            territorial_scope: terms.territorial_scope.clone(),
            decision_facts: told(counted, ruling),
            source_type,
            automated_detection,
            automated_decision,
            puid: counted.report.clone(),
        })
    }
}

fn told(counted: &Counted, ruling: Option<Ruling>) -> String {
    let looked = "Models for synthetic and manipulated video looked at frames of the content.";
    let reason = match (counted.rule_score, counted.rule_threshold) {
        (Some(score), Some(threshold)) => {
            let rule = &counted.rule;
            format!(" Rule {rule}: score {score:.3}, threshold {threshold:.3}.")
        }
        _ => String::new(),
    };
    let reviewed = match ruling {
        None | Some(Ruling::Overturned) => "",
        Some(Ruling::Upheld) => " A person reviewed the decision and upheld it.",
    };
    let facts = format!("{looked}{reason}{reviewed}");
    facts.chars().take(FACTS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::counted::Asked;
    use crate::domain::lanes::Lane;
    use serde_json::json;

    fn terms() -> Terms {
        toml::from_str(
            r#"
            ground = "Terms, 4.2"
            explanation = "Synthetic media must bear a label"
            category = "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS"
            territorial_scope = ["DE", "FR"]
            visibility = { label = "labelled", remove = "removed" }
            "#,
        )
        .unwrap()
    }

    fn counted(action: &str, lane: Lane) -> Counted {
        // 2026-11-23T23:59:59Z and the second after it.
        let asked = Asked {
            report: "01J",
            lane,
            asked_ms: 1_795_478_399_000,
            created_ms: 1_795_478_400_000,
        };
        Counted {
            action: action.to_owned(),
            rule: "substantial".to_owned(),
            rule_score: Some(0.91),
            rule_threshold: Some(0.85),
            ..Counted::read(&asked, "{}")
        }
    }

    #[test]
    fn a_flagged_and_reviewed_label_is_stated() {
        let flagged = counted("label", Lane::Flagger);
        let statement = Statement::of(&flagged, Some(Ruling::Upheld), &terms()).unwrap();
        assert_eq!(
            serde_json::to_value(statement).unwrap(),
            json!({
                "decision_visibility": ["DECISION_VISIBILITY_CONTENT_LABELLED"],
                "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
                "incompatible_content_ground": "Terms, 4.2",
                "incompatible_content_explanation": "Synthetic media must bear a label",
                "incompatible_content_illegal": "No",
                "category": "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
                "content_type": ["CONTENT_TYPE_VIDEO", "CONTENT_TYPE_SYNTHETIC_MEDIA"],
                "content_date": "2026-11-23",
                "application_date": "2026-11-24",
                "territorial_scope": ["DE", "FR"],
                "decision_facts": "Models for synthetic and manipulated video looked at frames of the content. Rule substantial: score 0.910, threshold 0.850. A person reviewed the decision and upheld it.",
                "source_type": "SOURCE_TRUSTED_FLAGGER",
                "automated_detection": "No",
                "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
                "puid": "01J",
            })
        );
    }

    #[test]
    fn what_restricts_nothing_is_not_stated() {
        for (action, ruling, stated) in [
            ("label", None, true),
            ("label", Some(Ruling::Overturned), false),
            ("none", None, false),
        ] {
            let counted = counted(action, Lane::Live);
            let statement = Statement::of(&counted, ruling, &terms());
            assert_eq!(statement.is_some(), stated, "{action}");
        }
    }

    #[test]
    fn terms_that_the_database_would_refuse_are_named() {
        assert_eq!(terms().validate(), Ok(()));
        let refused = |change: &dyn Fn(&mut Terms)| {
            let mut terms = terms();
            change(&mut terms);
            terms.validate().unwrap_err().to_string()
        };
        let long = refused(&|terms| terms.ground = "é".repeat(501));
        assert_eq!(long, "ground must be 1 to 500 characters, not 501");
        let place = refused(&|terms| terms.territorial_scope.push("UK".to_owned()));
        assert!(place.ends_with("not \"UK\""), "{place}");
        refused(&|terms| terms.visibility.clear());
        refused(&|terms| terms.explanation.clear());
        refused(&|terms| "ELECTIONS".clone_into(&mut terms.category));
        refused(&|terms| terms.territorial_scope.clear());
    }
}
