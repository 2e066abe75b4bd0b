//! Who may come in: a full waiting room is answered at once, a place to work is awaited.

use std::sync::Arc;

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};

use super::config::AnalysisConfig;
use super::error::AnalyzeError;
use super::turnstile::{Place, Turnstile};
use crate::domain::lanes::{ByLane, Lane, Shares};

/// The waiting rooms, one a lane, and the places to work, which lanes take by turns.
#[derive(Debug, Clone)]
pub struct Admission {
    rooms: ByLane<Arc<Semaphore>>,
    work: Turnstile,
    /// Of one room, the places to work among it.
    size: usize,
    places: usize,
    deadlines: ByLane<Duration>,
}

/// A place in a lane's waiting room, held from before the upload is read until the report is out.
#[derive(Debug)]
pub struct Ticket {
    lane: Lane,
    /// `None` for work that waits elsewhere until there is a place.
    _room: Option<OwnedSemaphorePermit>,
}

/// The right to analyse one upload now, until its deadline; passed to [`super::Pipeline::analyze`] and given back when
/// that ends or is dropped.
#[derive(Debug)]
pub struct Permit {
    ticket: Ticket,
    _work: Place,
    pub(super) deadline: Deadline,
}

/// From when to when an analysis may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) begin: Instant,
    pub(super) at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The error of passing it.
    pub(super) fn passed(self) -> AnalyzeError {
        AnalyzeError::Deadline {
            limit_s: self.limit.as_secs_f64(),
        }
    }
}

impl Permit {
    /// In whose turn the analysis waits wherever it has to.
    pub(super) fn lane(&self) -> Lane {
        self.ticket.lane
    }
}

impl Admission {
    /// Room for `config.queue` waiting requests a lane and `config.concurrency()` running ones.
    pub fn new(config: &AnalysisConfig, shares: Shares) -> Self {
        let places = config.concurrency();
        let size = config
            .queue
            .saturating_add(places)
            .min(Semaphore::MAX_PERMITS);
        Self {
            rooms: ByLane::of(|_| Arc::new(Semaphore::new(size))),
            work: Turnstile::new(places, shares),
            size,
            places,
            deadlines: ByLane::of(|lane| config.deadline(lane)),
        }
    }

    /// A place in the waiting room of `lane`, or at once an error.
    pub fn enter(&self, lane: Lane) -> Result<Ticket, AnalyzeError> {
        match Arc::clone(self.rooms.at(lane)).try_acquire_owned() {
            Ok(room) => Ok(Ticket {
                lane,
                _room: Some(room),
            }),
            Err(TryAcquireError::NoPermits) => Err(AnalyzeError::Overloaded { waiting: self.size }),
            Err(TryAcquireError::Closed) => Err(AnalyzeError::Draining),
        }
    }

    /// Waits for a place to work. The analysis' time starts now: its upload is complete.
    pub async fn work(&self, ticket: Ticket) -> Result<Permit, AnalyzeError> {
        let deadline = self.deadline(ticket.lane);
        let work = timeout_at(deadline.at, self.work.enter(ticket.lane)).await;
        Ok(Permit {
            _work: work.map_err(|_| deadline.passed())?,
            ticket,
            deadline,
        })
    }

    /// Waits for a place to work, however long that takes: for work whose waiting room is not
    /// here. Its time starts when it has the place.
    pub async fn place(&self, lane: Lane) -> Permit {
        let work = self.work.enter(lane).await;
        Permit {
            _work: work,
            ticket: Ticket { lane, _room: None },
            deadline: self.deadline(lane),
        }
    }

    fn deadline(&self, lane: Lane) -> Deadline {
        let begin = Instant::now();
        let limit = *self.deadlines.at(lane);
        Deadline {
            begin,
            at: begin + limit,
            limit,
        }
    }

    /// Lets nobody in any more; those inside go on.
    pub fn close(&self) {
        for lane in Lane::ALL {
            self.rooms.at(lane).close();
        }
    }

    /// Requests of `lane` that hold a place to work.
    pub fn running(&self, lane: Lane) -> usize {
        self.work.taken(lane)
    }

    /// Requests of one lane that may be inside, and of all lanes that may work, at the same time.
    pub fn capacity(&self) -> (usize, usize) {
        (self.size, self.places)
    }

    /// Requests of `lane` that are inside, waiting or running.
    pub fn inside(&self, lane: Lane) -> usize {
        let free = self.rooms.at(lane).available_permits();
        self.size.saturating_sub(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(queue: usize, concurrency: usize) -> Admission {
        Admission::new(
            &AnalysisConfig {
                queue,
                concurrency,
                ..AnalysisConfig::default()
            },
            Shares::default(),
        )
    }

    #[tokio::test]
    async fn a_full_room_is_answered_at_once_and_a_place_comes_back() {
        let admission = admission(1, 1);
        let first = admission
            .work(admission.enter(Lane::Live).unwrap())
            .await
            .unwrap();
        let second = admission.enter(Lane::Live).unwrap();
        assert!(matches!(
            admission.enter(Lane::Live),
            Err(AnalyzeError::Overloaded { waiting: 2 })
        ));
        drop(second);
        assert!(admission.enter(Lane::Live).is_ok());
        drop(first);
        assert_eq!(admission.inside(Lane::Live), 0);
    }

    #[tokio::test]
    async fn work_is_awaited() {
        let admission = admission(1, 1);
        let first = admission
            .work(admission.enter(Lane::Live).unwrap())
            .await
            .unwrap();
        let ticket = admission.enter(Lane::Live).unwrap();
        let waiting = tokio::spawn({
            let admission = admission.clone();
            async move { admission.work(ticket).await.is_ok() }
        });
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[test]
    fn a_closed_room_drains() {
        let admission = admission(1, 1);
        admission.close();
        assert!(matches!(
            admission.enter(Lane::Live),
            Err(AnalyzeError::Draining)
        ));
    }
}
