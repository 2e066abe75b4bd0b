use proptest::prelude::*;

use super::*;

fn p(value: f64) -> Probability {
    Probability::new(value).unwrap()
}

fn thresholds(substantial: f64, little: f64) -> Thresholds {
    Thresholds {
        substantial_evidence: p(substantial),
        little_evidence: p(little),
    }
}

fn ballots(scores: &[Option<f64>]) -> Vec<Ballot> {
    let ballot = |score: &Option<f64>| Ballot {
        score: score.map(p),
        thresholds: thresholds(0.9, 0.1),
    };
    scores.iter().map(ballot).collect()
}

fn score(rule: Combination, scores: &[Option<f64>]) -> Option<f64> {
    rule.apply(&ballots(scores)).map(|c| c.score.get())
}

const THREE: [Option<f64>; 4] = [Some(0.2), None, Some(0.95), Some(0.6)];

#[test]
fn known_answers() {
    let near = |rule, want: f64| {
        let got = score(rule, &THREE).unwrap();
        assert!((got - want).abs() < 1e-12, "{rule:?}: {got} for {want}");
    };
    near(Combination::Max, 0.95);
    near(Combination::Mean, 1.75 / 3.0);
    near(Combination::NoisyOr, 1.0 - 0.8 * 0.05 * 0.4);
    near(Combination::Vote { k: 1, of: 1 }, 0.95);
    near(Combination::Vote { k: 2, of: 3 }, 0.6);
    near(Combination::Vote { k: 3, of: 3 }, 0.2);
}

#[test]
fn who_decided_is_named_by_place_in_the_request() {
    let by = |rule: Combination| rule.apply(&ballots(&THREE)).unwrap().decided_by;
    assert_eq!(by(Combination::Max), Some(2));
    assert_eq!(by(Combination::Vote { k: 2, of: 2 }), Some(3));
    assert_eq!(by(Combination::Mean), None);
    assert_eq!(by(Combination::NoisyOr), None);
}

#[test]
fn too_few_votes_give_no_score() {
    assert_eq!(score(Combination::Vote { k: 4, of: 4 }, &THREE), None);
    assert_eq!(score(Combination::Vote { k: 2, of: 4 }, &THREE), None);
    for rule in ALL {
        assert_eq!(score(rule, &[None, None]), None, "{rule:?}");
        assert_eq!(score(rule, &[]), None, "{rule:?}");
    }
}

#[test]
fn verdicts_are_the_deciding_models_own_or_by_the_strictest_thresholds() {
    let ballots = [
        Ballot {
            score: Some(p(0.8)),
            thresholds: thresholds(0.75, 0.3),
        },
        Ballot {
            score: Some(p(0.7)),
            thresholds: thresholds(0.9, 0.2),
        },
    ];
    let verdict = |rule: Combination| rule.apply(&ballots).unwrap().verdict;
    assert_eq!(verdict(Combination::Max), Verdict::SubstantialEvidence);
    assert_eq!(verdict(Combination::Mean), Verdict::Uncertain);
    assert_eq!(verdict(Combination::NoisyOr), Verdict::SubstantialEvidence);
    assert_eq!(
        verdict(Combination::Vote { k: 2, of: 2 }),
        Verdict::Uncertain
    );
    let own = Combine {
        combination: Combination::Max,
        thresholds: Some(thresholds(0.85, 0.1)),
    };
    assert_eq!(own.apply(&ballots).unwrap().verdict, Verdict::Uncertain);
}

#[test]
fn of_equal_scores_the_more_severe_verdict_counts() {
    let mut ballots = ballots(&[Some(0.8), Some(0.8)]);
    ballots[1].thresholds = thresholds(0.7, 0.1);
    let combined = Combination::Max.apply(&ballots).unwrap();
    assert_eq!(combined.verdict, Verdict::SubstantialEvidence);
    assert_eq!(combined.decided_by, Some(1));
}

/// The example of `docs/policy.md`.
#[test]
fn the_documented_example_holds() {
    let ballot = |score: Option<f64>, high, low| Ballot {
        score: score.map(p),
        thresholds: thresholds(high, low),
    };
    let models = [
        ballot(Some(0.95), 0.90, 0.10),
        ballot(Some(0.60), 0.80, 0.20),
        ballot(Some(0.20), 0.85, 0.30),
        ballot(None, 0.90, 0.10),
    ];
    for (rule, score, verdict) in [
        (Combination::Max, 0.95, Verdict::SubstantialEvidence),
        (Combination::Mean, 0.583, Verdict::Uncertain),
        (Combination::NoisyOr, 0.984, Verdict::SubstantialEvidence),
        (Combination::Vote { k: 2, of: 2 }, 0.60, Verdict::Uncertain),
    ] {
        let combined = rule.apply(&models).unwrap();
        assert!((combined.score.get() - score).abs() < 5e-4, "{rule:?}");
        assert_eq!(combined.verdict, verdict, "{rule:?}");
    }
    assert_eq!(Combination::Vote { k: 2, of: 4 }.apply(&models), None);
}

#[test]
fn rules_are_read_by_name() {
    let new = Combination::new;
    assert_eq!(new("max", None, None), Ok(Combination::Max));
    assert_eq!(
        new("vote", Some(2), None),
        Ok(Combination::Vote { k: 2, of: 2 })
    );
    assert_eq!(
        new("vote", Some(2), Some(3)),
        Ok(Combination::Vote { k: 2, of: 3 })
    );
    assert_eq!(new("vote", None, Some(3)), Err(InvalidCombination::K));
    assert_eq!(new("vote", Some(0), None), Err(InvalidCombination::K));
    assert_eq!(
        new("vote", Some(3), Some(2)),
        Err(InvalidCombination::Of { k: 3, of: 2 })
    );
    assert!(matches!(
        new("mean", Some(2), None),
        Err(InvalidCombination::NotAVote { key: "k", .. })
    ));
    assert!(matches!(
        new("median", None, None),
        Err(InvalidCombination::UnknownRule(_))
    ));
    for rule in ALL {
        let (k, of) = match rule {
            Combination::Vote { k, of } => (Some(k), Some(of)),
            Combination::Max | Combination::Mean | Combination::NoisyOr => (None, None),
        };
        assert_eq!(new(rule.name(), k, of), Ok(rule));
    }
}

#[test]
fn an_entry_is_written_as_a_policy_writes_it() {
    let entry = Combine {
        combination: Combination::Vote { k: 2, of: 3 },
        thresholds: Some(thresholds(0.75, 0.25)),
    };
    assert_eq!(
        serde_json::to_value(entry).unwrap(),
        serde_json::json!({
            "rule": "vote", "k": 2, "of": 3,
            "substantial_evidence": 0.75, "little_evidence": 0.25,
        })
    );
    assert_eq!(
        serde_json::to_value(Combine::default()).unwrap(),
        serde_json::json!({ "rule": "max" })
    );
}

const ALL: [Combination; 5] = [
    Combination::Max,
    Combination::Mean,
    Combination::NoisyOr,
    Combination::Vote { k: 1, of: 1 },
    Combination::Vote { k: 2, of: 3 },
];

fn some_ballots() -> impl Strategy<Value = Vec<Ballot>> {
    // Few distinct values, so that ties happen.
    let value = prop_oneof![0.0f64..=1.0, (0u32..=4).prop_map(|n| f64::from(n) / 4.0)];
    let one = (prop::option::of(value), 0.5f64..=1.0, 0.0f64..0.5);
    let ballot = one.prop_map(|(score, high, low)| Ballot {
        score: score.map(p),
        thresholds: thresholds(high, low),
    });
    prop::collection::vec(ballot, 0..8)
}

fn outcome(rule: Combination, ballots: &[Ballot]) -> Option<(Probability, Verdict)> {
    rule.apply(ballots).map(|c| (c.score, c.verdict))
}

proptest! {
    #[test]
    fn order_does_not_matter(
        (ballots, turned) in some_ballots()
            .prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle()))
    ) {
        for rule in ALL {
            prop_assert_eq!(outcome(rule, &ballots), outcome(rule, &turned), "{:?}", rule);
        }
    }

    #[test]
    fn rules_keep_their_order(ballots in some_ballots()) {
        let score = |rule: Combination| rule.apply(&ballots).map(|c| c.score);
        let least = ballots.iter().filter_map(|b| b.score).reduce(|a, b| if b < a { b } else { a });
        // A mean of equal numbers may differ from them in the last bit.
        let above = |a: Option<Probability>, b: Option<Probability>| match (a, b) {
            (Some(a), Some(b)) => a.get() >= b.get() - 1e-12,
            (a, b) => a.is_none() && b.is_none(),
        };
        prop_assert!(score(Combination::NoisyOr) >= score(Combination::Max));
        prop_assert!(above(score(Combination::Max), score(Combination::Mean)));
        prop_assert!(above(score(Combination::Mean), least));
        prop_assert_eq!(
            Combination::Vote { k: 1, of: 1 }.apply(&ballots),
            Combination::Max.apply(&ballots)
        );
    }

    #[test]
    fn a_higher_score_never_lowers_the_outcome(
        ballots in some_ballots(), which in any::<prop::sample::Index>(), raise in 0.0f64..=1.0
    ) {
        prop_assume!(!ballots.is_empty());
        let mut raised = ballots.clone();
        let one = &mut raised[which.index(ballots.len())];
        one.score = one.score.map(|s| p(s.get().max(raise)));
        for rule in ALL {
            let score = |b: &[Ballot]| rule.apply(b).map(|c| c.score);
            prop_assert!(score(&raised) >= score(&ballots), "{:?}", rule);
        }
    }

    #[test]
    fn a_vote_reaches_a_threshold_exactly_when_k_models_do(
        ballots in some_ballots(), k in 1u32..6, t in 0.0f64..=1.0
    ) {
        let reached = ballots.iter().filter(|b| b.score.is_some_and(|s| s.get() >= t)).count();
        let vote = Combination::Vote { k, of: k }.apply(&ballots);
        prop_assert_eq!(
            vote.is_some_and(|c| c.score.get() >= t),
            reached >= usize::try_from(k).unwrap()
        );
    }
}
