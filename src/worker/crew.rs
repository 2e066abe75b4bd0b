//! Those who take jobs from the store, a lane each, and the sweeper.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::attempt;
use super::batches;
use super::desk::{Desk, LOOK_EVERY};
use super::fault::Fault;
use super::{millis, now};
use crate::domain::job::Step;
use crate::domain::lanes::{ByLane, Lane};
use crate::outbound::{Fetcher, webhook};
use crate::pipeline::Pipeline;
use crate::store::jobs::{Job, Millis};

/// Makes the problem of a fault, as JSON, that a job's owner is shown.
pub type Explain = fn(Fault) -> String;

/// Downloads of one lane at the same time.
const DOWNLOADS: usize = 4;

/// How far a server is with ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    /// No further attempt is begun.
    Ending,
    /// Attempts that still run are given back.
    Over,
}

/// What a crew works with.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Jobs as fast as the pipeline scores them.
    pub pipeline: Arc<Pipeline>,
    /// The way to content behind URLs.
    pub fetcher: Arc<Fetcher>,
    /// Makes problems.
    pub explain: Explain,
}

/// What each attempt needs.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) desk: Arc<Desk>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) explain: Explain,
    /// By lane.
    pub(super) downloads: ByLane<Arc<Semaphore>>,
    pub(super) phase: watch::Receiver<Phase>,
}

/// Runs jobs until it is told to stop.
#[derive(Debug)]
pub struct Crew {
    desk: Arc<Desk>,
    phase: watch::Sender<Phase>,
    tasks: JoinSet<()>,
}

impl Crew {
    /// Starts to take jobs. `poison` is the problem of a job whose attempts all died.
    pub fn start(desk: &Arc<Desk>, tools: Tools, poison: String) -> Self {
        let (phase, watched) = watch::channel(Phase::Working);
        let shop = Shop {
            desk: Arc::clone(desk),
            pipeline: tools.pipeline,
            fetcher: tools.fetcher,
            explain: tools.explain,
            downloads: ByLane::of(|_| Arc::new(Semaphore::new(DOWNLOADS))),
            phase: watched,
        };
        let mut tasks = JoinSet::new();
        for lane in Lane::ALL {
            for step in [Step::Fetch, Step::Score] {
                tasks.spawn(serve(shop.clone(), lane, step));
            }
        }
        tasks.spawn(batches::feed(shop.clone(), poison.clone()));
        tasks.spawn(sweep(shop, poison));
        Self {
            desk: Arc::clone(desk),
            phase,
            tasks,
        }
    }

    /// Begins no further attempts from now on.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Ending);
    }

    /// Waits for attempts that still run; after `patience` they are given back to the store.
    pub async fn finish(mut self, patience: Duration) {
        self.close();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            self.phase.send_replace(Phase::Over);
            while self.tasks.join_next().await.is_some() {}
        }
        write_scores(&self.desk).await;
    }
}

impl Shop {
    pub(super) fn closes(&self) -> bool {
        *self.phase.borrow() != Phase::Working
    }

    /// Until at least this phase.
    pub(super) async fn reached(&self, least: Phase) {
        let mut phase = self.phase.clone();
        let reached = |phase: &Phase| match least {
            Phase::Working => true,
            Phase::Ending => *phase != Phase::Working,
            Phase::Over => *phase == Phase::Over,
        };
        // A crew that was dropped wants nothing more done.
        let _ = phase.wait_for(reached).await;
    }

    pub(super) fn lease_until(&self) -> Millis {
        now().saturating_add(millis(self.desk.config.lease()))
    }

    async fn claim(&self, lane: Lane, step: Step) -> Option<Job> {
        let store = &self.desk.store;
        let claimed = store.claim(lane, step, now(), self.lease_until());
        match claimed.await {
            Ok(job) => job,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, lane = lane.name(), "can't take a job");
                None
            }
        }
    }
}

/// Takes the jobs of `lane` that need `step`: one waits for a place to work, as many run as have
/// one.
async fn serve(shop: Shop, lane: Lane, step: Step) {
    let mut attempts = JoinSet::new();
    while !shop.closes() {
        while attempts.try_join_next().is_some() {}
        // Heard from now on, also while looking.
        let mut bell = std::pin::pin!(shop.desk.bells.at(lane).notified());
        bell.as_mut().enable();
        let Some(job) = shop.claim(lane, step).await else {
            tokio::select! {
                _ = tokio::time::timeout(LOOK_EVERY, bell) => {}
                () = shop.reached(Phase::Ending) => {}
            }
            continue;
        };
        let (seated, has_place) = oneshot::channel();
        attempts.spawn(attempt::run(shop.clone(), job, seated));
        // Also when the attempt ends without a place.
        let _ = has_place.await;
    }
    while attempts.join_next().await.is_some() {}
}

/// Puts jobs of dead attempts back, and forgets what is old.
async fn sweep(shop: Shop, poison: String) {
    let config = &shop.desk.config;
    let every = config.lease() / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shop.reached(Phase::Ending) => return,
        }
        let (store, now) = (&shop.desk.store, now());
        let older = now.saturating_sub(i64::from(config.keep_days) * 86_400_000);
        let uncounted = now.saturating_sub(i64::from(config.keep_counts_days) * 86_400_000);
        let keys = now.saturating_sub(i64::from(config.idempotency_hours) * 3_600_000);
        let flags = now.saturating_sub(i64::from(config.flags.keep_days) * 86_400_000);
        let swept = store.sweep(now, now, config.max_attempts, &poison).await;
        let jobs = now.saturating_add(millis(Duration::from_secs_f64(config.max_backoff_s)));
        let messages = now.saturating_add(millis(webhook::A_DAY));
        let hastened = store.hasten(jobs, messages, now).await;
        let forgotten = store.forget(older, keys).await;
        let flags = store.forget_flags(flags).await;
        let expired = store.expire(uncounted).await;
        let batches = store.forget_batches(older).await;
        write_scores(&shop.desk).await;
        let days = super::drift::forgotten();
        let scores = store.forget_scores(days).await;
        let errors = [
            swept.err(),
            hastened.err(),
            forgotten.err(),
            flags.err(),
            expired.err(),
            batches.err(),
            scores.err(),
        ];
        for error in errors.into_iter().flatten() {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "can't sweep the job store");
        }
    }
}

/// Where that fails, the next time does it.
async fn write_scores(desk: &Desk) {
    if let Err(error) = desk.keep_scores().await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "can't write down how scores are distributed");
    }
}
