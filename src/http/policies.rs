//! Follows the files of the policies while the server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::connections::stopped;
use super::state::AppState;
use crate::pipeline::Pipeline;

/// How often changed files are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Takes changes of the files until `stop`.
pub(super) async fn follow(
    pipeline: Arc<Pipeline>,
    state: AppState,
    mut stop: watch::Receiver<bool>,
) {
    while tokio::time::timeout(LOOK_EVERY, stopped(&mut stop))
        .await
        .is_err()
    {
        let (pipeline, state) = (Arc::clone(&pipeline), state.clone());
        // The files may be on a slow disk.
        let looked = tokio::task::spawn_blocking(move || look(&pipeline, &state));
        if looked.await.is_err() {
            return;
        }
    }
}

fn look(pipeline: &Pipeline, state: &AppState) {
    for outcome in pipeline.policies().refresh() {
        state.metrics().policy_reloaded(outcome.is_ok());
        match outcome {
            Ok(policy) => tracing::info!(
                policy = policy.name,
                version = policy.version,
                blake3 = policy.blake3,
                "a policy was replaced"
            ),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "CAN'T USE THE NEW POLICY; the old one stays"
            ),
        }
    }
}
