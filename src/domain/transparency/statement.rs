//! A decision as a statement of reasons of the EU's DSA transparency database, field by field in
//! `docs/transparency.md`. Names and values are those of the database's API, version 1.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Automation, Source};

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

/// What a platform says of all its statements: jaga knows videos, not terms and conditions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What each action of a policy does; of an action that isn't here there is no statement.
    pub visibility: BTreeMap<String, Visibility>,
    /// The clause of the terms and conditions, at most 500 characters.
    pub ground: String,
    /// Why such a video is against it, at most 2000 characters.
    pub explanation: String,
    /// Such as `STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS`.
    pub category: String,
    /// Two-letter codes of the EEA countries where it holds.
    pub territorial_scope: Vec<String>,
}

/// What is known of one decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts<'a> {
    /// Id of the report.
    pub report: &'a str,
    /// The action.
    pub action: &'a str,
    /// The rule that decided, and its score and threshold.
    pub reason: Option<(&'a str, f64, f64)>,
    /// Who pointed at the video.
    pub source: Source,
    /// How far it was a machine's decision.
    pub automation: Automation,
    /// Whether the upload is a still image.
    pub is_still: bool,
    /// The day on which the video was published, where the platform said it; else that of the upload.
    pub content_date: Date,
    /// From which day the decision holds.
    pub application_date: Date,
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
    /// The statement of a decision; `None` where nothing restricts the video: its action has no
    /// visibility in `terms`, or a person overturned it.
    pub fn of(facts: &Facts<'_>, terms: &Terms) -> Option<Self> {
        let visibility = terms.visibility.get(facts.action)?;
        let automated_decision = match facts.automation {
            Automation::Fully => "AUTOMATED_DECISION_FULLY",
            Automation::Partly => "AUTOMATED_DECISION_PARTIALLY",
            Automation::Not => return None,
        };
        let picture = if facts.is_still {
            "CONTENT_TYPE_IMAGE"
        } else {
            "CONTENT_TYPE_VIDEO"
        };
        Some(Self {
            decision_visibility: [*visibility],
            decision_ground: "DECISION_GROUND_INCOMPATIBLE_CONTENT",
            incompatible_content_ground: terms.ground.clone(),
            incompatible_content_explanation: terms.explanation.clone(),
            incompatible_content_illegal: "No",
            category: terms.category.clone(),
            content_type: [picture, "CONTENT_TYPE_SYNTHETIC_MEDIA"],
            content_date: facts.content_date,
            application_date: facts.application_date,
            territorial_scope: terms.territorial_scope.clone(),
            decision_facts: told(facts),
            source_type: match facts.source {
                Source::TrustedFlagger => "SOURCE_TRUSTED_FLAGGER",
                Source::OwnInitiative => "SOURCE_VOLUNTARY",
            },
            // A flagger's video was found by people.
            automated_detection: match facts.source {
                Source::TrustedFlagger => "No",
                Source::OwnInitiative => "Yes",
            },
            automated_decision,
            puid: facts.report.to_owned(),
        })
    }
}

fn told(facts: &Facts<'_>) -> String {
    let looked = "Models for synthetic and manipulated video looked at frames of the content.";
    let reason = facts
        .reason
        .map_or_else(String::new, |(rule, score, threshold)| {
            format!(" Rule {rule}: score {score:.3}, threshold {threshold:.3}.")
        });
    let reviewed = match facts.automation {
        Automation::Fully | Automation::Not => "",
        Automation::Partly => " A person reviewed the decision and upheld it.",
    };
    format!("{looked}{reason}{reviewed}")
}

#[cfg(test)]
mod tests {
    use super::*;
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

    fn facts(action: &str, source: Source, automation: Automation) -> Facts<'_> {
        let day = |text: &str| text.parse().unwrap();
        Facts {
            report: "01J",
            action,
            reason: Some(("substantial", 0.91, 0.85)),
            source,
            automation,
            is_still: false,
            content_date: day("2026-11-23"),
            application_date: day("2026-11-24"),
        }
    }

    #[test]
    fn a_flagged_and_reviewed_label_is_stated() {
        let flagged = facts("label", Source::TrustedFlagger, Automation::Partly);
        let statement = Statement::of(&flagged, &terms()).unwrap();
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
        for (action, automation, stated) in [
            ("label", Automation::Fully, true),
            ("label", Automation::Not, false),
            ("none", Automation::Fully, false),
        ] {
            let facts = facts(action, Source::OwnInitiative, automation);
            assert_eq!(
                Statement::of(&facts, &terms()).is_some(),
                stated,
                "{action}"
            );
        }
    }
}
