//! What each store of flags has to do.

use super::*;
use crate::domain::job::Step;
use crate::domain::lanes::{ByLane, Lane};
use crate::domain::review::{Review, Ruling};
use crate::store::Store;
use crate::store::jobs::{Capacity, Content, Ending, KeptReport, NewJob, SqliteJobs};

const ROOM: Capacity = Capacity {
    queued: ByLane {
        flagger: 100,
        live: 100,
        backfill: 100,
    },
    bytes: 1000,
};

fn organisation(name: &str) -> Organisation {
    name.parse().unwrap()
}

async fn flagged(store: &dyn Store, id: &str, by: &str, now: Millis) {
    let grounds = Grounds {
        case_ref: Some(format!("case-{id}")),
        reason: Some("a face that was swapped".to_owned()),
        content_url: Some("https://example.org/v".to_owned()),
    };
    let job = NewJob {
        id: id.to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Flagger,
        wishes: "{}".to_owned(),
        client_ref: None,
        callback_url: None,
        content: Content::File {
            blake3: "hash".to_owned(),
            bytes: 1,
        },
        idempotency: None,
        flag: Some(NewFlag {
            organisation: organisation(by),
            grounds,
            due_ms: now + 100,
        }),
    };
    store.submit(job, &ROOM, now).await.unwrap();
}

async fn fails(store: &dyn Store, now: Millis) {
    let claimed = store.claim(Lane::Flagger, Step::Score, now, now + 10);
    let job = claimed.await.unwrap().unwrap();
    let ending = Ending::Failed("{}".to_owned());
    assert!(store.end(&job.claim(), ending, now).await.unwrap());
}

async fn a_flag_comes_and_ends_with_its_job(store: &dyn Store) {
    flagged(store, "a", "kpu", 1000).await;
    let flag = store.flag("a").await.unwrap().unwrap();
    assert_eq!(flag.organisation, organisation("kpu"));
    assert_eq!(flag.grounds.case_ref.as_deref(), Some("case-a"));
    assert_eq!((flag.received_ms, flag.due_ms), (1000, 1100));
    assert_eq!((flag.ended, flag.report_id), (None, None));
    assert_eq!(store.overdue(1100).await.unwrap(), 0);
    assert_eq!(store.overdue(1101).await.unwrap(), 1);
    fails(store, 1050).await;
    let flag = store.flag("a").await.unwrap().unwrap();
    assert_eq!(flag.ended, Some((FlagOutcome::Failed, 1050)));
    assert_eq!(store.overdue(1101).await.unwrap(), 0);
    assert_eq!(store.flag("none").await.unwrap(), None);
}

async fn flags_are_listed_and_counted(store: &dyn Store) {
    for (id, by, at) in [("a", "kpu", 1000), ("b", "watch", 2000), ("c", "kpu", 3000)] {
        flagged(store, id, by, at).await;
    }
    store.cancel("b", 2050).await.unwrap();
    let ids = async |filter: FlagFilter| -> Vec<String> {
        let flags = store.flags(&filter).await.unwrap();
        flags.into_iter().map(|flag| flag.id).collect()
    };
    let all = FlagFilter {
        limit: 2,
        ..FlagFilter::default()
    };
    assert_eq!(ids(all.clone()).await, ["c", "b"]);
    let before = store.flag("b").await.unwrap().unwrap().seq;
    let rest = FlagFilter {
        before: Some(before),
        ..all.clone()
    };
    assert_eq!(ids(rest).await, ["a"]);
    let own = FlagFilter {
        organisation: Some(organisation("watch")),
        ..all.clone()
    };
    assert_eq!(ids(own).await, ["b"]);
    let waiting = FlagFilter {
        is_over: Some(false),
        ..all
    };
    assert_eq!(ids(waiting).await, ["c", "a"]);
    let tally = store.tally(1000, 3000, None, 1101).await.unwrap().figures();
    let counts = |name: &str| (tally[name].received, tally[name].overdue);
    assert_eq!((counts("kpu"), counts("watch")), ((1, 1), (1, 0)));
    let one = store.tally(0, 9000, Some(&organisation("kpu")), 0).await;
    assert_eq!(one.unwrap().figures().len(), 1);
}

async fn done(store: &dyn Store, report: &str, rule: &str, now: Millis) {
    let claimed = store.claim(Lane::Flagger, Step::Score, now, now + 10);
    let job = claimed.await.unwrap().unwrap();
    let reasons = match rule {
        "" => String::new(),
        rule => format!(r#"{{"rule":"{rule}","action":"label"}}"#),
    };
    let kept = KeptReport {
        id: report.to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Flagger,
        asked_ms: now,
        created_ms: now,
        body: format!(r#"{{"policy":{{"action":"label","reasons":[{reasons}]}}}}"#),
    };
    let ended = store.end(&job.claim(), Ending::Done(kept), now).await;
    assert!(ended.unwrap());
}

async fn a_flag_was_right_where_a_rule_or_a_person_says_so(store: &dyn Store) {
    for (report, rule, rulings) in [
        ("acted", "r", &[][..]),
        ("passed", "", &[]),
        ("wrong", "r", &[Ruling::Upheld, Ruling::Overturned]),
        ("missed", "", &[Ruling::Overturned]),
        ("kept", "r", &[Ruling::Overturned, Ruling::Upheld]),
    ] {
        flagged(store, report, "kpu", 1000).await;
        done(store, report, rule, 1010).await;
        for ruling in rulings {
            let review = Review {
                appeal: false,
                decided_at: jiff::Timestamp::UNIX_EPOCH,
                key: String::new(),
                note: String::new(),
                report: report.to_owned(),
                reviewer: "ana".to_owned(),
                ruling: *ruling,
            };
            assert!(store.review(review).await.unwrap().is_some());
        }
    }
    flagged(store, "waits", "kpu", 1000).await;
    // Figures are those of before, also when the reports are gone.
    for _ in 0..2 {
        let tally = store.tally(0, 9000, None, 1020).await.unwrap();
        let figures = &tally.figures()["kpu"];
        assert_eq!((figures.answered, figures.upheld), (5, 3));
        store.forget(2000, 0).await.unwrap();
    }
}

async fn what_tells_of_a_person_goes_with_the_job(store: &dyn Store) {
    flagged(store, "a", "kpu", 1000).await;
    fails(store, 1050).await;
    store.forget(1051, 0).await.unwrap();
    assert_eq!(store.job("a").await.unwrap(), None);
    let flag = store.flag("a").await.unwrap().unwrap();
    assert_eq!(flag.grounds, Grounds::default());
    assert_eq!(flag.ended, Some((FlagOutcome::Failed, 1050)));
    assert_eq!(store.forget_flags(1050).await.unwrap(), 0);
    assert_eq!(store.forget_flags(1051).await.unwrap(), 1);
    assert_eq!(store.flag("a").await.unwrap(), None);
}

macro_rules! hold {
    ($($name:ident),*) => { $(
        #[tokio::test]
        async fn $name() {
            let data = tempfile::tempdir().unwrap();
            super::$name(&SqliteJobs::open(data.path()).await.unwrap()).await;
        }
    )* };
}

mod sqlite {
    use super::*;

    hold!(
        a_flag_comes_and_ends_with_its_job,
        flags_are_listed_and_counted,
        a_flag_was_right_where_a_rule_or_a_person_says_so,
        what_tells_of_a_person_goes_with_the_job
    );
}
