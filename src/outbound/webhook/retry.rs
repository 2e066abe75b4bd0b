//! When a delivery that failed is tried again: the waits that Standard Webhooks suggests, within a
//! day.

use std::time::Duration;

/// Seconds from one attempt to the next: 5 s, 5 min, 30 min, 2 h, 5 h, 8 h, 8 h; 23 h 35 min together.
const WAITS_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 28_800, 28_800];
/// Attempts of one delivery, the first at once.
pub const ATTEMPTS: usize = WAITS_S.len() + 1;
/// From the first attempt to the last one, at most; so no wait is longer.
pub const A_DAY: Duration = Duration::from_hours(24);
/// Part of a wait that jitter may take away.
const JITTER: f64 = 0.2;

/// How long to wait after `failed` attempts (1 or more), the first of which was `since_first` ago;
/// `None`: not again. `jitter` in 0..=1, drawn for each wait, shortens it by up to a fifth, so that
/// what failed together doesn't come back together. A receiver's `Retry-After` makes a wait longer,
/// never shorter, and never leads beyond a day.
pub fn wait(
    failed: usize,
    since_first: Duration,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let planned = *WAITS_S.get(failed.checked_sub(1)?)?;
    let part = 1.0 - JITTER * jitter.clamp(0.0, 1.0);
    let planned = Duration::from_secs(planned).mul_f64(part);
    let wait = planned.max(retry_after.unwrap_or_default());
    (since_first.saturating_add(wait) <= A_DAY).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempts_spread_over_a_day_and_end() {
        let mut at = Duration::ZERO;
        let mut times = vec![0];
        for failed in 1..100 {
            let Some(wait) = wait(failed, at, None, 0.0) else {
                break;
            };
            at += wait;
            times.push(at.as_secs());
        }
        assert_eq!(times, [0, 5, 305, 2105, 9305, 27_305, 56_105, 84_905]);
        assert_eq!(times.len(), ATTEMPTS);
    }

    #[test]
    fn jitter_only_shortens_and_only_by_a_fifth() {
        for failed in 1..ATTEMPTS {
            let [long, middle, short] =
                [0.0, 0.5, 1.0].map(|j| wait(failed, Duration::ZERO, None, j).unwrap());
            assert!(long > middle && middle > short);
            assert_eq!(short, long.mul_f64(0.8));
        }
        let wild = wait(1, Duration::ZERO, None, 7.0).unwrap();
        assert_eq!(wild, Duration::from_secs(4));
    }

    #[test]
    fn retry_after_makes_it_longer_within_the_day() {
        let asked = |seconds| wait(1, Duration::ZERO, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(asked(1), Some(Duration::from_secs(5)));
        assert_eq!(asked(60), Some(Duration::from_mins(1)));
        assert_eq!(asked(86_400), Some(A_DAY));
        assert_eq!(asked(86_401), None);
        assert_eq!(asked(u64::MAX), None);
        assert_eq!(wait(2, A_DAY, None, 1.0), None);
        assert_eq!(wait(0, Duration::ZERO, None, 0.0), None);
    }
}
