//! Entries that wait for a worker: a bounded line a lane, taken in batches by turns.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::lanes::{ByLane, Lane, Shares, Turns};

/// How entries become batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// Entries of one run at most.
    pub most: NonZeroUsize,
    /// How long an idle worker waits for a batch to fill, from its oldest entry's arrival.
    pub delay: Duration,
}

/// The lines of one pool. Callers push and wait for a place without a thread; workers block.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    places: ByLane<Arc<Semaphore>>,
}

#[derive(Debug)]
struct State<T> {
    lines: ByLane<VecDeque<Waiting<T>>>,
    turns: Turns,
    /// Workers that wait.
    idle: usize,
    closed: bool,
}

#[derive(Debug)]
struct Waiting<T> {
    entry: T,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

/// The queue takes nothing more.
#[derive(Debug)]
pub(super) struct Closed;

impl<T> Queue<T> {
    /// With `capacity` places a lane.
    pub(super) fn new(capacity: usize, shares: Shares) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            state: Mutex::new(State {
                lines: ByLane::of(|_| VecDeque::new()),
                turns: Turns::new(shares),
                idle: 0,
                closed: false,
            }),
            changed: Condvar::new(),
            places: ByLane::of(|_| Arc::new(Semaphore::new(capacity))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `entry` at the end of its lane's line as soon as that has a place.
    pub(super) async fn push(&self, lane: Lane, entry: T) -> Result<(), Closed> {
        let place = Arc::clone(self.places.at(lane)).acquire_owned().await;
        let place = place.map_err(|_| Closed)?;
        let mut state = self.state();
        if state.closed {
            return Err(Closed);
        }
        state.lines.at_mut(lane).push_back(Waiting {
            entry,
            since: Instant::now(),
            _place: place,
        });
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// The next batch, at least one entry, each with its time in the line; the lanes take turns.
    /// Entries that are not `wanted` any more are dropped. Idle workers share what there is, so
    /// that none stands by while another has two entries. `None` once the queue is closed and
    /// empty.
    pub(super) fn take(
        &self,
        batching: Batching,
        wanted: impl Fn(&T) -> bool,
    ) -> Option<Vec<(T, Duration)>> {
        let mut state = self.state();
        state.idle = state.idle.saturating_add(1);
        let batch = loop {
            let waiting = state.waiting();
            if waiting == 0 {
                if state.closed {
                    break None;
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = batching.delay.saturating_sub(state.longest_wait());
            if waiting < batching.most.get() && !left.is_zero() && !state.closed {
                let later = self.changed.wait_timeout(state, left);
                state = later.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let most = waiting.div_ceil(state.idle.max(1)).min(batching.most.get());
            let batch = state.pick(most, &wanted);
            if !batch.is_empty() {
                break Some(batch);
            }
        };
        state.idle = state.idle.saturating_sub(1);
        let more = state.waiting() > 0;
        drop(state);
        if more {
            self.changed.notify_one();
        }
        batch
    }

    /// Takes nothing more; what waits is still given out.
    pub(super) fn close(&self) {
        for lane in Lane::ALL {
            self.places.at(lane).close();
        }
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Entries that wait now.
    pub(super) fn len(&self) -> usize {
        self.state().waiting()
    }
}

impl<T> State<T> {
    fn waiting(&self) -> usize {
        let lines = Lane::ALL.iter().map(|lane| self.lines.at(*lane).len());
        lines.sum()
    }

    fn longest_wait(&self) -> Duration {
        let first = |lane: &Lane| self.lines.at(*lane).front().map(|first| first.since);
        let oldest = Lane::ALL.iter().filter_map(first).min();
        oldest.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn pick(&mut self, most: usize, wanted: impl Fn(&T) -> bool) -> Vec<(T, Duration)> {
        let mut batch = Vec::with_capacity(most);
        let lines = &mut self.lines;
        for lane in Lane::ALL {
            // One that nobody waits for takes no turn.
            lines.at_mut(lane).retain(|waiting| wanted(&waiting.entry));
        }
        while batch.len() < most {
            let lane = self.turns.next(|lane| !lines.at(lane).is_empty());
            let Some(first) = lane.and_then(|lane| lines.at_mut(lane).pop_front()) else {
                break;
            };
            batch.push((first.entry, first.since.elapsed()));
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(entries: &[(Lane, u32)]) -> Queue<u32> {
        let queue = Queue::new(100, Shares::default());
        for (lane, entry) in entries {
            futures_util::FutureExt::now_or_never(queue.push(*lane, *entry))
                .unwrap()
                .unwrap();
        }
        queue
    }

    fn batching(most: usize, delay_ms: u64) -> Batching {
        Batching {
            most: NonZeroUsize::new(most).unwrap(),
            delay: Duration::from_millis(delay_ms),
        }
    }

    fn taken(queue: &Queue<u32>, batching: Batching) -> Vec<u32> {
        let batch = queue.take(batching, |_| true).unwrap();
        batch.into_iter().map(|(entry, _)| entry).collect()
    }

    #[test]
    fn a_batch_is_what_waits_and_no_more_than_fits() {
        let queue = queue(&[(Lane::Live, 1), (Lane::Live, 2), (Lane::Live, 3)]);
        assert_eq!(taken(&queue, batching(2, 0)), [1, 2]);
        assert_eq!(taken(&queue, batching(2, 0)), [3]);
        queue.close();
        assert!(queue.take(batching(1, 0), |_| true).is_none());
    }

    #[test]
    fn lanes_take_turns_by_their_shares() {
        let entries: Vec<_> = (0..60)
            .map(|n| (Lane::Backfill, n))
            .chain((100..160).map(|n| (Lane::Live, n)))
            .collect();
        let queue = queue(&entries);
        let mut first = taken(&queue, batching(10, 0));
        assert_eq!(first.iter().filter(|n| **n >= 100).count(), 8, "{first:?}");
        first.retain(|n| *n < 100);
        assert_eq!(first, [0, 1], "in order of arrival within a lane");
    }

    #[test]
    fn what_nobody_waits_for_takes_no_place() {
        let queue = queue(&[(Lane::Live, 1), (Lane::Live, 2), (Lane::Live, 3)]);
        let batch = queue.take(batching(2, 0), |entry| *entry != 1).unwrap();
        let entries: Vec<_> = batch.into_iter().map(|(entry, _)| entry).collect();
        assert_eq!(entries, [2, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_delay_waits_for_a_full_batch_and_a_closed_queue_for_none() {
        let queue = queue(&[(Lane::Live, 1), (Lane::Live, 2)]);
        // Full: a delay of an hour is not waited for.
        assert_eq!(taken(&queue, batching(2, 3_600_000)), [1, 2]);
        // Its time is over: what there is leaves.
        futures_util::FutureExt::now_or_never(queue.push(Lane::Live, 3))
            .unwrap()
            .unwrap();
        assert_eq!(taken(&queue, batching(2, 1)), [3]);
        futures_util::FutureExt::now_or_never(queue.push(Lane::Live, 4))
            .unwrap()
            .unwrap();
        queue.close();
        assert_eq!(taken(&queue, batching(2, 3_600_000)), [4]);
    }

    #[test]
    fn a_late_one_fills_a_batch_that_waits() {
        let queue = queue(&[(Lane::Live, 1)]);
        let full = std::thread::scope(|scope| {
            let batch = scope.spawn(|| taken(&queue, batching(2, 3_600_000)));
            futures_util::FutureExt::now_or_never(queue.push(Lane::Flagger, 2))
                .unwrap()
                .unwrap();
            batch.join().unwrap()
        });
        assert_eq!(full, [2, 1]);
    }
}
