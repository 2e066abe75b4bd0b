//! What each store of scores has to do.

use super::*;
use crate::store::SqliteJobs;

fn bundle(model: &str, sha256: &str) -> Bundle {
    Bundle {
        model: model.to_owned(),
        sha256: sha256.to_owned(),
    }
}

fn scores(of: &[(&str, &str, f64)]) -> Scores {
    let mut scores = Scores::new();
    for (model, sha256, score) in of {
        scores.entry(bundle(model, sha256)).or_default().add(*score);
    }
    scores
}

#[tokio::test]
async fn scores_add_up_over_days_and_bundles_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteJobs::open(folder.path()).await.unwrap();
    let first = scores(&[("a", "1", 0.1), ("a", "1", 0.1), ("b", "1", 0.9)]);
    store.add_scores(10, &first).await.unwrap();
    store
        .add_scores(10, &scores(&[("a", "1", 0.1)]))
        .await
        .unwrap();
    store
        .add_scores(11, &scores(&[("a", "1", 0.5), ("a", "2", 0.5)]))
        .await
        .unwrap();
    drop(store);
    let store = SqliteJobs::open(folder.path()).await.unwrap();
    let all = store.scores(10).await.unwrap();
    assert_eq!(all.len(), 3);
    let a = all[&bundle("a", "1")];
    assert_eq!((a.counts()[2], a.counts()[10], a.total()), (3, 1, 4));
    assert_eq!(all[&bundle("b", "1")].counts()[18], 1);
    let last = store.scores(11).await.unwrap();
    assert_eq!(last, scores(&[("a", "1", 0.5), ("a", "2", 0.5)]));
    assert_eq!(store.forget_scores(11).await.unwrap(), 2);
    assert_eq!(store.scores(0).await.unwrap(), last);
}

#[tokio::test]
async fn somebody_may_read_beside_the_server() {
    let folder = tempfile::tempdir().unwrap();
    assert!(SqliteJobs::read(folder.path()).await.is_err());
    let server = SqliteJobs::open(folder.path()).await.unwrap();
    let reader = SqliteJobs::read(folder.path()).await.unwrap();
    server
        .add_scores(1, &scores(&[("a", "1", 0.1)]))
        .await
        .unwrap();
    assert_eq!(reader.scores(0).await.unwrap().len(), 1);
    assert!(
        reader
            .add_scores(1, &scores(&[("a", "1", 0.1)]))
            .await
            .is_err()
    );
}
