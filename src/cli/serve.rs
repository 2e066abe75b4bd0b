//! `jaga serve`

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use super::args::ServeArgs;
use crate::config::Config;
use crate::http;
use crate::http::ServeError;
use crate::http::config::Auth;

/// Serves until SIGTERM or SIGINT, then drains.
pub(super) fn run(mut config: Config, args: &ServeArgs) -> anyhow::Result<Outcome> {
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    if args.no_auth {
        config.server.auth = Auth::Off;
    }
    config.server.asks_for_keys(config.server.listen)?;
    allow_descriptors(config.server.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let listen = config.server.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("can't listen on {listen}"))?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        http::run(config, listener, shutdown)
            .await
            .map_err(|error| match error {
                ServeError::Start(error) => anyhow::Error::new(error).context("can't start"),
                ServeError::Config(error) => error.into(),
                error @ (ServeError::Data(_)
                | ServeError::Jobs(_)
                | ServeError::Kept(_)
                | ServeError::Outbound(_)
                | ServeError::Keys(_)
                | ServeError::Tls(_)
                | ServeError::Io(_)
                | ServeError::Loading(_)) => error.into(),
            })
    });
    // A model that is still being loaded is not waited for.
    runtime.shutdown_background();
    served.map(|()| Outcome::Done)
}

/// Descriptors for other things than connections: spool files, pipes of children, models.
const SPARE_DESCRIPTORS: u64 = 512;

/// Raises the soft limit on descriptors to the hard one, as each connection needs one.
fn allow_descriptors(connections: u32) {
    let held = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: held.maximum,
        maximum: held.maximum,
    };
    let raised = setrlimit(Resource::Nofile, limit).map_or(held.current, |()| held.maximum);
    if let Some(descriptors) = raised
        && descriptors < u64::from(connections).saturating_add(SPARE_DESCRIPTORS)
    {
        tracing::warn!(
            descriptors,
            connections,
            "the limit on descriptors is low for server.max_connections"
        );
    }
}
