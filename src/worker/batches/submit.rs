//! The desk's part: batches are taken and given up.

use tokio::sync::SemaphorePermit;

use super::survey::Limits;
use crate::store::Upload;
use crate::store::batches::{Batch, NewBatch};
use crate::store::jobs::{Idempotency, JobsError};
use crate::worker::desk::{Desk, blocking};
use crate::worker::now;

/// A caller's order for a batch.
#[derive(Debug, Clone, Default)]
pub struct BatchOrder {
    /// Id of the caller's key; empty where none was asked for.
    pub owner: String,
    /// The caller's own word for it.
    pub client_ref: Option<String>,
    /// The caller's word for "this request again".
    pub idempotency_key: Option<String>,
    /// Hash of all that makes the request what it is.
    pub fingerprint: String,
}

/// Manifests that are surveyed at the same time: each holds 16 bytes a line in memory.
pub(in crate::worker) const SURVEYS: usize = 4;

impl Desk {
    /// What a manifest may have.
    pub fn batch_limits(&self) -> Limits {
        self.config.batches.limits()
    }

    /// A place to survey a manifest; or how many there are, all taken.
    pub fn surveying(&self) -> Result<SemaphorePermit<'_>, usize> {
        self.surveys.try_acquire().map_err(|_| SURVEYS)
    }

    /// Accepts a batch of the `lines` lines of a surveyed manifest: once this returns, a crash
    /// doesn't lose it. `false`: it is the batch of the same request before.
    pub async fn submit_batch(
        &self,
        order: BatchOrder,
        manifest: Upload,
        lines: u64,
    ) -> Result<(Batch, bool), JobsError> {
        let (id, now) = (ulid::Ulid::generate().to_string(), now());
        let hours = i64::from(self.config.idempotency_hours);
        let batch = NewBatch {
            id: id.clone(),
            owner: order.owner,
            client_ref: order.client_ref,
            blake3: manifest.blake3.clone(),
            bytes: manifest.bytes,
            lines,
            idempotency: order.idempotency_key.map(|key| Idempotency {
                key,
                fingerprint: order.fingerprint,
                since_ms: now.saturating_sub(hours * 3_600_000),
            }),
        };
        let (files, name) = (self.manifests.clone(), id.clone());
        blocking(move || files.keep(&name, &manifest)).await?;
        let open = self.config.batches.max_open;
        let submitted = self.store.submit_batch(batch, open, now).await;
        if !matches!(submitted, Ok((_, true))) {
            self.discard_manifest(&id).await;
        }
        self.manifest_bell.notify_waiters();
        submitted
    }

    /// Cancels what isn't over of a batch. `None`: there is no such batch.
    pub async fn cancel_batch(&self, id: &str) -> Result<Option<Batch>, JobsError> {
        let Some(jobs) = self.store.cancel_batch(id, now()).await? else {
            return Ok(None);
        };
        self.discard_manifest(id).await;
        for job in jobs {
            self.changed(&job);
            self.discard(&job).await;
        }
        self.store.batch(id).await
    }

    /// Deletes a manifest that is no longer needed. Where that fails, the next start does.
    pub(super) async fn discard_manifest(&self, id: &str) {
        let (files, name) = (self.manifests.clone(), id.to_owned());
        if let Err(error) = blocking(move || files.delete(&name)).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, batch = id, "can't delete a manifest");
        }
    }
}
