//! How fast a batch goes, and when it will be over.

use crate::store::batches::Batch;
use crate::store::jobs::Millis;

/// The pace of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Lines a second: of the newest thousand results up to now; of all, once the batch is over.
    pub lines_per_s: f64,
    /// Seconds for the lines that are left at that pace; 0 once the batch is over.
    pub remaining_s: f64,
}

impl Pace {
    /// `None` before the first result.
    pub fn of(batch: &Batch, now: Millis) -> Option<Self> {
        let counts = &batch.counts;
        let left = counts.lines.saturating_sub(counts.over());
        let (results, since, until) = match (batch.finished_ms, batch.started_ms) {
            (Some(finished), Some(started)) => {
                let results = counts.done.saturating_add(counts.failed);
                (results, started, finished)
            }
            (Some(_), None) => return None,
            (None, _) => {
                let recent = batch.recent?;
                (recent.results, recent.since_ms, now)
            }
        };
        if results == 0 {
            return None;
        }
        // A clock that was set back makes no negative pace.
        let elapsed_ms = until.saturating_sub(since).max(1);
        let lines_per_s = results as f64 * 1000.0 / elapsed_ms as f64;
        Some(Self {
            lines_per_s,
            remaining_s: left as f64 / lines_per_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::batches::{Counts, Recent};

    fn batch(done: u64, recent: Option<Recent>, finished_ms: Option<Millis>) -> Batch {
        Batch {
            seq: 1,
            id: "b".to_owned(),
            owner: String::new(),
            client_ref: None,
            blake3: String::new(),
            bytes: 0,
            counts: Counts {
                lines: 5000,
                fed: 5000,
                done,
                ..Counts::default()
            },
            created_ms: 0,
            started_ms: Some(10_000),
            cancelled_ms: None,
            finished_ms,
            problem: None,
            recent,
        }
    }

    #[test]
    fn the_pace_is_of_the_newest_results_and_in_the_end_of_all() {
        assert_eq!(Pace::of(&batch(0, None, None), 20_000), None);
        let recent = Recent {
            results: 1000,
            since_ms: 15_000,
        };
        let pace = Pace::of(&batch(3000, Some(recent), None), 20_000).unwrap();
        assert_eq!((pace.lines_per_s, pace.remaining_s), (200.0, 10.0));
        let over = Pace::of(&batch(5000, Some(recent), Some(60_000)), 99_000).unwrap();
        assert_eq!((over.lines_per_s, over.remaining_s), (100.0, 0.0));
        // One that stands still gets slower, and none is negative.
        let later = Pace::of(&batch(3000, Some(recent), None), 25_000).unwrap();
        assert!(later.lines_per_s < pace.lines_per_s);
        let back = Pace::of(&batch(3000, Some(recent), None), 0).unwrap();
        assert!(back.lines_per_s > 0.0);
    }
}
