//! Where jobs are taken and asked after.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, broadcast};

use super::batches::SURVEYS;
use super::config::JobsConfig;
use super::drift::{Tally, Yardstick};
use super::{millis, now};
use crate::domain::flag::{Grounds, Organisation};
use crate::domain::lanes::{ByLane, Lane};
use crate::domain::report::Report;
use crate::store::flags::NewFlag;
use crate::store::jobs::{
    Content, Idempotency, Job, JobFiles, JobsError, KeptReport, Message, Millis, NewJob,
};
use crate::store::{Spool, Store, StoreError, Upload};

/// Changes that a slow listener may be behind.
const CHANGES: usize = 1024;

/// A caller's order for one job.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Id of the caller's key; empty where none was asked for.
    pub owner: String,
    /// Where the job waits.
    pub lane: Lane,
    /// [`Options`](crate::pipeline::Options) as JSON.
    pub wishes: String,
    /// The caller's own word for it.
    pub client_ref: Option<String>,
    /// Where its end is told.
    pub callback_url: Option<String>,
    /// The caller's word for "this request again".
    pub idempotency_key: Option<String>,
    /// What a trusted reporter says with it, and who that is.
    pub flag: Option<(Organisation, Grounds)>,
}

/// Where a desk keeps things.
#[derive(Debug)]
pub struct Places {
    /// Jobs and reports.
    pub store: Arc<dyn Store>,
    /// Content of jobs.
    pub files: JobFiles,
    /// Manifests of batches.
    pub manifests: JobFiles,
    /// Content on its way in.
    pub spool: Spool,
    /// What live scores are compared with.
    pub yardstick: Yardstick,
}

/// Takes jobs and tells how they stand. Shared by the doors and the [`Crew`](super::Crew).
#[derive(Debug)]
pub struct Desk {
    pub(super) store: Arc<dyn Store>,
    pub(super) files: JobFiles,
    pub(super) manifests: JobFiles,
    pub(super) spool: Spool,
    pub(super) config: JobsConfig,
    /// How the newest scores are distributed.
    pub(super) tally: Tally,
    pub(super) yardstick: Yardstick,
    /// Rung when a lane may have work.
    pub(super) bells: ByLane<Notify>,
    /// Places to survey manifests.
    pub(super) surveys: Semaphore,
    /// Rung when there may be a manifest to read.
    pub(super) manifest_bell: Notify,
    /// Ids of jobs that stand elsewhere than before.
    changes: broadcast::Sender<Arc<str>>,
}

impl Desk {
    /// A desk over `store`. What was running when the last server ended is queued again, and files
    /// that belong to no job are deleted.
    pub async fn open(places: Places, config: JobsConfig, poison: &str) -> Result<Self, JobsError> {
        let Places {
            store,
            files,
            manifests,
            spool,
            yardstick,
        } = places;
        // Nobody else uses the store: whoever holds a lease is gone.
        let (again, failed) = store
            .sweep(Millis::MAX, now(), config.max_attempts, poison)
            .await?;
        let unfinished: HashSet<String> = store.unfinished().await?.into_iter().collect();
        let (hungry, _) = store.hungry().await?;
        let hungry: HashSet<String> = hungry.into_iter().map(|batch| batch.id).collect();
        let swept = blocking({
            let (files, manifests) = (files.clone(), manifests.clone());
            move || Ok(files.sweep(&unfinished)? + manifests.sweep(&hungry)?)
        })
        .await?;
        if again + failed + swept > 0 {
            tracing::info!(again, failed, swept, "took up the jobs of the last run");
        }
        Ok(Self {
            store,
            files,
            manifests,
            spool,
            config,
            tally: Tally::default(),
            yardstick,
            bells: ByLane::default(),
            surveys: Semaphore::new(SURVEYS),
            manifest_bell: Notify::new(),
            changes: broadcast::channel(CHANGES).0,
        })
    }

    /// Accepts a job to score `upload`: once this returns, a crash doesn't lose it. `false`: it is
    /// the job of the same request before.
    pub async fn submit(
        &self,
        order: Order,
        upload: Upload,
        fingerprint: String,
    ) -> Result<(Job, bool), JobsError> {
        self.room().await?;
        let id = ulid::Ulid::generate().to_string();
        let content = Content::File {
            blake3: upload.blake3.clone(),
            bytes: upload.bytes,
        };
        let (files, name) = (self.files.clone(), id.clone());
        blocking(move || files.keep(&name, &upload)).await?;
        let submitted = self.take(id.clone(), order, content, fingerprint).await;
        if !matches!(submitted, Ok((_, true))) {
            self.discard(&id).await;
        }
        submitted
    }

    /// Accepts a job to fetch `url`, which the rules allow, and to score what it names.
    pub async fn submit_url(
        &self,
        order: Order,
        url: String,
        fingerprint: String,
    ) -> Result<(Job, bool), JobsError> {
        self.room().await?;
        let id = ulid::Ulid::generate().to_string();
        self.take(id, order, Content::Url(url), fingerprint).await
    }

    /// Whether the disk has room for one more job, and for the ends of those that are inside.
    async fn room(&self) -> Result<(), JobsError> {
        let least = self.config.min_free_bytes;
        let files = self.files.clone();
        if blocking(move || files.free()).await? < least {
            return Err(JobsError::DiskFull { least });
        }
        Ok(())
    }

    async fn take(
        &self,
        id: String,
        order: Order,
        content: Content,
        fingerprint: String,
    ) -> Result<(Job, bool), JobsError> {
        let now = now();
        let hours = i64::from(self.config.idempotency_hours);
        let idempotency = order.idempotency_key.map(|key| Idempotency {
            key,
            fingerprint,
            since_ms: now.saturating_sub(hours * 3_600_000),
        });
        let flag = order.flag.map(|(organisation, grounds)| {
            let due = self.config.flags.due(&organisation);
            NewFlag {
                due_ms: now.saturating_add(millis(due)),
                organisation,
                grounds,
            }
        });
        let job = NewJob {
            id,
            owner: order.owner,
            lane: order.lane,
            wishes: order.wishes,
            client_ref: order.client_ref,
            callback_url: order.callback_url,
            content,
            idempotency,
            flag,
        };
        let capacity = self.config.capacity();
        let submitted = self.store.submit(job, &capacity, now).await?;
        self.ring(submitted.0.lane);
        Ok(submitted)
    }

    /// Tells those who take the jobs of `lane` that there may be one. Who is busy looks afterwards.
    pub(super) fn ring(&self, lane: Lane) {
        self.bells.at(lane).notify_waiters();
    }

    /// Deletes the content of a job that no longer needs it. Where that fails, the next start does.
    pub(super) async fn discard(&self, id: &str) {
        let (files, name) = (self.files.clone(), id.to_owned());
        if let Err(error) = blocking(move || files.delete(&name)).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, job = id, "can't delete the content of a job");
        }
    }

    /// Cancels a job of which no result is out yet.
    pub async fn cancel(&self, id: &str) -> Result<Option<Job>, JobsError> {
        let job = self.store.cancel(id, now()).await?;
        if job.is_some() {
            self.changed(id);
            self.discard(id).await;
        }
        Ok(job)
    }

    /// Has a job's message sent again; `None`: it has none.
    pub async fn redeliver(&self, id: &str) -> Result<Option<Message>, JobsError> {
        self.store.redeliver(id, now()).await
    }

    /// Whether the reports of uploads that were no jobs are kept.
    pub fn keeps_scores(&self) -> bool {
        self.config.keep_scores
    }

    /// Keeps the report of an upload that was no job, and notes its scores.
    pub async fn keep(
        &self,
        report: &Report,
        owner: &str,
        lane: Lane,
        asked_ms: Millis,
    ) -> Result<(), JobsError> {
        self.tally.note(report, lane);
        if !self.config.keep_scores {
            return Ok(());
        }
        let kept = kept(report, owner, lane, asked_ms)?;
        self.store.keep(kept).await
    }

    /// All that is kept.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Ids of jobs as they change from now on.
    pub fn changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self, id: &str) {
        // Nobody may be listening.
        let _ = self.changes.send(Arc::from(id));
    }
}

pub(super) fn kept(
    report: &Report,
    owner: &str,
    lane: Lane,
    asked_ms: Millis,
) -> Result<KeptReport, JobsError> {
    let body = serde_json::to_string(report).map_err(|error| JobsError::Row {
        what: "a report",
        text: error.to_string(),
    })?;
    Ok(KeptReport {
        id: report.id.clone(),
        owner: owner.to_owned(),
        lane,
        asked_ms,
        created_ms: now(),
        body,
    })
}

/// Runs `work`, which waits for the disk, where that holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, JobsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(JobsError::Row {
            what: "a task's result",
            text: error.to_string(),
        }),
    }
}

/// Time between looks at what nobody rings for: jobs whose backoff is over.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
