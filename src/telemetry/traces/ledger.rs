//! How often failures of the export are told.

use std::time::{Duration, Instant};

/// Between two lines about failures.
const SILENCE: Duration = Duration::from_mins(1);

/// What was lost since the last line, and when that was.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lost: usize,
    told: Option<Instant>,
    failing: bool,
}

impl Ledger {
    /// So many spans are lost at `now`; how many to tell of, when it is time to.
    pub(super) fn failed(&mut self, spans: usize, now: Instant) -> Option<usize> {
        self.lost = self.lost.saturating_add(spans);
        self.failing = true;
        let silent = self
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < SILENCE);
        if silent {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.lost))
    }

    /// Whether this is the first success after a failure that was told.
    pub(super) fn succeeded(&mut self) -> bool {
        let again = self.failing && self.lost == 0;
        self.failing = self.failing && !again;
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_is_gone_is_told_once_a_minute() {
        let (mut ledger, begin) = (Ledger::default(), Instant::now());
        assert!(!ledger.succeeded(), "nothing had failed");
        assert_eq!(ledger.failed(3, begin), Some(3));
        assert_eq!(ledger.failed(4, begin + Duration::from_secs(1)), None);
        assert_eq!(ledger.failed(5, begin + Duration::from_secs(59)), None);
        assert_eq!(ledger.failed(1, begin + Duration::from_mins(1)), Some(10));
        assert!(ledger.succeeded());
        assert!(!ledger.succeeded(), "it is told once");
    }

    #[test]
    fn one_that_comes_and_goes_is_told_no_oftener() {
        let (mut ledger, begin) = (Ledger::default(), Instant::now());
        assert_eq!(ledger.failed(1, begin), Some(1));
        assert!(ledger.succeeded());
        for second in 1..60 {
            let now = begin + Duration::from_secs(second);
            assert_eq!(ledger.failed(1, now), None);
            assert!(!ledger.succeeded());
        }
    }
}
