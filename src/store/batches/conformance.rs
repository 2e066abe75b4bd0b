//! What each batch store has to do.

use super::*;
use crate::domain::job::{JobStatus, Step};
use crate::domain::lanes::Lane;
use crate::store::jobs::{Content, Ending, Idempotency, Job, JobStore, KeptReport, NewJob};
use crate::store::{SqliteJobs, Store};

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

fn new(id: &str, lines: u64) -> NewBatch {
    NewBatch {
        id: id.to_owned(),
        owner: "key".to_owned(),
        client_ref: None,
        blake3: "hash".to_owned(),
        bytes: 10 * lines,
        lines,
        idempotency: None,
    }
}

/// Line `number` of batch `id`, ten bytes each.
fn item(id: &str, number: u64) -> NewItem {
    NewItem {
        item_id: format!("line-{number}"),
        job: NewJob {
            id: format!("{id}-{number}"),
            owner: "key".to_owned(),
            lane: Lane::Backfill,
            wishes: "{}".to_owned(),
            client_ref: Some(format!("ref-{number}")),
            callback_url: None,
            content: Content::Url("https://example.org/a".to_owned()),
            idempotency: None,
            flag: None,
        },
    }
}

fn place(lines: u64) -> Place {
    Place {
        bytes: 10 * lines,
        lines,
    }
}

async fn accepted(store: &dyn Store, id: &str, lines: u64) -> Batch {
    let (batch, is_new) = store.submit_batch(new(id, lines), 100, 1).await.unwrap();
    assert!(is_new);
    batch
}

async fn fed(store: &dyn Store, id: &str, from: u64, to: u64) -> bool {
    let items = (from..to).map(|number| item(id, number)).collect();
    let fed = store.feed(id, place(from), place(to), items, 2).await;
    fed.unwrap()
}

async fn claimed(store: &dyn Store) -> Option<Job> {
    let job = store.claim(Lane::Backfill, Step::Fetch, 5, 100).await;
    job.unwrap()
}

async fn ended(store: &dyn Store, job: &Job, ending: Ending, now: Millis) {
    assert!(store.end(&job.claim(), ending, now).await.unwrap());
}

fn done(report: &str) -> Ending {
    Ending::Done(KeptReport {
        id: report.to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Backfill,
        asked_ms: 1,
        created_ms: 2,
        body: "{}".to_owned(),
    })
}

async fn batch(store: &dyn Store, id: &str) -> Batch {
    store.batch(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn lines_become_jobs_once_and_together_with_the_place() {
    let bench = Bench::new();
    let store = bench.open().await;
    let new = accepted(&store, "b", 3).await;
    assert_eq!((new.counts.lines, new.counts.queued()), (3, 3));
    let (hungry, live) = store.hungry().await.unwrap();
    assert_eq!((hungry.len(), hungry[0].place, live), (1, place(0), 0));
    assert_eq!(store.waiting_lines().await.unwrap(), 3);
    assert!(fed(&store, "b", 0, 2).await);
    // Whoever read the manifest from the same place is late.
    assert!(!fed(&store, "b", 0, 3).await);
    drop(store);
    let store = bench.open().await;
    let (hungry, live) = store.hungry().await.unwrap();
    assert_eq!((hungry[0].place, hungry[0].live, live), (place(2), 2, 2));
    assert_eq!(store.waiting_lines().await.unwrap(), 3);
    let job = store.job("b-1").await.unwrap().unwrap();
    let of_batch = ("b".to_owned(), "line-1".to_owned());
    assert_eq!((job.item, job.status), (Some(of_batch), JobStatus::Queued));
    // Lines that can't be jobs leave the place where it was.
    let twice = vec![item("b", 2), item("b", 2)];
    assert!(store.feed("b", place(2), place(3), twice, 2).await.is_err());
    assert!(fed(&store, "b", 2, 3).await);
    assert_eq!(store.hungry().await.unwrap().0, []);
}

#[tokio::test]
async fn results_come_in_the_order_of_completion_and_go_on_after_any() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, "b", 4).await;
    accepted(&store, "other", 1).await;
    fed(&store, "b", 0, 4).await;
    fed(&store, "other", 0, 1).await;
    let mut jobs = Vec::new();
    while let Some(job) = claimed(&store).await {
        jobs.push(job);
    }
    assert_eq!(batch(&store, "b").await.counts.running, 4);
    assert_eq!(batch(&store, "b").await.started_ms, Some(5));
    ended(&store, &jobs[2], done("r2"), 7).await;
    // A clock that is set back changes nothing of the order.
    ended(
        &store,
        &jobs[0],
        Ending::Failed("{\"code\":\"x\"}".to_owned()),
        6,
    )
    .await;
    ended(&store, &jobs[4], done("r4"), 8).await;
    let half = batch(&store, "b").await;
    assert_eq!(
        (half.counts.done, half.counts.failed, half.counts.running),
        (1, 1, 2)
    );
    assert_eq!((half.counts.over(), half.finished_ms), (2, None));
    assert_eq!(
        half.recent,
        Some(Recent {
            results: 2,
            since_ms: 5
        })
    );
    ended(&store, &jobs[3], done("r3"), 9).await;
    store.cancel(&jobs[1].id, 10).await.unwrap();
    let whole = batch(&store, "b").await;
    assert_eq!((whole.finished_ms, whole.counts.cancelled), (Some(10), 1));
    let results = store.results("b", 0, 10).await.unwrap();
    let ids: Vec<&str> = results.iter().map(|r| r.item_id.as_str()).collect();
    assert_eq!(ids, ["line-2", "line-0", "line-3", "line-1"]);
    assert_eq!(results[0].report_id.as_deref(), Some("r2"));
    assert_eq!(results[0].client_ref.as_deref(), Some("ref-2"));
    assert_eq!(results[1].problem.as_deref(), Some("{\"code\":\"x\"}"));
    assert_eq!(results[3].status, JobStatus::Cancelled);
    let rest = store.results("b", results[1].seq, 1).await.unwrap();
    assert_eq!(rest, results[2..3]);
    assert_eq!(store.results("other", 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_attempt_that_lost_its_lease_adds_no_result() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, "b", 1).await;
    fed(&store, "b", 0, 1).await;
    let slow = claimed(&store).await.unwrap();
    store.sweep(Millis::MAX, 6, 3, "{}").await.unwrap();
    let quick = claimed(&store).await.unwrap();
    assert!(!store.end(&slow.claim(), done("slow"), 7).await.unwrap());
    ended(&store, &quick, done("quick"), 8).await;
    let results = store.results("b", 0, 10).await.unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].report_id.as_deref(), Some("quick"));
}

#[tokio::test]
async fn a_cancelled_batch_ends_at_once_and_takes_no_more_lines() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, "b", 5).await;
    fed(&store, "b", 0, 3).await;
    let first = claimed(&store).await.unwrap();
    ended(&store, &first, done("r"), 6).await;
    let running = claimed(&store).await.unwrap();
    let mut ended = store.cancel_batch("b", 9).await.unwrap().unwrap();
    ended.sort();
    assert_eq!(ended, ["b-1", "b-2"]);
    let over = batch(&store, "b").await;
    assert_eq!((over.cancelled_ms, over.finished_ms), (Some(9), Some(9)));
    assert_eq!((over.counts.done, over.counts.cancelled), (1, 4));
    assert_eq!((over.counts.queued(), over.counts.running), (0, 0));
    assert_eq!(store.waiting_lines().await.unwrap(), 0);
    assert!(!store.end(&running.claim(), done("late"), 10).await.unwrap());
    assert!(!fed(&store, "b", 3, 5).await);
    assert_eq!(store.cancel_batch("b", 11).await.unwrap(), Some(Vec::new()));
    assert_eq!(batch(&store, "b").await, over);
    assert_eq!(store.cancel_batch("none", 11).await.unwrap(), None);
    // One of which nothing was begun.
    accepted(&store, "c", 2).await;
    store.cancel_batch("c", 12).await.unwrap();
    assert_eq!(batch(&store, "c").await.finished_ms, Some(12));
}

#[tokio::test]
async fn a_manifest_that_is_gone_fails_the_rest_of_its_lines() {
    let bench = Bench::new();
    let store = bench.open().await;
    accepted(&store, "b", 5).await;
    fed(&store, "b", 0, 1).await;
    store.abandon("b", "{}", 6).await.unwrap();
    store.abandon("b", "{}", 7).await.unwrap();
    let left = batch(&store, "b").await;
    assert_eq!((left.counts.failed, left.finished_ms), (4, None));
    assert!(!fed(&store, "b", 1, 5).await);
    let job = claimed(&store).await.unwrap();
    ended(&store, &job, done("r"), 8).await;
    let over = batch(&store, "b").await;
    assert_eq!(
        (over.finished_ms, over.problem.as_deref()),
        (Some(8), Some("{}"))
    );
}

#[tokio::test]
async fn an_owner_has_so_many_open_batches() {
    let bench = Bench::new();
    let store = bench.open().await;
    for id in ["a", "b"] {
        store.submit_batch(new(id, 1), 2, 0).await.unwrap();
    }
    let full = store.submit_batch(new("c", 1), 2, 0).await;
    assert!(matches!(full, Err(JobsError::TooManyBatches { limit: 2 })));
    let other = NewBatch {
        owner: "other".to_owned(),
        ..new("d", 1)
    };
    store.submit_batch(other, 2, 0).await.unwrap();
    store.cancel_batch("a", 1).await.unwrap();
    store.submit_batch(new("c", 1), 2, 0).await.unwrap();
    let list = async |filter: BatchFilter| -> Vec<String> {
        let batches = store.batches(&filter).await.unwrap();
        batches.into_iter().map(|batch| batch.id).collect()
    };
    let mine = BatchFilter {
        owner: Some("key".to_owned()),
        before: None,
        limit: 2,
    };
    assert_eq!(list(mine.clone()).await, ["c", "b"]);
    let before = Some(batch(&store, "b").await.seq);
    assert_eq!(list(BatchFilter { before, ..mine }).await, ["a"]);
    let all = BatchFilter {
        limit: 10,
        ..BatchFilter::default()
    };
    assert_eq!(list(all).await, ["c", "d", "b", "a"]);
}

#[tokio::test]
async fn the_same_request_is_the_same_batch() {
    let bench = Bench::new();
    let store = bench.open().await;
    let with_key = |id: &str, fingerprint: &str| NewBatch {
        idempotency: Some(Idempotency {
            key: "k".to_owned(),
            fingerprint: fingerprint.to_owned(),
            since_ms: 0,
        }),
        ..new(id, 1)
    };
    assert!(
        store
            .submit_batch(with_key("a", "f"), 1, 0)
            .await
            .unwrap()
            .1
    );
    let (again, is_new) = store.submit_batch(with_key("b", "f"), 1, 0).await.unwrap();
    assert_eq!((again.id.as_str(), is_new), ("a", false));
    let conflict = store.submit_batch(with_key("c", "g"), 1, 0).await;
    assert!(matches!(conflict, Err(JobsError::IdempotencyConflict)));
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_results_outlive_their_jobs() {
    let bench = Bench::new();
    let store = bench.open().await;
    for id in ["a", "b"] {
        accepted(&store, id, 1).await;
        fed(&store, id, 0, 1).await;
    }
    store.cancel_batch("a", 5).await.unwrap();
    store.forget(10, 0).await.unwrap();
    assert_eq!(store.job("a-0").await.unwrap(), None);
    assert_eq!(store.results("a", 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.forget_batches(5).await.unwrap(), 0);
    assert_eq!(store.forget_batches(10).await.unwrap(), 2);
    assert_eq!(store.batch("a").await.unwrap(), None);
    assert_eq!(store.results("a", 0, 10).await.unwrap(), []);
    assert!(store.batch("b").await.unwrap().is_some());
}
