//! What each job store has to do.

use super::*;
use crate::domain::job::JobStatus;
use crate::domain::lanes::Lane;

const ROOM: Capacity = Capacity {
    queued: ByLane {
        flagger: 100,
        live: 100,
        backfill: 100,
    },
    bytes: 1000,
};

fn new(id: &str) -> NewJob {
    NewJob {
        id: id.to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Live,
        wishes: "{}".to_owned(),
        client_ref: None,
        callback_url: Some("https://example.org/hook".to_owned()),
        content: Content::File {
            blake3: "hash".to_owned(),
            bytes: 10,
        },
        idempotency: None,
        flag: None,
    }
}

fn kept(id: &str) -> KeptReport {
    KeptReport {
        id: id.to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Live,
        asked_ms: 1,
        created_ms: 2,
        body: "{\"score\":0.5}".to_owned(),
    }
}

async fn accepted(store: &dyn JobStore, ids: &[&str]) {
    for id in ids {
        let (job, is_new) = store.submit(new(id), &ROOM, 0).await.unwrap();
        assert_eq!((job.status, job.attempt), (JobStatus::Queued, 0));
        assert!(is_new);
    }
}

async fn claimed(store: &dyn JobStore, now: Millis, until: Millis) -> Option<Job> {
    let claimed = store.claim(Lane::Live, Step::Score, now, until);
    claimed.await.unwrap()
}

async fn status(store: &dyn JobStore, id: &str) -> JobStatus {
    store.job(id).await.unwrap().unwrap().status
}

/// A store in a folder of its own, opened as often as asked.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> SqliteJobs {
        SqliteJobs::open(self.0.path()).await.unwrap()
    }
}

#[tokio::test]
async fn jobs_are_claimed_in_the_order_of_their_acceptance_and_once() {
    let (bench, now) = (Bench::new(), 5);
    let store = bench.open().await;
    // The ids' order is another one.
    accepted(&store, &["b", "a"]).await;
    let first = claimed(&store, now, 100).await.unwrap();
    assert_eq!((first.id.as_str(), first.attempt), ("b", 1));
    assert_eq!(
        (first.status, first.started_ms),
        (JobStatus::Running, Some(5))
    );
    assert_eq!(claimed(&store, now, 100).await.unwrap().id, "a");
    assert_eq!(claimed(&store, now, 100).await, None);
    let other = store.claim(Lane::Flagger, Step::Score, now, 100).await;
    assert_eq!(other.unwrap(), None);
}

#[tokio::test]
async fn a_result_its_report_and_its_message_come_together_and_once() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a"]).await;
    let claim = claimed(&store, 1, 100).await.unwrap().claim();
    assert!(
        store
            .end(&claim, Ending::Done(kept("r1")), 7)
            .await
            .unwrap()
    );
    let again = store.end(&claim, Ending::Done(kept("r2")), 8).await;
    assert!(!again.unwrap());
    let job = store.job("a").await.unwrap().unwrap();
    assert_eq!(job.status, JobStatus::Done);
    assert_eq!(
        (job.report_id.as_deref(), job.finished_ms),
        (Some("r1"), Some(7))
    );
    assert_eq!(store.report("r1").await.unwrap(), Some(kept("r1")));
    assert_eq!(store.report("r2").await.unwrap(), None);
    let due = store.due(7, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].id.as_str(), due[0].job_id.as_str()), ("msg_a", "a"));
}

#[tokio::test]
async fn whoever_lost_the_lease_changes_nothing() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a"]).await;
    let slow = claimed(&store, 1, 10).await.unwrap().claim();
    assert!(store.heartbeat(&slow, 20).await.unwrap());
    assert_eq!(store.sweep(15, 15, 3, "{}").await.unwrap(), (0, 0));
    assert_eq!(store.sweep(21, 21, 3, "{}").await.unwrap(), (1, 0));
    let quick = claimed(&store, 22, 40).await.unwrap().claim();
    assert_eq!(quick.attempt, 2);
    assert!(!store.heartbeat(&slow, 90).await.unwrap());
    for ending in [
        Ending::Done(kept("slow")),
        Ending::Failed("{}".to_owned()),
        Ending::GivenBack,
        Ending::Again {
            problem: "{}".to_owned(),
            not_before_ms: 0,
        },
    ] {
        assert!(!store.end(&slow, ending, 23).await.unwrap());
    }
    assert_eq!(store.report("slow").await.unwrap(), None);
    assert!(
        store
            .end(&quick, Ending::Done(kept("quick")), 24)
            .await
            .unwrap()
    );
    assert_eq!(store.due(100, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_poison_job_fails_after_its_attempts() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a", "b"]).await;
    for attempt in 1..=3 {
        let job = claimed(&store, attempt, attempt).await.unwrap();
        assert_eq!((job.id.as_str(), i64::from(job.attempt)), ("a", attempt));
        let want = if attempt < 3 { (1, 0) } else { (0, 1) };
        let swept = store
            .sweep(attempt + 1, attempt + 1, 3, "{\"code\":\"internal\"}")
            .await;
        assert_eq!(swept.unwrap(), want);
    }
    let job = store.job("a").await.unwrap().unwrap();
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(job.problem.as_deref(), Some("{\"code\":\"internal\"}"));
    assert_eq!(
        store.due(100, 10).await.unwrap().len(),
        1,
        "its owner is told"
    );
    assert_eq!(claimed(&store, 9, 20).await.unwrap().id, "b");
}

#[tokio::test]
async fn a_fault_that_can_pass_waits_and_a_job_given_back_has_not_been_tried() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a"]).await;
    let claim = claimed(&store, 1, 100).await.unwrap().claim();
    let again = Ending::Again {
        problem: "{\"code\":\"x\"}".to_owned(),
        not_before_ms: 50,
    };
    assert!(store.end(&claim, again, 2).await.unwrap());
    assert_eq!(claimed(&store, 49, 100).await, None);
    let job = claimed(&store, 50, 100).await.unwrap();
    assert_eq!(
        (job.attempt, job.problem.as_deref()),
        (2, Some("{\"code\":\"x\"}"))
    );
    let given_back = store.end(&job.claim(), Ending::GivenBack, 51).await;
    assert!(given_back.unwrap());
    assert_eq!(claimed(&store, 52, 100).await.unwrap().attempt, 2);
    assert!(store.due(100, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn content_is_fetched_before_it_is_scored() {
    let bench = Bench::new();
    let store = bench.open().await;
    let job = NewJob {
        content: Content::Url("https://example.org/a".to_owned()),
        ..new("a")
    };
    store.submit(job, &ROOM, 0).await.unwrap();
    assert_eq!(claimed(&store, 1, 100).await, None);
    let fetch = store.claim(Lane::Live, Step::Fetch, 1, 100).await;
    let fetch = fetch.unwrap().unwrap();
    assert_eq!(fetch.url.as_deref(), Some("https://example.org/a"));
    let fetched = Ending::Fetched {
        blake3: "hash".to_owned(),
        bytes: 600,
    };
    assert!(store.end(&fetch.claim(), fetched, 2).await.unwrap());
    let job = claimed(&store, 3, 100).await.unwrap();
    assert_eq!(job.file, Some(("hash".to_owned(), 600)));
    assert_eq!(job.attempt, 1, "the step's own attempts count");
    let big = NewJob {
        content: Content::File {
            blake3: "h".to_owned(),
            bytes: 401,
        },
        ..new("b")
    };
    let refused = store.submit(big, &ROOM, 3).await;
    assert!(matches!(refused, Err(JobsError::SpaceFull { limit: 1000 })));
}

#[tokio::test]
async fn a_cancelled_job_ends_once() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a", "b"]).await;
    let claim = claimed(&store, 1, 100).await.unwrap().claim();
    for id in ["a", "b"] {
        let job = store.cancel(id, 5).await.unwrap().unwrap();
        assert_eq!(
            (job.status, job.finished_ms),
            (JobStatus::Cancelled, Some(5))
        );
    }
    assert!(!store.heartbeat(&claim, 200).await.unwrap());
    assert!(!store.end(&claim, Ending::Done(kept("r")), 6).await.unwrap());
    let late = store.cancel("a", 9).await.unwrap().unwrap();
    assert_eq!(late.finished_ms, Some(5));
    assert_eq!(store.cancel("none", 9).await.unwrap(), None);
    assert!(store.unfinished().await.unwrap().is_empty());
    assert_eq!(store.due(9, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_same_request_is_the_same_job() {
    let bench = Bench::new();
    let store = bench.open().await;
    let with_key = |id: &str, owner: &str, fingerprint: &str, since_ms| NewJob {
        owner: owner.to_owned(),
        idempotency: Some(Idempotency {
            key: "k".to_owned(),
            fingerprint: fingerprint.to_owned(),
            since_ms,
        }),
        ..new(id)
    };
    assert!(
        store
            .submit(with_key("a", "x", "f", 0), &ROOM, 1)
            .await
            .unwrap()
            .1
    );
    let (job, is_new) = store
        .submit(with_key("b", "x", "f", 0), &ROOM, 2)
        .await
        .unwrap();
    assert_eq!((job.id.as_str(), is_new), ("a", false));
    let conflict = store.submit(with_key("c", "x", "g", 0), &ROOM, 2).await;
    assert!(matches!(conflict, Err(JobsError::IdempotencyConflict)));
    let other = store.submit(with_key("d", "y", "g", 0), &ROOM, 2).await;
    assert!(other.unwrap().1, "another owner's key");
    let forgotten = store.submit(with_key("e", "x", "g", 2), &ROOM, 3).await;
    assert!(forgotten.unwrap().1, "a key that is too old");
    assert_eq!(store.job("b").await.unwrap(), None);
}

#[tokio::test]
async fn a_lane_has_its_limit() {
    let bench = Bench::new();
    let store = bench.open().await;
    let mut room = ROOM;
    room.queued.live = 2;
    for id in ["a", "b"] {
        store.submit(new(id), &room, 0).await.unwrap();
    }
    let full = store.submit(new("c"), &room, 0).await;
    assert!(matches!(
        full,
        Err(JobsError::LaneFull {
            lane: Lane::Live,
            limit: 2
        })
    ));
    let flag = NewJob {
        lane: Lane::Flagger,
        ..new("d")
    };
    store.submit(flag, &room, 3).await.unwrap();
    claimed(&store, 1, 100).await.unwrap();
    store.submit(new("c"), &room, 4).await.unwrap();
    let depths = store.depths().await.unwrap();
    let live = Depth {
        queued: 2,
        running: 1,
        oldest_ms: Some(0),
    };
    assert_eq!(depths.live, live);
    assert_eq!(
        (depths.flagger.queued, depths.flagger.oldest_ms),
        (1, Some(3))
    );
    assert_eq!(depths.backfill, Depth::default());
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a", "b", "c"]).await;
    let other = NewJob {
        owner: "other".to_owned(),
        lane: Lane::Backfill,
        ..new("d")
    };
    store.submit(other, &ROOM, 0).await.unwrap();
    store.cancel("b", 1).await.unwrap();
    let list = async |filter: Filter| -> Vec<String> {
        let jobs = store.jobs(&filter).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect()
    };
    let all = Filter {
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(list(all.clone()).await, ["d", "c", "b", "a"]);
    let mine = Filter {
        owner: Some("key".to_owned()),
        ..all.clone()
    };
    assert_eq!(list(mine.clone()).await, ["c", "b", "a"]);
    let two = Filter { limit: 2, ..mine };
    let page = store.jobs(&two).await.unwrap();
    let rest = Filter {
        before: page.last().map(|job| job.seq),
        ..two
    };
    assert_eq!(list(rest).await, ["a"]);
    let cancelled = Filter {
        status: Some(JobStatus::Cancelled),
        ..all.clone()
    };
    assert_eq!(list(cancelled).await, ["b"]);
    let backfill = Filter {
        lane: Some(Lane::Backfill),
        ..all
    };
    assert_eq!(list(backfill).await, ["d"]);
}

#[tokio::test]
async fn what_was_accepted_is_there_after_another_start() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a", "b"]).await;
    let claim = claimed(&store, 1, 100).await.unwrap().claim();
    store.end(&claim, Ending::Done(kept("r")), 2).await.unwrap();
    claimed(&store, 3, 100).await.unwrap();
    let second = SqliteJobs::open(bench.0.path()).await;
    assert!(matches!(second, Err(JobsError::InUse { .. })));
    drop(store);
    let store = bench.open().await;
    assert_eq!(status(&store, "a").await, JobStatus::Done);
    assert_eq!(status(&store, "b").await, JobStatus::Running);
    // Whatever ran belongs to a server that is gone.
    assert_eq!(store.sweep(Millis::MAX, 4, 3, "{}").await.unwrap(), (1, 0));
    assert_eq!(store.unfinished().await.unwrap(), ["b"]);
}

#[tokio::test]
async fn messages_are_kept_until_they_arrive() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a"]).await;
    store.cancel("a", 5).await.unwrap();
    let message = store.due(5, 10).await.unwrap().remove(0);
    let tried = |at_ms, status| Delivery {
        message_id: message.id.clone(),
        at_ms,
        duration_ms: 3,
        status,
        error: None,
    };
    let late = tried(6, Some(500));
    store.delivered(&late, Next::Retry(50)).await.unwrap();
    assert!(store.due(49, 10).await.unwrap().is_empty());
    let due = store.due(50, 10).await.unwrap();
    assert_eq!((due[0].id.as_str(), due[0].tries), (message.id.as_str(), 1));
    let arrived = tried(51, Some(204));
    store.delivered(&arrived, Next::Delivered).await.unwrap();
    assert!(store.due(1000, 10).await.unwrap().is_empty());
    assert_eq!(store.deliveries("a").await.unwrap(), [late, arrived]);
    let again = store.redeliver("a", 60).await.unwrap().unwrap();
    assert_eq!(again.id, message.id);
    assert_eq!(store.due(60, 10).await.unwrap().len(), 1);
    assert_eq!(store.redeliver("none", 60).await.unwrap(), None);
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_nothing_waiting() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a", "b"]).await;
    let first = claimed(&store, 1000, 1100).await.unwrap();
    let again = Ending::Again {
        problem: "{}".to_owned(),
        not_before_ms: 1500,
    };
    assert!(store.end(&first.claim(), again, 1000).await.unwrap());
    let second = claimed(&store, 1000, 1100).await.unwrap();
    let failed = Ending::Failed("{}".to_owned());
    assert!(store.end(&second.claim(), failed, 1000).await.unwrap());
    // As far ahead as they may be: they wait on.
    store.hasten(1500, 1000, 900).await.unwrap();
    assert_eq!(claimed(&store, 900, 1100).await, None);
    assert_eq!(store.due(900, 10).await.unwrap(), []);
    // The clock says less than it did.
    store.hasten(600, 600, 100).await.unwrap();
    assert_eq!(claimed(&store, 100, 200).await.unwrap().id, "a");
    assert_eq!(store.due(100, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_old_is_forgotten() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a", "b", "c"]).await;
    let claim = claimed(&store, 1, 100).await.unwrap().claim();
    store.end(&claim, Ending::Done(kept("r")), 2).await.unwrap();
    store.cancel("b", 30).await.unwrap();
    // A job with its message, and its report.
    assert_eq!(store.forget(10, 0).await.unwrap(), 3);
    assert_eq!(store.job("a").await.unwrap(), None);
    assert_eq!(store.report("r").await.unwrap(), None);
    assert_eq!(status(&store, "b").await, JobStatus::Cancelled);
    assert_eq!(status(&store, "c").await, JobStatus::Queued);
}

#[tokio::test]
async fn no_database_at_all_is_an_error_that_names_the_file() {
    let bench = Bench::new();
    std::fs::write(bench.0.path().join("jaga.sqlite"), [7; 4096]).unwrap();
    let error = SqliteJobs::open(bench.0.path()).await.unwrap_err();
    assert!(error.to_string().contains("jaga.sqlite"), "{error}");
}

#[tokio::test]
async fn only_the_servers_user_may_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, &["a"]).await;
    for file in ["jaga.sqlite", "jaga.sqlite-wal"] {
        let facts = std::fs::metadata(bench.0.path().join(file)).unwrap();
        assert_eq!(facts.permissions().mode() & 0o777, 0o600, "{file}");
    }
}
