use super::*;
use crate::domain::combination::Combination;

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

fn case(lane: Lane, region: Option<&str>, day: &str) -> Case {
    Case {
        lane,
        region: region.map(|region| region.parse().unwrap()),
        date: day.parse().unwrap(),
    }
}

fn decide(score: Option<f64>, scored: u32, lane: Lane, day: &str) -> Decision {
    let finding = Finding {
        score: score.map(|s| Probability::new(s).unwrap()),
        coverage: f64::from(scored) / 16.0,
    };
    let findings = BTreeMap::from([("ai_generated".to_owned(), finding)]);
    Policy::parse(TWO_RULES)
        .unwrap()
        .decide(&findings, &case(lane, None, day))
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
        Err(PolicyError::At {
            line: 5,
            fault: Fault::Actions
        })
    ));
    assert!(matches!(
        with("action = \"label\"", "action = \"delete\""),
        Err(PolicyError::At {
            line: 10,
            fault: Fault::UnknownAction { .. }
        })
    ));
    assert!(matches!(
        with("name = \"flagged\"", "name = \"label\""),
        Err(PolicyError::At {
            line: 11,
            fault: Fault::RuleTwice(_)
        })
    ));
    assert!(matches!(
        with("2026-11-01", "2026-12-01"),
        Err(PolicyError::At {
            line: 17,
            fault: Fault::DateRange(_)
        })
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

/// A policy of `none`, `label` and `escalate` with these rules, each on one line.
fn ruled(rules: &[&str]) -> Result<Policy, PolicyError> {
    let head =
        "[policy]\nname = \"p\"\nversion = \"1\"\nactions = [\"none\", \"label\", \"escalate\"]\n";
    let mut text = head.to_owned();
    for rule in rules {
        let keys = rule.replace("; ", "\n");
        text.extend(["[[rule]]\nquestion = \"q\"\n", &keys, "\n"]);
    }
    Policy::parse(&text)
}

fn fault(rules: &[&str]) -> String {
    ruled(rules).unwrap_err().to_string()
}

#[test]
fn a_rule_that_can_never_change_the_action_is_refused_with_its_line() {
    let base = "name = 'base'; min_score = 0.5; action = 'label'";
    for (rule, told) in [
        (
            "name = 'r'; min_score = 0.6; action = 'label'",
            "line 10: rule `r`",
        ),
        (
            "name = 'r'; min_score = 0.5; action = 'label'",
            "line 10: rule `r`",
        ),
        (
            "name = 'r'; min_score = 0.4; action = 'label'",
            "line 5: rule `base`",
        ),
        (
            "name = 'r'; min_score = 0.6; lane = 'live'; region = 'id'; from = '2026-11-01'; action = 'label'",
            "line 10: rule `r`",
        ),
        (
            "name = 'r'; min_score = 0.9; action = 'none'",
            "line 10: rule `r`",
        ),
    ] {
        let error = fault(&[base, rule]);
        let begins = format!("{told} can never change the action: ");
        assert!(error.starts_with(&begins), "{rule}: {error}");
    }
    for rule in [
        "name = 'r'; min_score = 0.6; action = 'escalate'",
        "name = 'r'; min_score = 0.4; min_coverage = 0.9; action = 'label'",
        "name = 'r'; min_score = 0.4; region = 'id'; action = 'label'",
    ] {
        assert!(ruled(&[base, rule]).is_ok(), "{rule}");
    }
    // The later rule makes the earlier one needless; the earlier one is what is told.
    let told = fault(&[
        "name = 'narrow'; min_score = 0.8; min_coverage = 0.5; lane = 'flagger'; action = 'label'",
        "name = 'wide'; min_score = 0.8; lane = 'flagger'; action = 'escalate'",
    ]);
    assert!(told.starts_with("line 5: rule `narrow`"), "{told}");
    assert!(told.contains("rule `wide` (line 12)"), "{told}");
}

#[test]
fn periods_of_one_rule_must_not_overlap() {
    let period = |name: &str, from: &str, to: &str, min: &str, more: &str| {
        format!(
            "name = '{name}'; from = '{from}'; to = '{to}'; min_score = {min}; {more}action = 'label'"
        )
    };
    let first = period("first", "2026-11-01", "2026-11-10", "0.8", "");
    for (second, overlaps) in [
        (
            period("second", "2026-11-10", "2026-11-20", "0.9", ""),
            true,
        ),
        (
            period("second", "2026-11-11", "2026-11-20", "0.9", ""),
            false,
        ),
        (
            period(
                "second",
                "2026-11-10",
                "2026-11-20",
                "0.9",
                "region = 'id'; ",
            ),
            false,
        ),
        (
            period("second", "2026-11-10", "2026-11-20", "0.8", ""),
            false,
        ),
    ] {
        let told = ruled(&[&first, &second]).map_err(|error| error.to_string());
        assert_eq!(told.is_err(), overlaps, "{second}: {told:?}");
        if let Err(told) = told {
            assert!(told.starts_with("line 12: rule `second`"), "{told}");
            assert!(told.contains("rule `first` (line 5)"), "{told}");
        }
    }
    // A rule without dates is no period.
    let standing = "name = 'standing'; min_score = 0.9; action = 'label'";
    assert!(ruled(&[&first, standing]).is_ok());
}

#[test]
fn questions_that_nobody_answers_are_named_with_their_line() {
    let policy = Policy::parse(&format!(
        "{TWO_RULES}[[combine]]\nquestion = \"q1\"\nrule = \"max\"\n"
    ))
    .unwrap();
    let answered = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        policy
            .check_questions(&names)
            .map_err(|error| error.to_string())
    };
    assert_eq!(answered(&["ai_generated", "q1"]), Ok(()));
    assert_eq!(
        answered(&["q1"]).unwrap_err(),
        "line 8: question `ai_generated` is answered by no model here (q1)"
    );
    let told = answered(&["ai_generated"]).unwrap_err();
    assert!(told.contains("question `q1`"), "{told}");
}

#[test]
fn a_rule_of_a_region_holds_for_it_and_its_parts() {
    let policy =
        ruled(&["name = 'r'; min_score = 0.5; region = ['id', 'my-10']; action = 'label'"])
            .unwrap();
    let score = Some(Probability::new(0.7).unwrap());
    let findings = BTreeMap::from([(
        "q".to_owned(),
        Finding {
            score,
            coverage: 1.0,
        },
    )]);
    for (region, action) in [
        (Some("id"), "label"),
        (Some("ID-JK"), "label"),
        (Some("my-10"), "label"),
        (Some("my"), "none"),
        (None, "none"),
    ] {
        let decision = policy.decide(&findings, &case(Lane::Live, region, "2026-11-24"));
        assert_eq!(decision.action, action, "{region:?}");
        assert_eq!(
            decision.region.map(String::from),
            region.map(str::to_lowercase)
        );
    }
    assert!(
        fault(&["name = 'r'; min_score = 0.5; region = 'a b'; action = 'label'"])
            .contains("not a policy")
    );
    assert!(
        fault(&["name = 'r'; min_score = 0.5; region = []; action = 'label'"])
            .starts_with("line 9: ")
    );
}

#[test]
fn a_stored_report_is_decided_as_it_was_and_by_another_policy_anew() {
    let model = |score: &str, scored: u32, question: &str| {
        format!(
            r#"{{"name": "m", "question": "{question}", "score": {score}, "verdict": "uncertain", "more": [1],
                "coverage": {{"planned": 16, "decoded": 16, "scored": {scored}, "left_out": 0, "failed": 0}}}}"#
        )
    };
    let report = |policy: &str| -> StoredFindings {
        let models = [
            model("0.8", 8, "ai_generated"),
            model("0.6", 16, "ai_generated"),
            model("null", 0, "other"),
        ];
        let text = format!(
            r#"{{"schema": "jaga.report/1", "created_at": "2026-11-30T23:59:59Z", "models": [{}], "policy": {policy}}}"#,
            models.join(",")
        );
        serde_json::from_str(&text).unwrap()
    };
    let flagged = report(
        r#"{"name": "x", "version": "1", "action": "label", "reasons": [], "lane": "flagger"}"#,
    );
    let (policy, vote) = (
        Policy::parse(TWO_RULES).unwrap(),
        combining("[[combine]]\nquestion = \"ai_generated\"\nrule = \"mean\"").unwrap(),
    );
    // The highest score rests on half of the plan only.
    assert_eq!(policy.redecide(&flagged, &flagged.case()).action, "label");
    let wide =
        Policy::parse(&TWO_RULES.replace("min_coverage = 0.75", "min_coverage = 0.5")).unwrap();
    assert_eq!(wide.redecide(&flagged, &flagged.case()).action, "escalate");
    let later = Case {
        date: "2026-12-01".parse().unwrap(),
        ..flagged.case()
    };
    assert_eq!(wide.redecide(&flagged, &later).action, "label");
    let decision = vote.redecide(&flagged, &flagged.case());
    assert!((decision.reasons[0].score.get() - 0.7).abs() < 1e-9);
    // Reports of before lanes were told in them.
    let old = report(r#"{"name": "x", "version": "1", "action": "label", "reasons": []}"#);
    assert_eq!(old.case(), case(Lane::Live, None, "2026-11-30"));
}
