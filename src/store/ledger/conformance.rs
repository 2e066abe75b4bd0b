//! What each ledger has to do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::job::Step;
use crate::domain::lanes::{ByLane, Lane};
use crate::domain::report::content_hash;
use crate::domain::transparency::{Dimension, Line, period};
use crate::store::jobs::{Capacity, Content, Ending, JobStore, KeptReport, NewJob, SqliteJobs};

const DAY: Millis = 86_400_000;
/// 2026-11-24T00:00:00Z
pub(super) const MIDNIGHT: Millis = 1_795_478_400_000;

/// A store in a folder of its own, opened as often as asked.
pub(super) struct Bench(pub(super) tempfile::TempDir);

impl Bench {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) async fn open(&self) -> SqliteJobs {
        SqliteJobs::open(self.0.path()).await.unwrap()
    }
}

/// A report with its hash, as the pipeline makes it.
pub(super) fn kept(id: &str, action: &str, created_ms: Millis) -> KeptReport {
    let reasons = match action {
        "none" => json!([]),
        action => json!([
            { "rule": format!("to-{action}"), "score": 0.9, "threshold": 0.8, "action": action }
        ]),
    };
    let mut report = json!({
        "id": id,
        "media": { "blake3": format!("media of {id}"), "container": "matroska,webm" },
        "score": 0.9,
        "verdict": "substantial_evidence",
        "policy": { "name": "p", "version": "1", "action": action, "reasons": reasons },
        "receipt": { "plan": "keyframe/16" },
    });
    let hash = content_hash(&report.to_string()).unwrap();
    report["receipt"]["report_blake3"] = hash.into();
    KeptReport {
        id: id.to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Live,
        asked_ms: created_ms - 1500,
        created_ms,
        body: report.to_string(),
    }
}

pub(super) fn review(report: &str, ruling: Ruling, at: Millis) -> Review {
    Review {
        appeal: false,
        decided_at: Timestamp::from_millisecond(at).unwrap(),
        key: "0123".to_owned(),
        note: "looked twice".to_owned(),
        report: report.to_owned(),
        reviewer: "ana".to_owned(),
        ruling,
    }
}

fn days(from: &str, to: &str) -> Period {
    Period::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

async fn counted(store: &SqliteJobs, cut: &str) -> Vec<Line> {
    let all = days("2026-01-01", "2027-01-01");
    let (table, _) = store.count(&all, cut.parse().unwrap()).await.unwrap();
    table.lines
}

/// The counts of a cut of one dimension.
async fn by(store: &SqliteJobs, dimension: &'static str) -> BTreeMap<String, u64> {
    let lines = counted(store, dimension).await;
    let each = lines.into_iter();
    each.map(|mut line| (line.group.remove(dimension).unwrap(), line.count))
        .collect()
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let each = pairs.iter();
    each.map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

async fn whole(store: &SqliteJobs) -> Audit {
    let audit = store.audit(None).await.unwrap();
    assert_eq!(audit.broken, None);
    assert_eq!(audit.head, store.head().await.unwrap());
    audit
}

#[tokio::test]
async fn a_report_is_counted_when_it_is_kept_and_once() {
    let bench = Bench::new();
    let store = bench.open().await;
    assert_eq!(store.head().await.unwrap(), Head::default());
    store.keep(kept("a", "label", MIDNIGHT)).await.unwrap();
    let head = store.head().await.unwrap();
    assert_eq!(head.entries, 1);
    // A report that is given again for the same upload.
    let again = kept("a", "none", MIDNIGHT + DAY);
    store.keep(again).await.unwrap();
    assert_eq!(store.head().await.unwrap(), head);
    let lines = counted(&store, "policy,rule,action,lane,day").await;
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    let group: Vec<&str> = line.group.values().map(String::as_str).collect();
    assert_eq!(group, ["label", "2026-11-24", "live", "p", "to-label"]);
    assert!((line.median_s - 1.5).abs() < 1e-6, "{line:?}");
    assert_eq!(whole(&store).await.reports, 1);
}

#[tokio::test]
async fn the_report_of_a_job_is_counted_with_the_jobs_end() {
    let bench = Bench::new();
    let store = bench.open().await;
    let job = NewJob {
        id: "job".to_owned(),
        owner: String::new(),
        lane: Lane::Flagger,
        wishes: "{}".to_owned(),
        client_ref: None,
        callback_url: None,
        content: Content::File {
            blake3: "h".to_owned(),
            bytes: 1,
        },
        idempotency: None,
        flag: None,
    };
    let capacity = Capacity {
        queued: ByLane::of(|_| 10),
        bytes: 10,
    };
    store.submit(job, &capacity, 0).await.unwrap();
    let claimed = store.claim(Lane::Flagger, Step::Score, 1, 10).await;
    let claim = claimed.unwrap().unwrap().claim();
    let done = |id: &str| {
        Ending::Done(KeptReport {
            lane: Lane::Flagger,
            ..kept(id, "review", MIDNIGHT)
        })
    };
    assert!(store.end(&claim, done("a"), 2).await.unwrap());
    // Whoever comes too late counts nothing.
    assert!(!store.end(&claim, done("b"), 3).await.unwrap());
    assert_eq!(
        by(&store, "source").await,
        counts(&[("trusted_flagger", 1)])
    );
    assert_eq!(whole(&store).await.reports, 1);
}

#[tokio::test]
async fn of_several_decisions_the_last_one_counts() {
    let bench = Bench::new();
    let store = bench.open().await;
    for id in ["a", "b"] {
        store.keep(kept(id, "label", MIDNIGHT)).await.unwrap();
    }
    let none = review("nobody", Ruling::Upheld, MIDNIGHT);
    assert_eq!(store.review(none).await.unwrap(), None);
    assert_eq!(store.reviews("nobody").await.unwrap(), None);
    assert_eq!(store.reviews("a").await.unwrap(), Some(Vec::new()));
    let first = review("a", Ruling::Upheld, MIDNIGHT + 1);
    let second = Review {
        appeal: true,
        ..review("a", Ruling::Overturned, MIDNIGHT + 2)
    };
    for one in [&first, &second] {
        let sealed = store.review(one.clone()).await.unwrap().unwrap();
        assert_eq!(sealed.head(), store.head().await.unwrap());
    }
    let history = store.reviews("a").await.unwrap();
    assert_eq!(history, Some(vec![first, second.clone()]));
    assert_eq!(
        store.reviews_after(3, 10).await.unwrap(),
        [(4, second.clone())]
    );
    assert_eq!(
        by(&store, "automation").await,
        counts(&[("fully", 1), ("not", 1)])
    );
    let ruled = Sought {
        ruled: true,
        limit: 10,
        ..Sought::default()
    };
    let records = store.records(&ruled).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].ruling, Some((Ruling::Overturned, MIDNIGHT + 2)));
    assert_eq!(
        store.report("a").await.unwrap(),
        Some(kept("a", "label", MIDNIGHT))
    );
    assert_eq!(whole(&store).await.decisions, 2);
    for _ in 2..MOST_DECISIONS {
        store.review(second.clone()).await.unwrap();
    }
    let full = store.review(second).await;
    assert!(matches!(full, Err(JobsError::TooManyDecisions { .. })));
}

#[tokio::test]
async fn a_deleted_report_stays_counted_and_can_be_decided_on() {
    let bench = Bench::new();
    let store = bench.open().await;
    for (id, at) in [("old", MIDNIGHT), ("new", MIDNIGHT + DAY)] {
        store.keep(kept(id, "label", at)).await.unwrap();
    }
    let before = counted(&store, "day,rule").await;
    assert_eq!(store.forget(MIDNIGHT + 1, 0).await.unwrap(), 1);
    assert_eq!(store.report("old").await.unwrap(), None);
    assert_eq!(counted(&store, "day,rule").await, before);
    let late = review("old", Ruling::Overturned, MIDNIGHT + 2 * DAY);
    assert!(store.review(late).await.unwrap().is_some());
    let audit = whole(&store).await;
    assert_eq!((audit.reports, audit.forgotten), (1, 1));
    // Two reports, one deletion, one decision.
    assert_eq!(audit.head.entries, 4);
    // Nothing more is to be said of what is gone.
    assert_eq!(store.forget(MIDNIGHT + 1, 0).await.unwrap(), 0);
    assert_eq!(store.head().await.unwrap(), audit.head);
}

#[tokio::test]
async fn records_expire_after_their_reports_and_the_chain_stays_whole() {
    let bench = Bench::new();
    let store = bench.open().await;
    for (id, at) in [("old", MIDNIGHT), ("new", MIDNIGHT + DAY)] {
        store.keep(kept(id, "label", at)).await.unwrap();
        store.review(review(id, Ruling::Upheld, at)).await.unwrap();
    }
    // A report that is there is counted.
    assert_eq!(store.expire(MIDNIGHT + 1).await.unwrap(), 0);
    store.forget(MIDNIGHT + 1, 0).await.unwrap();
    assert_eq!(store.expire(MIDNIGHT + 1).await.unwrap(), 1);
    assert_eq!(by(&store, "day").await, counts(&[("2026-11-25", 1)]));
    assert_eq!(store.reviews("old").await.unwrap(), None);
    let late = review("old", Ruling::Overturned, MIDNIGHT);
    assert_eq!(store.review(late).await.unwrap(), None);
    let audit = whole(&store).await;
    assert_eq!(
        (
            audit.reports,
            audit.forgotten,
            audit.expired,
            audit.decisions
        ),
        (1, 0, 1, 1)
    );
    assert_eq!(audit.head.entries, 6);
}

#[tokio::test]
async fn a_period_begins_with_its_first_day_and_ends_before_its_last() {
    let bench = Bench::new();
    let store = bench.open().await;
    let times = [("a", -1), ("b", 0), ("c", DAY - 1), ("d", DAY)];
    for (id, at) in times {
        store.keep(kept(id, "none", MIDNIGHT + at)).await.unwrap();
    }
    let day = days("2026-11-24", "2026-11-25");
    let (table, head) = store.count(&day, Cut::default()).await.unwrap();
    assert_eq!((table.total, head.entries), (2, 4));
    let sought = Sought {
        period: Some(day),
        limit: 10,
        ..Sought::default()
    };
    let records = store.records(&sought).await.unwrap();
    let ids: Vec<&str> = records.iter().map(|r| r.counted.report.as_str()).collect();
    assert_eq!(ids, ["b", "c"]);
}

#[tokio::test]
async fn pages_of_records_go_on_where_they_ended() {
    let bench = Bench::new();
    let store = bench.open().await;
    // Two of one time, and one that came later with an earlier time: the clock was set back.
    for (id, at) in [("b", 5), ("c", 5), ("d", 9), ("a", 1)] {
        store.keep(kept(id, "none", MIDNIGHT + at)).await.unwrap();
    }
    let mut sought = Sought {
        limit: 1,
        ..Sought::default()
    };
    let mut ids = String::new();
    loop {
        let page = store.records(&sought).await.unwrap();
        let Some(last) = page.last() else { break };
        ids += &last.counted.report;
        sought.after = Some(last.place());
    }
    assert_eq!(ids, "abcd");
}

#[derive(Debug, Clone)]
enum Act {
    Keep(u8),
    Review(u8, bool),
    Forget(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => (0u8..40).prop_map(Act::Keep),
        3 => (0u8..40, any::<bool>()).prop_map(|(id, upheld)| Act::Review(id, upheld)),
        1 => (0u8..4).prop_map(Act::Forget),
    ];
    prop::collection::vec(act, 0..60)
}

fn id(number: u8) -> String {
    format!("r{number}")
}

/// The day of a report counts up with its number, from 0.
fn day_of(number: u8) -> Millis {
    Millis::from(number % 4)
}

async fn taken(store: &SqliteJobs, act: &Act) {
    match act {
        Act::Keep(number) => {
            let action = ["none", "label", "review"][usize::from(number % 3)];
            let at = MIDNIGHT + day_of(*number) * DAY + Millis::from(*number);
            store.keep(kept(&id(*number), action, at)).await.unwrap();
        }
        Act::Review(number, upheld) => {
            let ruling = Ruling::ALL[usize::from(*upheld)];
            let review = review(&id(*number), ruling, MIDNIGHT);
            store.review(review).await.unwrap();
        }
        Act::Forget(day) => {
            let older = MIDNIGHT + Millis::from(*day) * DAY;
            store.forget(older, 0).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn counts_add_up_to_the_reports_for_any_cut(
        acts in acts(),
        cut in prop::sample::subsequence(Dimension::ALL.to_vec(), 0..=11).prop_shuffle(),
        days in (0i64..4, 1i64..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let store = bench.open().await;
            for act in &acts {
                taken(&store, act).await;
            }
            let names: Vec<&str> = cut.iter().map(|dimension| dimension.name()).collect();
            let cut: Cut = names.join(",").parse().unwrap();
            let (first, last) = (days.0, days.0 + days.1);
            let [from, to] = [first, last].map(|day| period::day(MIDNIGHT + day * DAY));
            let period = Period::new(from, to).unwrap();
            let (table, _) = store.count(&period, cut).await.unwrap();
            let was_kept = |number: &u8| acts.iter().any(|act| matches!(act, Act::Keep(n) if n == number));
            let ever: Vec<u8> = (0..40).filter(was_kept).collect();
            let within = ever.iter().filter(|n| (first..last).contains(&day_of(**n)));
            prop_assert_eq!(table.total, within.count() as u64);
            prop_assert_eq!(table.lines.iter().map(|line| line.count).sum::<u64>(), table.total);
            let mut stored = 0;
            for number in 0..40 {
                stored += u64::from(store.report(&id(number)).await.unwrap().is_some());
            }
            let audit = store.audit(None).await.unwrap();
            prop_assert_eq!(audit.broken, None);
            prop_assert_eq!((audit.reports, audit.reports + audit.forgotten), (stored, ever.len() as u64));
            Ok(())
        })?;
    }
}
