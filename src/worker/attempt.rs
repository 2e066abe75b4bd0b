//! One attempt at one job.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::crew::{Phase, Shop};
use super::desk::{blocking, kept};
use super::now;
use crate::domain::job::backoff;
use crate::domain::report::Report;
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind, Options};
use crate::store::StoreError;
use crate::store::jobs::{Claim, Ending, Job, JobsError};

/// Waits between tries to write an ending down.
const ENDING_AGAIN: Duration = Duration::from_millis(500);

/// Runs `job` to its end, and tells `seated` once it has a place to work.
pub(super) async fn run(shop: Shop, job: Job, seated: oneshot::Sender<()>) {
    shop.desk.changed(&job.id);
    let claim = job.claim();
    let ending = tokio::select! {
        ending = work(&shop, &job, seated) => ending,
        () = lost(&shop, &claim) => return,
        () = shop.reached(Phase::Over) => Ending::GivenBack,
    };
    let is_over = matches!(ending, Ending::Done(_) | Ending::Failed(_));
    if write(&shop, &claim, ending).await {
        shop.desk.changed(&job.id);
        if is_over {
            shop.desk.discard(&job.id).await;
        }
    }
}

/// Writes an ending down. While the database fails, it is tried again until the lease is over:
/// then another attempt makes up for it.
async fn write(shop: &Shop, claim: &Claim, ending: Ending) -> bool {
    let until = shop.lease_until();
    loop {
        match shop.desk.store.end(claim, ending.clone(), now()).await {
            Ok(held) => return held,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, job = claim.id, "can't write down how a job ended");
            }
        }
        if now() > until {
            return false;
        }
        tokio::time::sleep(ENDING_AGAIN).await;
    }
}

/// Shows signs of life until the attempt is no longer `claim`'s: the job was cancelled, or its
/// lease ran out.
async fn lost(shop: &Shop, claim: &Claim) {
    let mut changes = shop.desk.changes();
    let every = shop.desk.config.lease() / 3;
    loop {
        let moved = async {
            loop {
                match changes.recv().await {
                    Ok(id) if *id == *claim.id => return,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Whichever comes first.
        let _ = tokio::time::timeout(every, moved).await;
        match shop.desk.store.heartbeat(claim, shop.lease_until()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, job = claim.id, "can't prolong the lease of a job");
            }
        }
    }
}

async fn work(shop: &Shop, job: &Job, seated: oneshot::Sender<()>) -> Ending {
    match report(shop, job, seated).await {
        Ok(report) => match kept(&report, &job.owner, job.lane, job.created_ms) {
            Ok(kept) => Ending::Done(kept),
            Err(error) => failed(shop, job, Fault::Store(error)),
        },
        Err(fault) => failed(shop, job, fault),
    }
}

enum Fault {
    Analysis(AnalyzeError),
    Store(JobsError),
    /// What the store holds of the caller's wishes can't be read.
    Wishes(serde_json::Error),
}

impl From<AnalyzeError> for Fault {
    fn from(error: AnalyzeError) -> Self {
        Self::Analysis(error)
    }
}

impl From<JobsError> for Fault {
    fn from(error: JobsError) -> Self {
        Self::Store(error)
    }
}

async fn report(shop: &Shop, job: &Job, seated: oneshot::Sender<()>) -> Result<Arc<Report>, Fault> {
    let options: Options = serde_json::from_str(&job.wishes).map_err(Fault::Wishes)?;
    let request = shop.pipeline.request(&options, job.lane)?;
    let (blake3, bytes) = job.file.clone().ok_or_else(|| JobsError::Row {
        what: "a job without content",
        text: job.id.clone(),
    })?;
    let (files, id) = (shop.desk.files.clone(), job.id.clone());
    let upload = blocking(move || files.open_job(&id, &blake3, bytes)).await?;
    if let Some(known) = shop.pipeline.recall(&upload, &request) {
        return Ok(known.report);
    }
    let permit = shop.pipeline.admission().place(job.lane).await;
    // The lane may bring its next.
    let _ = seated.send(());
    Ok(shop.pipeline.analyze(upload, &request, permit).await?)
}

/// What becomes of a job after `fault`.
fn failed(shop: &Shop, job: &Job, fault: Fault) -> Ending {
    let (passes, error) = match fault {
        Fault::Analysis(error) => (can_pass(error.kind()), error),
        Fault::Store(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, job = job.id, "an attempt failed");
            (true, internal("the job's content or report"))
        }
        Fault::Wishes(error) => {
            tracing::error!(%error, job = job.id, "the store holds wishes that can't be read");
            (false, internal("the job's wishes"))
        }
    };
    let config = &shop.desk.config;
    let problem = (shop.explain)(error);
    if !passes || job.attempt >= config.max_attempts {
        return Ending::Failed(problem);
    }
    let wait = backoff(
        job.attempt,
        Duration::from_secs_f64(config.backoff_s),
        Duration::from_secs_f64(config.max_backoff_s),
    );
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    Ending::Again {
        problem,
        not_before_ms: now().saturating_add(wait),
    }
}

/// A fault of the server's own; its details are in the log.
fn internal(what: &'static str) -> AnalyzeError {
    AnalyzeError::Store(StoreError::File {
        action: "use",
        path: what.into(),
        source: std::io::Error::other("see the log"),
    })
}

/// Whether a fault may be gone at the next attempt. What is wrong with the media stays wrong.
fn can_pass(kind: AnalyzeErrorKind) -> bool {
    use AnalyzeErrorKind as Kind;
    match kind {
        Kind::Internal | Kind::Deadline | Kind::Overloaded | Kind::Draining => true,
        Kind::BadRequest
        | Kind::NotFound
        | Kind::TooLarge
        | Kind::Empty
        | Kind::Unsupported
        | Kind::NoVideoStream
        | Kind::Corrupt
        | Kind::Limit
        | Kind::UnknownModel
        | Kind::Configuration => false,
    }
}
