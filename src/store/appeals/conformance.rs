//! What each store of appeals has to do.

use super::*;
use crate::domain::lanes::Lane;
use crate::store::SqliteJobs;
use crate::store::jobs::{JobStore, KeptReport};
use crate::store::reports::{ReportStore, Span};

fn appeal(id: &str, report_id: &str) -> Appeal {
    Appeal {
        id: id.to_owned(),
        report_id: report_id.to_owned(),
        owner: "key".to_owned(),
        created_ms: 7,
        material: AppealMaterial::Frames,
        body: "{}".to_owned(),
    }
}

#[tokio::test]
async fn appeals_lie_beside_their_report_and_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteJobs::open(folder.path()).await.unwrap();
    let report = KeptReport {
        id: "first".to_owned(),
        owner: "key".to_owned(),
        lane: Lane::Live,
        asked_ms: 1,
        created_ms: 2,
        body: body(),
    };
    store.keep(report).await.unwrap();
    assert!(!store.appeal(&appeal("a", "nobody")).await.unwrap());
    for n in 0..MOST_APPEALS {
        assert!(
            store
                .appeal(&appeal(&format!("a{n}"), "first"))
                .await
                .unwrap()
        );
    }
    assert!(!store.appeal(&appeal("more", "first")).await.unwrap());
    assert_eq!(
        store.appealed("a3").await.unwrap(),
        Some(appeal("a3", "first"))
    );
    let all = store.appeals("first").await.unwrap();
    assert_eq!((all.len(), all[0].id.as_str()), (20, "a0"));
    // They are no reports.
    assert_eq!(store.report("a3").await.unwrap(), None);
    let span = Span::of_days(None, None);
    assert_eq!(store.number(&span, None).await.unwrap(), 1);
    store.forget(100, 100).await.unwrap();
    assert_eq!(store.report("first").await.unwrap(), None);
    assert_eq!(store.appeals("first").await.unwrap(), []);
}

/// A report, as far as a store looks into it.
fn body() -> String {
    "{\"score\":0.5}".to_owned()
}
