//! One request on one connection: resolved once, every address checked, nothing kept.
//!
//! There is no pool, no proxy, no cookie, no cache, no decompression and no redirection here: what
//! isn't there can't be turned against the server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT_ENCODING, CONNECTION, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::address;
use super::error::OutboundError;
use super::resolve::Resolve;
use super::rules::{Rules, Target, refused};

/// Most addresses of a name that are tried, each with its part of the connection's time.
const MOST_TRIES: usize = 4;
/// Most addresses that a name may have; each is checked.
const MOST_ADDRESSES: usize = 64;
/// Bytes and number of an answer's header lines.
const MOST_HEADER_BYTES: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;
const AGENT: HeaderValue = HeaderValue::from_static(concat!("jaga/", env!("CARGO_PKG_VERSION")));

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Speaks to the outside under the rules of one section of the configuration.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) rules: Rules,
    pub(super) resolver: Arc<dyn Resolve>,
    /// `None` while the section is off.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) host: String,
    pub(super) connection: Connection,
}

/// The connection's own work; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// When a request that begins now has to be done.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Resolves the URL's host and checks its addresses, without connecting.
    pub(super) async fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let target = self.rules.target(url)?;
        let found = timeout(self.connect_timeout, self.addresses(&target)).await;
        found.unwrap_or_else(|_| Err(late(&target, self.connect_timeout)))?;
        Ok(())
    }

    /// Sends `request`, whose URI and `Host` are set here, and waits for the answer's header lines.
    pub(super) async fn send(
        &self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Answer, OutboundError> {
        let target = self.rules.target(url)?;
        address_to(&mut request, url)?;
        let exchange = async {
            let connecting = timeout(self.connect_timeout, self.connect(&target));
            let stream = connecting
                .await
                .unwrap_or_else(|_| Err(late(&target, self.connect_timeout)))?;
            exchange(&target, stream, request).await
        };
        let exchange = timeout_at(deadline, exchange).await;
        exchange.unwrap_or_else(|_| Err(late(&target, self.timeout)))
    }

    /// The addresses of a target, all of them checked.
    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, OutboundError> {
        let host = target.host.to_string();
        let found = match &target.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => match self.resolver.resolve(name).await {
                Ok(found) => found,
                Err(error) => {
                    let source = Some(error);
                    return Err(OutboundError::Resolve { host, source });
                }
            },
        };
        if found.is_empty() || found.len() > MOST_ADDRESSES {
            return Err(OutboundError::Resolve { host, source: None });
        }
        for &address in &found {
            address::check(address, &self.rules.exempt).map_err(|special| {
                OutboundError::Address {
                    host: host.clone(),
                    address,
                    special,
                }
            })?;
        }
        Ok(found)
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, OutboundError> {
        let mut addresses = self.addresses(target).await?;
        addresses.truncate(MOST_TRIES);
        let tries = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let part = self.connect_timeout.div_f64(tries.into());
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for address in addresses {
            let address = SocketAddr::new(address, target.port);
            match timeout(part, self.reach(target, address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(late) => last = io::Error::new(io::ErrorKind::TimedOut, late),
            }
        }
        Err(OutboundError::Connect {
            host: target.host.to_string(),
            source: last,
        })
    }

    fn reach<'a>(
        &'a self,
        target: &'a Target,
        address: SocketAddr,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            if !target.tls {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            }
            let config = self.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
            let name = server_name(&target.host)?;
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }
        .boxed()
    }
}

fn late(target: &Target, limit: Duration) -> OutboundError {
    OutboundError::Timeout {
        host: target.host.to_string(),
        limit_s: limit.as_secs_f64(),
    }
}

fn server_name(host: &Host<String>) -> io::Result<ServerName<'static>> {
    match host {
        Host::Ipv4(address) => Ok(IpAddr::V4(*address).into()),
        Host::Ipv6(address) => Ok(IpAddr::V6(*address).into()),
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            ServerName::try_from(name).map_err(io::Error::other)
        }
    }
}

/// Path and query go to the request line, host and port to `Host`; nothing else of a URL leaves.
fn address_to(request: &mut Request<Full<Bytes>>, url: &Url) -> Result<(), OutboundError> {
    let unfit = |_| refused("can't be sent");
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| refused("can't be sent"))?;
    let host = HeaderValue::try_from(host).map_err(unfit)?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(())
}

async fn exchange(
    target: &Target,
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, OutboundError> {
    let host = target.host.to_string();
    let failed = |source| OutboundError::Protocol {
        host: target.host.to_string(),
        source,
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEADER_BYTES)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // Its end is the body's end, which the reader sees.
    let connection = Connection(tokio::spawn(connection.map(drop)));
    let response = sender.send_request(request).await.map_err(failed)?;
    Ok(Answer {
        response,
        host,
        connection,
    })
}

/// The `Retry-After` of an answer where it is a number of seconds; dates aren't read.
pub(super) fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
