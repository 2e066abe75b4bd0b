//! An attempt at fetching a job's content.

use super::crew::Shop;
use super::desk::blocking;
use super::fault::Fault;
use crate::media::MediaError;
use crate::outbound::{Fetcher, Url};
use crate::pipeline::AnalyzeError;
use crate::store::jobs::{Ending, Job, JobsError};
use crate::store::{Feed, Spool, Upload};

/// Fetches what `job`'s URL names into the job's file.
pub(super) async fn fetch(shop: &Shop, job: &Job) -> Result<Ending, Fault> {
    let nothing = || JobsError::Row {
        what: "a job without URL",
        text: job.id.clone(),
    };
    // It was checked when the job was taken, but the rules may have changed since.
    let url = shop
        .fetcher
        .parse(job.url.as_deref().ok_or_else(nothing)?)?;
    let upload = download(&shop.fetcher, &shop.desk.spool, &url).await?;
    let ending = Ending::Fetched {
        blake3: upload.blake3.clone(),
        bytes: upload.bytes,
    };
    let (files, id) = (shop.desk.files.clone(), job.id.clone());
    // What an attempt before this one left is not what this one fetched.
    blocking(move || {
        files.delete(&id)?;
        files.keep(&id, &upload)
    })
    .await?;
    Ok(ending)
}

/// Fetches what `url` names into `spool`; nothing at all is a fault.
pub async fn download(fetcher: &Fetcher, spool: &Spool, url: &Url) -> Result<Upload, Fault> {
    let mut download = fetcher.fetch(url).await?;
    let writer = spool.begin(download.declared());
    let writer = writer.map_err(JobsError::from)?;
    let feed = Feed::new(writer);
    while let Some(piece) = download.next().await? {
        if !feed.push(piece).await {
            break;
        }
    }
    let written = feed.finish().await.map_err(AnalyzeError::from)?;
    let upload = written.map_err(JobsError::from)?;
    if upload.bytes == 0 {
        return Err(AnalyzeError::from(MediaError::Empty).into());
    }
    Ok(upload)
}
