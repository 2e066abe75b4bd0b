//! One attempt at one job.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::crew::{Phase, Shop};
use super::desk::{blocking, kept};
use super::fault::Fault;
use super::{fetching, millis, now};
use crate::domain::job::{Step, backoff};
use crate::domain::report::Report;
use crate::pipeline::Options;
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
        } else {
            shop.desk.ring(job.lane);
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

/// Does what the job needs next.
async fn work(shop: &Shop, job: &Job, seated: oneshot::Sender<()>) -> Ending {
    let done = match job.step {
        Step::Fetch => {
            let downloads = Arc::clone(shop.downloads.at(job.lane));
            let _place = downloads.acquire_owned().await;
            // The lane may bring its next.
            let _ = seated.send(());
            fetching::fetch(shop, job).await
        }
        Step::Score => score(shop, job, seated).await,
    };
    done.unwrap_or_else(|fault| failed(shop, job, fault))
}

async fn score(shop: &Shop, job: &Job, seated: oneshot::Sender<()>) -> Result<Ending, Fault> {
    let report = report(shop, job, seated).await?;
    let kept = kept(&report, &job.owner, job.lane, job.created_ms)?;
    Ok(Ending::Done(kept))
}

async fn report(shop: &Shop, job: &Job, seated: oneshot::Sender<()>) -> Result<Arc<Report>, Fault> {
    let options: Options = serde_json::from_str(&job.wishes)?;
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
    let _ = seated.send(());
    let report = shop.pipeline.analyze(upload, &request, permit).await?;
    shop.desk.tally.note(&report, job.lane);
    Ok(report)
}

/// What becomes of a job after `fault`.
fn failed(shop: &Shop, job: &Job, fault: Fault) -> Ending {
    let config = &shop.desk.config;
    let ends = !fault.can_pass() || job.attempt >= config.max_attempts;
    let asked = fault.retry_after();
    let problem = (shop.explain)(fault);
    if ends {
        return Ending::Failed(problem);
    }
    let longest = Duration::from_secs_f64(config.max_backoff_s);
    let first = Duration::from_secs_f64(config.backoff_s);
    let wait = backoff(job.attempt, first, longest);
    let wait = asked.map_or(wait, |asked| asked.min(longest).max(wait));
    Ending::Again {
        problem,
        not_before_ms: now().saturating_add(millis(wait)),
    }
}
