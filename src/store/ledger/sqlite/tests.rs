//! What is done to the file behind the program's back, and reading beside a server.

use sqlx::sqlite::SqlitePool;

use crate::domain::audit::Break;
use crate::domain::review::Ruling;
use crate::domain::transparency::Cut;
use crate::domain::transparency::period::Period;
use crate::store::jobs::{JobStore, JobsError, SqliteJobs};
use crate::store::ledger::Ledger;
use crate::store::ledger::conformance::{Bench, MIDNIGHT, kept, review};

/// Four reports, of which the first may be deleted, and a decision on the second.
async fn filled(bench: &Bench, forgets: bool) -> SqliteJobs {
    let store = bench.open().await;
    for (place, id) in (0..).zip(["a", "b", "c", "d"]) {
        store
            .keep(kept(id, "label", MIDNIGHT + place))
            .await
            .unwrap();
    }
    store
        .review(review("b", Ruling::Overturned, MIDNIGHT))
        .await
        .unwrap();
    if forgets {
        store.forget(MIDNIGHT + 1, 0).await.unwrap();
    }
    store
}

async fn done(pool: &SqlitePool, statement: &'static str) {
    let done = sqlx::raw_sql(statement).execute(pool).await.unwrap();
    assert!(done.rows_affected() > 0, "{statement}");
}

#[tokio::test]
async fn the_first_break_is_named_whatever_was_changed() {
    for (statement, told) in [
        (
            "UPDATE chain SET subject = 'x' WHERE sequence = 3",
            "entry 3 (x) is not as it was written",
        ),
        (
            "DELETE FROM chain WHERE sequence = 2",
            "entry 3 stands where entry 2 belongs",
        ),
        (
            "UPDATE chain SET sequence = 9 WHERE sequence = 2; \
             UPDATE chain SET sequence = 2 WHERE sequence = 3; \
             UPDATE chain SET sequence = 3 WHERE sequence = 9;",
            "entry 2 (c) doesn't follow from the entry before it",
        ),
        (
            "UPDATE chain SET content_blake3 = (SELECT content_blake3 FROM chain WHERE sequence = 4) \
             WHERE sequence = 3",
            "entry 3 (c) is not as it was written",
        ),
        (
            "UPDATE ledger SET action = 'none' WHERE report = 'b'",
            "the counted record of report b of entry 2 is not as it was written",
        ),
        (
            "UPDATE ledger SET created_ms = created_ms + 86400000 WHERE report = 'a'",
            "the counted record of report a of entry 1 is not as it was written",
        ),
        (
            "UPDATE reports SET body = replace(body, '0.9', '0.1') WHERE id = 'c'",
            "the report c of entry 3 is not as it was written",
        ),
        (
            "DELETE FROM reports WHERE id = 'd'",
            "the report d of entry 4 is gone, and no entry says that it was deleted",
        ),
        (
            // That of another report's deletion.
            "DELETE FROM reports WHERE id = 'd'; UPDATE chain SET gone_by = 6 WHERE sequence = 4",
            "the report d of entry 4 is gone, and no entry says that it was deleted",
        ),
        (
            "DELETE FROM ledger WHERE report = 'a'",
            "the counted record of report a of entry 1 is gone, and no entry says that it was deleted",
        ),
        (
            "UPDATE reviews SET note = '' WHERE report = 'b'",
            "the decision on report b of entry 5 is not as it was written",
        ),
        (
            "DELETE FROM reviews",
            "the ruling that report b of entry 2 is counted by isn't the last one",
        ),
        (
            "UPDATE ledger SET ruling = NULL WHERE report = 'b'",
            "the ruling that report b of entry 2 is counted by isn't the last one",
        ),
        (
            "UPDATE ledger SET ruling = NULL; DELETE FROM reviews",
            "the decision on report b of entry 5 is gone, and no entry says that it was deleted",
        ),
        (
            "INSERT INTO ledger SELECT 99, 'x', report_blake3, media_blake3, is_still, lane, policy, \
             policy_version, rule, rule_score, rule_threshold, action, verdict, score, asked_ms, \
             created_ms, NULL, NULL FROM ledger LIMIT 1",
            "no entry vouches for the counted record of report x",
        ),
        (
            "INSERT INTO reviews SELECT 99, 'c', ruling, reviewer, key, note, appeal, decided_ms \
             FROM reviews; UPDATE ledger SET ruling = 'overturned' WHERE report = 'c'",
            "no entry vouches for the decision on report c",
        ),
        (
            "INSERT INTO reports SELECT 99, 'x', owner, lane, asked_ms, created_ms, body \
             FROM reports LIMIT 1",
            "no entry vouches for the report x",
        ),
    ] {
        let bench = Bench::new();
        let store = filled(&bench, true).await;
        assert_eq!(store.audit(None).await.unwrap().broken, None);
        done(&store.writer, statement).await;
        let audit = store.audit(None).await.unwrap();
        assert_eq!(
            audit.broken.map(|broken| broken.to_string()).as_deref(),
            Some(told),
            "{statement}"
        );
    }
}

#[tokio::test]
async fn what_is_cut_off_at_the_end_shows_in_the_head_alone() {
    let bench = Bench::new();
    let store = filled(&bench, false).await;
    let head = store.head().await.unwrap();
    done(
        &store.writer,
        "DELETE FROM chain WHERE sequence > 3; DELETE FROM reviews; \
         UPDATE ledger SET ruling = NULL; DELETE FROM ledger WHERE report = 'd'; \
         DELETE FROM reports WHERE id = 'd';",
    )
    .await;
    assert_eq!(store.audit(None).await.unwrap().broken, None);
    let audit = store.audit(Some(&head.hash)).await.unwrap();
    assert!(matches!(audit.broken, Some(Break::Head { .. })));
    assert_eq!((audit.met, audit.head.entries), (None, 3));
}

#[tokio::test]
async fn reports_of_before_there_was_a_ledger_are_counted_at_the_next_start() {
    let bench = Bench::new();
    let store = bench.open().await;
    for place in 0..1203 {
        let report = kept(&format!("r{place}"), "label", MIDNIGHT + place);
        store.keep(report).await.unwrap();
    }
    done(
        &store.writer,
        "DROP TABLE chain; DROP TABLE ledger; DROP TABLE reviews; DROP TABLE uncounted; \
         DELETE FROM _sqlx_migrations WHERE version = 2",
    )
    .await;
    let early = SqliteJobs::read(bench.0.path()).await;
    assert!(matches!(early, Err(JobsError::OtherForm { .. })));
    drop(store);
    let store = bench.open().await;
    let audit = store.audit(None).await.unwrap();
    assert_eq!((audit.broken, audit.reports), (None, 1203));
}

fn files(bench: &Bench) -> Vec<String> {
    let entries = std::fs::read_dir(bench.0.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn total(store: &SqliteJobs) -> u64 {
    let day = |text: &str| text.parse().unwrap();
    let period = Period::new(day("2026-01-01"), day("2027-01-01")).unwrap();
    store.count(&period, Cut::default()).await.unwrap().0.total
}

#[tokio::test]
async fn a_store_is_read_beside_its_server_and_without_one_and_nothing_is_made() {
    let bench = Bench::new();
    let none = SqliteJobs::read(bench.0.path()).await;
    assert!(matches!(none, Err(JobsError::NoStore { .. })));
    assert!(files(&bench).is_empty());
    let server = filled(&bench, true).await;
    let reader = SqliteJobs::read(bench.0.path()).await.unwrap();
    assert_eq!(total(&reader).await, 4);
    // It sees what the server goes on to write, and writes nothing.
    server.keep(kept("e", "none", MIDNIGHT)).await.unwrap();
    assert_eq!(total(&reader).await, 5);
    assert_eq!(reader.audit(None).await.unwrap().broken, None);
    assert!(reader.keep(kept("f", "none", MIDNIGHT)).await.is_err());
    reader.readers.close().await;
    // What a killed server leaves.
    let killed = Bench::new();
    for name in files(&bench) {
        std::fs::copy(bench.0.path().join(&name), killed.0.path().join(&name)).unwrap();
    }
    // Who closes last takes the log along, if it may write.
    server.readers.close().await;
    server.writer.close().await;
    let rest = files(&bench);
    assert!(!rest.contains(&"jaga.sqlite-wal".to_owned()), "{rest:?}");
    for (bench, names) in [(&bench, rest), (&killed, files(&killed))] {
        let reader = SqliteJobs::read(bench.0.path()).await.unwrap();
        assert_eq!(total(&reader).await, 5);
        reader.readers.close().await;
        assert_eq!(files(bench), names);
    }
    std::fs::remove_file(killed.0.path().join("jaga.sqlite-shm")).unwrap();
    let read = SqliteJobs::read(killed.0.path()).await;
    assert!(matches!(read, Err(JobsError::NoIndex { .. })));
}
