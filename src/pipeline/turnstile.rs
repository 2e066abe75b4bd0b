//! Places to work that lanes take by turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::lanes::{ByLane, Lane, Shares, Turns};

/// A number of places, and who waits for one. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Turnstile(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    taken: ByLane<usize>,
    lines: ByLane<VecDeque<oneshot::Sender<Place>>>,
    turns: Turns,
}

/// A place; given on when it goes.
#[derive(Debug)]
pub(super) struct Place {
    /// `None` once it is given on.
    of: Option<Turnstile>,
    lane: Lane,
}

impl Turnstile {
    pub(super) fn new(places: usize, shares: Shares) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: places,
            taken: ByLane::default(),
            lines: ByLane::default(),
            turns: Turns::new(shares),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Places that `lane` has.
    pub(super) fn taken(&self, lane: Lane) -> usize {
        *self.state().taken.at(lane)
    }

    /// A place, as soon as it is this caller's turn. Dropping the future gives the turn up.
    pub(super) async fn enter(&self, lane: Lane) -> Place {
        let turn = {
            let mut state = self.state();
            if let Some(free) = state.free.checked_sub(1) {
                state.free = free;
                return self.place(&mut state, lane);
            }
            let (give, turn) = oneshot::channel();
            state.lines.at_mut(lane).push_back(give);
            turn
        };
        match turn.await {
            Ok(place) => place,
            // The sender lies in the turnstile, which this future holds.
            Err(_) => std::future::pending().await,
        }
    }

    /// One more place of `lane`'s.
    fn place(&self, state: &mut State, lane: Lane) -> Place {
        let taken = state.taken.at_mut(lane);
        *taken = taken.saturating_add(1);
        Place {
            of: Some(self.clone()),
            lane,
        }
    }

    /// Gives the place that `lane` had to whoever's turn it is.
    fn pass_on(&self, lane: Lane) {
        let mut state = self.state();
        let mut last = lane;
        loop {
            let taken = state.taken.at_mut(last);
            *taken = taken.saturating_sub(1);
            let State { lines, turns, .. } = &mut *state;
            for lane in Lane::ALL {
                // Who has left takes no turn.
                lines.at_mut(lane).retain(|waiting| !waiting.is_closed());
            }
            let turn = turns.next(|lane| !lines.at(lane).is_empty());
            let next = turn.and_then(|lane| Some((lane, lines.at_mut(lane).pop_front()?)));
            let Some((lane, next)) = next else {
                state.free = state.free.saturating_add(1);
                return;
            };
            let Err(mut back) = next.send(self.place(&mut state, lane)) else {
                return;
            };
            // It left at this moment.
            back.of = None;
            last = lane;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(turnstile) = self.of.take() {
            turnstile.pass_on(self.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, poll};

    #[tokio::test]
    async fn a_place_goes_to_the_lane_whose_turn_it_is() {
        let turnstile = Turnstile::new(1, Shares::default());
        let mut held = Some(turnstile.enter(Lane::Backfill).await);
        let mut waiting: Vec<_> = [Lane::Backfill, Lane::Backfill, Lane::Live, Lane::Flagger]
            .map(|lane| (lane, Box::pin(turnstile.enter(lane))))
            .into();
        for (_, turn) in &mut waiting {
            assert!(poll!(turn).is_pending());
        }
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(held.take());
            for index in 0..waiting.len() {
                if let Some(place) = waiting[index].1.as_mut().now_or_never() {
                    held = Some(place);
                    order.push(waiting.remove(index).0);
                    break;
                }
            }
        }
        assert_eq!(order[..2], [Lane::Flagger, Lane::Live], "{order:?}");
        assert_eq!(turnstile.taken(Lane::Backfill), 1);
        drop(held);
        assert!(Lane::ALL.iter().all(|lane| turnstile.taken(*lane) == 0));
    }

    #[tokio::test]
    async fn who_leaves_the_line_loses_no_place() {
        let turnstile = Turnstile::new(1, Shares::default());
        let held = turnstile.enter(Lane::Live).await;
        let mut gone = Box::pin(turnstile.enter(Lane::Live));
        assert!(poll!(&mut gone).is_pending());
        drop(gone);
        // Given the place, and gone before it took it.
        let mut late = Box::pin(turnstile.enter(Lane::Live));
        assert!(poll!(&mut late).is_pending());
        drop(held);
        drop(late);
        assert_eq!(turnstile.taken(Lane::Live), 0);
        assert!(turnstile.enter(Lane::Backfill).now_or_never().is_some());
    }
}
