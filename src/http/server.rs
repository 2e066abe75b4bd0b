//! From a bound listener to a clean end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::access::Access;
use super::connections;
use super::error;
use super::policies;
use super::routes::jobs::callbacks;
use super::state::AppState;
use super::tls::{Tls, TlsError};
use crate::config::{Config, ConfigError};
use crate::inference::registry::Selection;
use crate::outbound::webhook::Sender;
use crate::outbound::{Fetcher, OutboundError};
use crate::pipeline::{AnalyzeError, Pipeline};
use crate::store::{
    JobFiles, JobsError, KeptError, KeysError, Shelf, Spool, SqliteJobs, StoreError,
};
use crate::worker::drift::Yardstick;
use crate::worker::{Crew, Desk, Messenger, Places, Tools};

/// Why a server ended other than by its signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The models or the decoder can't be started.
    #[error(transparent)]
    Start(#[from] AnalyzeError),
    /// The data directory can't be used.
    #[error(transparent)]
    Data(#[from] StoreError),
    /// The settings contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The job store can't be opened.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// Kept material can't be looked after.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// What goes out can't be set up.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The keys can't be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    let address = listener.local_addr()?;
    let required = config.server.asks_for_keys(address)?;
    if config.server.in_the_clear(address) {
        tracing::warn!("neither TLS nor a trusted proxy: keys and uploads can be read on the way");
    }
    let spool = Spool::open(&config.data)?;
    let access = Access::open(
        &config.server,
        &config.limits,
        config.data.keys_dir(),
        required,
    )?;
    let tls = Tls::open(&config.server.tls)?.map(Arc::new);
    let state = AppState::guarded(&config.server, spool, access);
    let notice = Duration::from_secs_f64(config.server.drain_notice_s);
    let drain = Duration::from_secs_f64(config.server.drain_s);
    let (stop, stopped) = watch::channel(false);
    let keeper = follow_files(&state, tls.as_ref(), &stopped);
    let limits = config.server.clone();
    let serving = connections::serve(listener, state.clone(), tls, &limits, stopped.clone());
    let mut serving = std::pin::pin!(serving);
    if let Some(terms) = config.transparency.statements.clone() {
        state.set_terms(Arc::new(terms));
    }
    let mut shutdown = std::pin::pin!(shutdown);
    let fetcher = Fetcher::open(&config.fetch, config.data.max_upload_bytes)?;
    let fetcher = Arc::new(fetcher);
    state.set_fetcher(Arc::clone(&fetcher));
    let desk = open_desk(&config, state.spool().clone()).await?;
    state.set_desk(Arc::clone(&desk));
    let shelf = open_shelf(&config, &desk).await?;
    let sender = Arc::new(Sender::open(&config.webhooks, &config.data.dir)?);
    state.set_sender(Arc::clone(&sender));
    // Dropped at the end; what it was about to send is sent again by the next server.
    let _messenger =
        (config.webhooks.enabled).then(|| Messenger::start(&desk, &sender, callbacks::render));
    let loading = tokio::task::spawn_blocking(move || load(&config));
    let crew = tokio::select! {
        loaded = loading => {
            let pipeline = Arc::new(loaded??);
            pipeline.keep_in(shelf);
            let tools = Tools {
                pipeline: Arc::clone(&pipeline),
                fetcher,
                explain: error::explain,
            };
            let crew = Crew::start(&desk, tools, error::poison());
            state.set_pipeline(Arc::clone(&pipeline));
            tokio::spawn(policies::follow(pipeline, state.clone(), stopped));
            tracing::info!("ready");
            crew
        }
        () = &mut serving => return Ok(()),
        () = &mut shutdown => return Ok(()),
    };
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
    let served = tokio::time::timeout(drain, serving);
    // What is queued stays queued; what runs may end, or is begun again by the next server.
    let (served, ()) = tokio::join!(served, crew.finish(drain));
    if served.is_err() {
        tracing::warn!("requests were still running when the time to drain was over");
    }
    // It writes down when keys were used.
    keeper.await?;
    Ok(())
}

/// Follows changes of the keys and of the certificate. The task ends, with the last use of keys
/// written down, after `stop`.
fn follow_files(
    state: &AppState,
    tls: Option<&Arc<Tls>>,
    stop: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    if let Some(tls) = tls {
        tokio::spawn(Arc::clone(tls).follow(state.clone(), stop.clone()));
    }
    let (state, stop) = (state.clone(), stop.clone());
    tokio::spawn(async move { state.access().follow(stop).await })
}

/// Opens the jobs of the data directory.
async fn open_desk(config: &Config, spool: Spool) -> Result<Arc<Desk>, ServeError> {
    let places = Places {
        store: Arc::new(SqliteJobs::open(&config.data.dir).await?),
        files: JobFiles::open(&config.data.dir)?,
        manifests: JobFiles::of_manifests(&config.data.dir)?,
        spool,
        yardstick: Yardstick::open(&config.drift)?,
    };
    let desk = Desk::open(places, config.jobs.clone(), &error::poison()).await?;
    Ok(Arc::new(desk))
}

/// Where material is kept, without that of reports that were never stored. What was kept under other
/// settings goes by its age all the same.
async fn open_shelf(config: &Config, desk: &Desk) -> Result<Arc<Shelf>, ServeError> {
    let shelf = Arc::new(Shelf::open(&config.data.dir, config.keep)?);
    let mut orphans = 0_u64;
    for report in shelf.reports()? {
        if desk.store().report(&report).await?.is_none() {
            shelf.forget(&report)?;
            orphans += 1;
        }
    }
    let gone = shelf.prune(std::time::SystemTime::now())?;
    if orphans + gone > 0 {
        tracing::info!(orphans, gone, "let go of kept material");
    }
    Ok(shelf)
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
    pipeline.require_answers()?;
    Ok(pipeline)
}
