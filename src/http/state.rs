//! What the handlers share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::access::Access;
use super::config::ServerConfig;
use super::error;
use super::pace::UploadPace;
use super::problem::Problem;
use crate::domain::transparency::statement::Terms;
use crate::outbound::Fetcher;
use crate::outbound::webhook::Sender;
use crate::pipeline::Pipeline;
use crate::store::Spool;
use crate::telemetry::Metrics;
use crate::worker::Desk;

/// Simulations of policies at the same time: each keeps all cores busy.
const SIMULATIONS: usize = 1;

/// Shared by all requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pipeline: OnceLock<Arc<Pipeline>>,
    desk: OnceLock<Arc<Desk>>,
    fetcher: OnceLock<Arc<Fetcher>>,
    sender: OnceLock<Arc<Sender>>,
    terms: OnceLock<Arc<Terms>>,
    leaving: AtomicBool,
    draining: AtomicBool,
    spool: Spool,
    metrics: Metrics,
    upload_timeout: Duration,
    upload_pace: UploadPace,
    access: Access,
    simulations: Semaphore,
}

impl AppState {
    /// A server that is not ready yet: its pipeline is still to come. It asks for no key.
    pub fn new(config: &ServerConfig, spool: Spool) -> Self {
        Self::guarded(config, spool, Access::default())
    }

    /// The same behind `access`.
    pub(super) fn guarded(config: &ServerConfig, spool: Spool, access: Access) -> Self {
        Self {
            shared: Arc::new(Shared {
                pipeline: OnceLock::new(),
                desk: OnceLock::new(),
                fetcher: OnceLock::new(),
                sender: OnceLock::new(),
                terms: OnceLock::new(),
                leaving: AtomicBool::new(false),
                draining: AtomicBool::new(false),
                spool,
                metrics: Metrics::default(),
                upload_timeout: Duration::from_secs_f64(config.upload_timeout_s),
                upload_pace: UploadPace::new(config),
                access,
                simulations: Semaphore::new(SIMULATIONS),
            }),
        }
    }

    /// Makes the server ready. Only the first pipeline counts.
    pub fn set_pipeline(&self, pipeline: Arc<Pipeline>) {
        if self.shared.pipeline.set(pipeline).is_err() {
            tracing::warn!("a second pipeline was ignored");
        }
    }

    /// Lets the server take jobs. Only the first desk counts.
    pub fn set_desk(&self, desk: Arc<Desk>) {
        if self.shared.desk.set(desk).is_err() {
            tracing::warn!("a second job store was ignored");
        }
    }

    /// Lets the server take jobs by URL. Only the first fetcher counts.
    pub fn set_fetcher(&self, fetcher: Arc<Fetcher>) {
        if self.shared.fetcher.set(fetcher).is_err() {
            tracing::warn!("a second fetcher was ignored");
        }
    }

    /// The way to content behind URLs; a problem until it is set up.
    pub fn fetcher(&self) -> Result<&Arc<Fetcher>, Problem> {
        self.shared.fetcher.get().ok_or_else(error::loading)
    }

    /// Lets the server send callbacks. Only the first sender counts.
    pub fn set_sender(&self, sender: Arc<Sender>) {
        if self.shared.sender.set(sender).is_err() {
            tracing::warn!("a second sender was ignored");
        }
    }

    /// Who sends callbacks, or refuses all; a problem until the server is set up.
    pub fn sender(&self) -> Result<&Arc<Sender>, Problem> {
        self.shared.sender.get().ok_or_else(error::loading)
    }

    /// Lets the server make statements of reasons. Only the first terms count.
    pub fn set_terms(&self, terms: Arc<Terms>) {
        if self.shared.terms.set(terms).is_err() {
            tracing::warn!("second terms were ignored");
        }
    }

    /// What statements of reasons say, if there are to be any.
    pub fn terms(&self) -> Option<&Arc<Terms>> {
        self.shared.terms.get()
    }

    /// Where jobs are taken; a problem until it is open.
    pub fn desk(&self) -> Result<&Arc<Desk>, Problem> {
        self.shared.desk.get().ok_or_else(error::loading)
    }

    /// Says from now on that the server isn't ready; work is still taken.
    pub fn leave(&self) {
        self.shared.leaving.store(true, Ordering::Release);
    }

    /// Whether new work is turned away.
    pub(super) fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// Turns new work away from now on.
    pub fn drain(&self) {
        self.leave();
        self.shared.draining.store(true, Ordering::Release);
        if let Some(pipeline) = self.shared.pipeline.get() {
            pipeline.admission().close();
        }
    }

    /// The pipeline; a problem while it is loading and once the server is shutting down.
    pub fn pipeline(&self) -> Result<&Arc<Pipeline>, Problem> {
        if self.is_draining() {
            return Err(error::draining());
        }
        self.shared.pipeline.get().ok_or_else(error::loading)
    }

    /// The pipeline of a server that wants to be sent work, as `/readyz` says.
    pub fn ready(&self) -> Result<&Arc<Pipeline>, Problem> {
        if self.shared.leaving.load(Ordering::Acquire) {
            return Err(error::draining());
        }
        self.pipeline()
    }

    /// The pipeline once it is loaded, also while the server is shutting down.
    pub fn loaded(&self) -> Option<&Arc<Pipeline>> {
        self.shared.pipeline.get()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Where uploads go.
    pub fn spool(&self) -> &Spool {
        &self.shared.spool
    }

    /// Whose turn it is to try a policy.
    pub(super) fn simulations(&self) -> &Semaphore {
        &self.shared.simulations
    }

    /// Who may come in.
    pub(super) fn access(&self) -> &Access {
        &self.shared.access
    }

    /// Pace at which an upload has to arrive.
    pub(super) fn upload_pace(&self) -> UploadPace {
        self.shared.upload_pace
    }

    /// Time that an upload may take to arrive.
    pub fn upload_timeout(&self) -> Duration {
        self.shared.upload_timeout
    }
}
