//! Connections: how many there may be, how long one may be of no use, and how they end.
//!
//! HTTP/1.1 and HTTP/2 on one port, with TLS or without; without, HTTP/2 is by prior knowledge. A connection's task looks at its
//! [`watch::Watch`] now and then; hyper's own timers would not see one that says nothing at all.

mod leftover;
mod stream;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch as flag};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::leftover::Upload;
use self::stream::{Answer, Exchange, Watched};
use self::watch::{Patience, Watch};
use super::config::ServerConfig;
use super::error;
use super::pace::UploadPace;
use super::problem::Problem;
use super::routes::router;
use super::state::AppState;
use super::tls::{NoTls, Tls, plain_words, shake_hands};
use crate::telemetry::metrics::Handshake;

/// Bytes of a request line and its header lines together (HTTP/1.1); beyond it 431 without a body.
const HEADER_BYTES: usize = 64 * 1024;
/// Bytes of the header fields of a request (HTTP/2).
const HEADER_LIST_BYTES: u32 = 64 * 1024;
/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 32;
/// Streams that a client has opened and reset before they were looked at; one more ends the
/// connection.
const RESET_STREAMS: usize = 20;
/// How often an HTTP/2 client is asked whether it is still there, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);
/// Rest after the listener failed, as it does when descriptors run out.
const REST: Duration = Duration::from_secs(1);

/// Who sent a request: the address at the other end of its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Answers every connection of `listener`, by `tls` if there is one, until `stop` says so or its sender is gone,
/// then until all are done. Dropping the future ends them at once.
pub(super) async fn serve(
    listener: TcpListener,
    state: AppState,
    tls: Option<Arc<Tls>>,
    config: &ServerConfig,
    mut stop: flag::Receiver<bool>,
) {
    let door = Arc::new(Door {
        router: router(state.clone()),
        state,
        tls,
        patience: Patience::new(config),
        pace: UploadPace::new(config),
        protocol: protocol(),
        stop: stop.clone(),
    });
    let places = Arc::new(Semaphore::new(config.max_connections as usize));
    let mut connections = JoinSet::new();
    let mut full = false;
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, Peer(address)),
            Err(error) => {
                rest_after(&error).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            if !full {
                tracing::warn!(
                    max_connections = config.max_connections,
                    "no more connections are taken"
                );
            }
            full = true;
            door.turn_away(&stream);
            continue;
        };
        full = false;
        let door = Arc::clone(&door);
        connections.spawn(async move {
            let _place = place;
            // Small answers needn't wait for more of them.
            let _ = stream.set_nodelay(true);
            door.welcome(stream, peer).await;
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Resolves once the server stops.
pub(super) async fn stopped(stop: &mut flag::Receiver<bool>) {
    // A sender that is gone stops it as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn rest_after(error: &io::Error) {
    let clients_own = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    );
    if !clients_own {
        tracing::error!(%error, "can't take a connection");
        sleep(REST).await;
    }
}

/// A problem for a connection that gets no further, as HTTP/1.1.
fn last_word(status: &str, problem: &Problem) -> Vec<u8> {
    let body = problem.body(&ulid::Ulid::generate().to_string());
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn protocol() -> auto::Builder<TokioExecutor> {
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(HEADER_BYTES)
        // The watch has this time, for all of a connection.
        .header_read_timeout(None);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_header_list_size(HEADER_LIST_BYTES)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    protocol
}

/// What all connections share.
struct Door {
    router: Router,
    state: AppState,
    tls: Option<Arc<Tls>>,
    patience: Patience,
    pace: UploadPace,
    protocol: auto::Builder<TokioExecutor>,
    stop: flag::Receiver<bool>,
}

impl Door {
    /// Says why, as far as the socket takes it at once, and closes. Not where TLS is spoken: nobody
    /// would understand it, and a handshake is work.
    fn turn_away(&self, stream: &TcpStream) {
        if self.tls.is_none() {
            let status = format!(
                "503 Service Unavailable\r\nretry-after: {}",
                error::RETRY_AFTER_S
            );
            let _ = stream.try_write(&last_word(&status, &error::too_many_connections()));
        }
    }

    /// Has a connection's handshake, if there is to be one, before the conversation. A client has
    /// as long for it as for header lines.
    async fn welcome(&self, stream: TcpStream, peer: Peer) {
        let Some(tls) = &self.tls else {
            return self.converse(stream, peer).await;
        };
        let mut stop = self.stop.clone();
        let shaken = tokio::select! {
            () = stopped(&mut stop) => return,
            shaken = shake_hands(tls, stream, self.patience.header) => shaken,
        };
        let metrics = self.state.metrics();
        match shaken {
            Ok(stream) => {
                metrics.shook_hands(Handshake::Done);
                self.converse(stream, peer).await;
            }
            Err(NoTls::Plain(stream)) => {
                metrics.shook_hands(Handshake::Plain);
                plain_words(stream, &last_word("400 Bad Request", &error::no_tls())).await;
            }
            Err(NoTls::Failed(how, error)) => {
                metrics.shook_hands(how);
                tracing::debug!(%error, "no handshake");
            }
        }
    }

    /// Answers one connection's requests until either side ends it.
    async fn converse<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let watch = Arc::new(Watch::new(self.patience, Instant::now()));
        let service = {
            let watch = Arc::clone(&watch);
            let router = TowerToHyperService::new(self.router.clone());
            let pace = self.pace;
            service_fn(move |request: Request<Incoming>| {
                let exchange = Exchange::begin(&watch, request.version() == Version::HTTP_2);
                let mut request = Upload::of(request, &watch, pace);
                request.extensions_mut().insert(peer);
                answer(router.clone(), request, exchange)
            })
        };
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&watch)));
        let mut connection = pin!(self.protocol.serve_connection(io, service));
        let (mut stop, mut stopping) = (self.stop.clone(), false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error = &*error, "a connection broke off");
                    }
                    return;
                }
                () = stopped(&mut stop), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep(self.patience.check_every()) => {
                    if let Some(why) = watch.overdue(Instant::now()) {
                        tracing::debug!(?why, "a connection was ended");
                        return;
                    }
                }
            }
        }
    }
}

async fn answer(
    router: TowerToHyperService<Router>,
    request: Request<Upload>,
    exchange: Exchange,
) -> Result<Response<Answer>, std::convert::Infallible> {
    let response = router.call(request).await?;
    Ok(response.map(|body| Answer::new(body, exchange)))
}
