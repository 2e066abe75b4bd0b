//! Makes jobs of the lines of manifests, so many at a time.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::time::Duration;

use super::line::{Line, Target};
use super::read::Lines;
use crate::domain::lanes::Lane;
use crate::store::StoreError;
use crate::store::batches::{Hungry, NewItem, Place};
use crate::store::jobs::{Content, JobFiles, JobsError, NewJob};
use crate::worker::crew::{Phase, Shop};
use crate::worker::desk::{LOOK_EVERY, blocking};
use crate::worker::now;

/// Time between looks at how many jobs of batches are left.
const FEED_EVERY: Duration = Duration::from_millis(100);

/// Feeds batches until the server ends. `gone` is the problem of lines whose manifest is lost.
pub(in crate::worker) async fn feed(shop: Shop, gone: String) {
    while !shop.closes() {
        // Heard from now on, also while looking.
        let mut bell = std::pin::pin!(shop.desk.manifest_bell.notified());
        bell.as_mut().enable();
        let has_more = match round(&shop, &gone).await {
            Ok(has_more) => has_more,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "can't make jobs of a batch");
                false
            }
        };
        let wait = if has_more { FEED_EVERY } else { LOOK_EVERY };
        tokio::select! {
            _ = tokio::time::timeout(wait, bell) => {}
            () = shop.reached(Phase::Ending) => {}
        }
    }
}

/// Gives each batch its share of the window. Whether lines are left.
async fn round(shop: &Shop, gone: &str) -> Result<bool, JobsError> {
    let (hungry, mut live) = shop.desk.store.hungry().await?;
    let window = shop.desk.config.batches.window;
    let share = (window / (hungry.len() as u64).max(1)).max(1);
    for batch in &hungry {
        let free = window.saturating_sub(live);
        let wanted = share.saturating_sub(batch.live).min(free);
        if wanted > 0 {
            live = live.saturating_add(feed_one(shop, batch, wanted, gone).await?);
        }
    }
    Ok(!hungry.is_empty())
}

/// Makes jobs of the next lines of `batch`. Returns how many.
async fn feed_one(shop: &Shop, batch: &Hungry, wanted: u64, gone: &str) -> Result<u64, JobsError> {
    let (files, longest) = (
        shop.desk.manifests.clone(),
        shop.desk.config.batches.max_line_bytes,
    );
    let read = {
        let batch = batch.clone();
        blocking(move || next_lines(&files, &batch, wanted, longest)).await
    };
    let (items, place) = match read {
        Ok(read) => read,
        Err(JobsError::File(StoreError::File { source, path, .. })) if is_lost(&source) => {
            tracing::error!(error = %source, path = %path.display(), batch = batch.id, "A MANIFEST IS LOST; the rest of its lines fails");
            shop.desk.store.abandon(&batch.id, gone, now()).await?;
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    let fed = items.len() as u64;
    let store = &shop.desk.store;
    if !store
        .feed(&batch.id, batch.place, place, items, now())
        .await?
    {
        // Cancelled in between.
        return Ok(0);
    }
    shop.desk.ring(Lane::Backfill);
    if place.lines >= batch.lines {
        shop.desk.discard_manifest(&batch.id).await;
    }
    Ok(fed)
}

/// Whether reading it again would give the same.
fn is_lost(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData
    )
}

fn next_lines(
    files: &JobFiles,
    batch: &Hungry,
    wanted: u64,
    longest: usize,
) -> Result<(Vec<NewItem>, Place), StoreError> {
    let manifest = files.open_job(&batch.id, &batch.blake3, batch.bytes)?;
    let path = std::path::PathBuf::from(&batch.id);
    read_items(manifest.file, batch, wanted, longest).map_err(|source| StoreError::File {
        action: "read the manifest",
        path,
        source,
    })
}

fn read_items(
    mut file: File,
    batch: &Hungry,
    wanted: u64,
    longest: usize,
) -> io::Result<(Vec<NewItem>, Place)> {
    file.seek(SeekFrom::Start(batch.place.bytes))?;
    let mut lines = Lines::new(BufReader::new(file), batch.place, longest);
    let mut items = Vec::new();
    while (items.len() as u64) < wanted && lines.place().lines < batch.lines {
        let line = lines.next_line()?;
        let line = line.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is short"))?;
        items.push(item(line, &batch.owner)?);
    }
    Ok((items, lines.place()))
}

fn item(line: Line, owner: &str) -> io::Result<NewItem> {
    // Refused when the manifest was surveyed.
    let Target::Url(url) = line.target else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a `path`"));
    };
    Ok(NewItem {
        item_id: line.id,
        job: NewJob {
            id: ulid::Ulid::generate().to_string(),
            owner: owner.to_owned(),
            lane: Lane::Backfill,
            wishes: serde_json::to_string(&line.options)?,
            client_ref: line.client_ref,
            callback_url: None,
            content: Content::Url(url),
            idempotency: None,
            flag: None,
        },
    })
}
