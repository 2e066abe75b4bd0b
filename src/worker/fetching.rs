//! An attempt at fetching a job's content.

use super::crew::Shop;
use super::desk::blocking;
use super::fault::Fault;
use crate::media::MediaError;
use crate::outbound::Url;
use crate::pipeline::AnalyzeError;
use crate::store::jobs::{Ending, Job, JobsError};
use crate::store::{Feed, Upload};

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
    let upload = download(shop, &url).await?;
    if upload.bytes == 0 {
        return Err(AnalyzeError::from(MediaError::Empty).into());
    }
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

async fn download(shop: &Shop, url: &Url) -> Result<Upload, Fault> {
    let mut download = shop.fetcher.fetch(url).await?;
    let writer = shop
        .desk
        .spool
        .begin(download.declared())
        .map_err(JobsError::from)?;
    let feed = Feed::new(writer);
    while let Some(piece) = download.next().await? {
        if !feed.push(piece).await {
            break;
        }
    }
    let written = feed.finish().await.map_err(AnalyzeError::from)?;
    Ok(written.map_err(JobsError::from)?)
}
