//! Who may come in: a full waiting room is answered at once, a place to work is awaited.

use std::sync::Arc;

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};

use super::config::AnalysisConfig;
use super::error::AnalyzeError;

/// The waiting room and the places to work.
#[derive(Debug, Clone)]
pub struct Admission {
    room: Arc<Semaphore>,
    work: Arc<Semaphore>,
    size: usize,
    places: usize,
    deadline_s: f64,
}

/// A place in the waiting room, held from before the upload is read until the report is out.
#[derive(Debug)]
pub struct Ticket {
    _room: OwnedSemaphorePermit,
}

/// The right to analyse one upload now, until its deadline; passed to [`super::Pipeline::analyze`] and given back when
/// that ends or is dropped.
#[derive(Debug)]
pub struct Permit {
    _ticket: Ticket,
    _work: OwnedSemaphorePermit,
    pub(super) deadline: Deadline,
}

/// From when to when an analysis may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) begin: Instant,
    pub(super) at: Instant,
    limit_s: f64,
}

impl Deadline {
    /// The error of passing it.
    pub(super) fn passed(self) -> AnalyzeError {
        AnalyzeError::Deadline {
            limit_s: self.limit_s,
        }
    }
}

impl Admission {
    /// Room for `config.queue` waiting and `config.concurrency()` running requests.
    pub fn new(config: &AnalysisConfig) -> Self {
        let running = config.concurrency();
        let size = config
            .queue
            .saturating_add(running)
            .min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(size)),
            work: Arc::new(Semaphore::new(running)),
            size,
            places: running,
            deadline_s: config.deadline_s,
        }
    }

    /// A place in the waiting room, or at once an error.
    pub fn enter(&self) -> Result<Ticket, AnalyzeError> {
        match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => Ok(Ticket { _room: room }),
            Err(TryAcquireError::NoPermits) => Err(AnalyzeError::Overloaded { waiting: self.size }),
            Err(TryAcquireError::Closed) => Err(AnalyzeError::Draining),
        }
    }

    /// Waits for a place to work. The analysis' time starts now: its upload is complete.
    pub async fn work(&self, ticket: Ticket) -> Result<Permit, AnalyzeError> {
        let limit_s = self.deadline_s;
        let begin = Instant::now();
        let at = begin + Duration::from_secs_f64(limit_s);
        let deadline = Deadline { begin, at, limit_s };
        let work = timeout_at(at, Arc::clone(&self.work).acquire_owned())
            .await
            .map_err(|_| deadline.passed())?
            .map_err(|_| AnalyzeError::Draining)?;
        Ok(Permit {
            _ticket: ticket,
            _work: work,
            deadline,
        })
    }

    /// Lets nobody in any more; those inside go on.
    pub fn close(&self) {
        self.room.close();
    }

    /// Requests that hold a place to work.
    pub fn running(&self) -> usize {
        self.places.saturating_sub(self.work.available_permits())
    }

    /// Requests that may be inside, and of these that may work, at the same time.
    pub fn capacity(&self) -> (usize, usize) {
        (self.size, self.places)
    }

    /// Requests inside, waiting or running.
    pub fn inside(&self) -> usize {
        self.size.saturating_sub(self.room.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(queue: usize, concurrency: usize) -> Admission {
        Admission::new(&AnalysisConfig {
            queue,
            concurrency,
            ..AnalysisConfig::default()
        })
    }

    #[tokio::test]
    async fn a_full_room_is_answered_at_once_and_a_place_comes_back() {
        let admission = admission(1, 1);
        let first = admission.work(admission.enter().unwrap()).await.unwrap();
        let second = admission.enter().unwrap();
        assert!(matches!(
            admission.enter(),
            Err(AnalyzeError::Overloaded { waiting: 2 })
        ));
        drop(second);
        assert!(admission.enter().is_ok());
        drop(first);
        assert_eq!(admission.inside(), 0);
    }

    #[tokio::test]
    async fn work_is_awaited() {
        let admission = admission(1, 1);
        let first = admission.work(admission.enter().unwrap()).await.unwrap();
        let ticket = admission.enter().unwrap();
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
        assert!(matches!(admission.enter(), Err(AnalyzeError::Draining)));
    }
}
