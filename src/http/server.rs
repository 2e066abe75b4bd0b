//! From a bound listener to a clean end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::connections;
use super::routes::router;
use super::state::AppState;
use crate::config::Config;
use crate::inference::registry::Selection;
use crate::pipeline::{AnalyzeError, Pipeline};
use crate::store::{Spool, StoreError};

/// Why a server ended other than by its signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The models or the decoder can't be started.
    #[error(transparent)]
    Start(#[from] AnalyzeError),
    /// The data directory can't be used.
    #[error(transparent)]
    Data(#[from] StoreError),
    /// The listener failed.
    #[error("the server failed")]
    Io(#[from] io::Error),
    /// The task that loads the models failed.
    #[error("loading the models failed")]
    Loading(#[from] tokio::task::JoinError),
}

/// Serves on `listener` until `shutdown` resolves. Then `/readyz` turns first, after
/// `server.drain_notice_s` the port closes, and what is admitted is finished within
/// `server.drain_s`. The caller binds, so tests use port 0. Answers `/healthz` at once and
/// everything else once the models are loaded and warm; returns an error when they can't be.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let state = AppState::new(&config.server, Spool::open(&config.data)?);
    let notice = Duration::from_secs_f64(config.server.drain_notice_s);
    let drain = Duration::from_secs_f64(config.server.drain_s);
    let (stop, stopped) = watch::channel(false);
    let limits = config.server.clone();
    let serving = connections::serve(listener, router(state.clone()), &limits, stopped);
    let mut serving = std::pin::pin!(serving);
    let mut shutdown = std::pin::pin!(shutdown);
    let loading = tokio::task::spawn_blocking(move || load(&config));
    tokio::select! {
        loaded = loading => {
            state.set_pipeline(Arc::new(loaded??));
            tracing::info!("ready");
        }
        () = &mut serving => return Ok(()),
        () = &mut shutdown => return Ok(()),
    }
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = &mut shutdown => {}
    }
    tracing::info!(
        notice_s = notice.as_secs_f64(),
        drain_s = drain.as_secs_f64(),
        "shutting down"
    );
    state.leave();
    if !notice.is_zero() {
        tokio::select! {
            () = &mut serving => return Ok(()),
            () = tokio::time::sleep(notice) => {}
        }
    }
    state.drain();
    drop(stop);
    if tokio::time::timeout(drain, serving).await.is_err() {
        tracing::warn!("requests were still running when the time to drain was over");
    }
    Ok(())
}

/// Loads the configured models, the default ones among them.
fn load(config: &Config) -> Result<Pipeline, AnalyzeError> {
    let selection = match config.models.load.as_slice() {
        [] => Selection::All,
        named => Selection::Named(named),
    };
    let pipeline = Pipeline::start(config, selection)?;
    for name in pipeline.default_models() {
        pipeline.models().get(name)?;
    }
    Ok(pipeline)
}
