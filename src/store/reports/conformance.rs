//! What each store of reports has to do.

use super::*;
use crate::store::SqliteJobs;
use crate::store::jobs::{JobStore, KeptReport};

fn report(id: &str, lane: Lane, created_ms: Millis) -> KeptReport {
    KeptReport {
        id: id.to_owned(),
        owner: String::new(),
        lane,
        asked_ms: 0,
        created_ms,
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}

/// Ids of all pages of `limit`.
async fn walked(store: &dyn ReportStore, span: &Span, limit: u32) -> Vec<String> {
    let (mut after, mut ids) = (None, Vec::new());
    loop {
        let page = store.page(span, after, limit).await.unwrap();
        let Some(last) = page.last() else { return ids };
        after = Some(last.mark);
        ids.extend(page.into_iter().map(|listed| {
            assert_eq!(listed.body, format!("{{\"id\":\"{}\"}}", listed.id));
            listed.id
        }));
    }
}

#[tokio::test]
async fn pages_have_each_report_once_by_time_also_many_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteJobs::open(folder.path()).await.unwrap();
    // A clock that was set back: stored later, made earlier.
    for (id, lane, at) in [
        ("d", Lane::Live, 20),
        ("e", Lane::Flagger, 20),
        ("f", Lane::Live, 20),
        ("b", Lane::Backfill, 10),
        ("c", Lane::Live, 10),
        ("a", Lane::Live, 5),
        ("g", Lane::Live, 30),
    ] {
        store.keep(report(id, lane, at)).await.unwrap();
    }
    for limit in [1, 2, 3, 100] {
        let all = walked(&store, &Span::until(31), limit).await;
        assert_eq!(all.concat(), "abcdefg", "{limit}");
        let span = Span {
            from_ms: 10,
            until_ms: 30,
            lane: None,
        };
        assert_eq!(walked(&store, &span, limit).await.concat(), "bcdef");
        let lane = Some(Lane::Live);
        let live = walked(&store, &Span { lane, ..span }, limit).await;
        assert_eq!(live.concat(), "cdf");
        assert_eq!(store.number(&span, None).await.unwrap(), 5);
        let mark = store.page(&span, None, 2).await.unwrap()[1].mark;
        assert_eq!(store.number(&span, Some(mark)).await.unwrap(), 3);
    }
}
