//! Videos by URL: fetched piece by piece, into whatever the caller keeps them in.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION};
use hyper::{Request, Response};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::client::{Answer, Client, Connection, retry_after};
use super::config::FetchConfig;
use super::error::OutboundError;
use super::resolve::{Resolve, SystemResolver};
use super::rules::{Rules, refused};
use super::trust;

/// Fetches what a URL names, under the rules of `[fetch]`.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    max_bytes: u64,
    max_redirects: u8,
}

/// A body that is being fetched. Dropping it ends the connection.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
    host: String,
    deadline: Instant,
    timeout_s: f64,
    limit: u64,
    received: u64,
    declared: Option<u64>,
    _connection: Connection,
}

impl Fetcher {
    /// With the system's names. `max_bytes` is the largest body (`data.max_upload_bytes`). Where
    /// the section is off, one that refuses every URL.
    pub fn open(config: &FetchConfig, max_bytes: u64) -> Result<Self, OutboundError> {
        Self::with_resolver(config, max_bytes, Arc::new(SystemResolver))
    }

    /// With names of the caller's own.
    pub fn with_resolver(
        config: &FetchConfig,
        max_bytes: u64,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, OutboundError> {
        let tls = if config.enabled {
            Some(trust::client_config(
                config.extra_ca.as_deref(),
                config.allow_http,
            )?)
        } else {
            None
        };
        let rules = Rules {
            enabled: config.enabled,
            section: "fetch",
            hosts: config.hosts.clone(),
            ports: config.ports.clone(),
            allow_http: config.allow_http,
            exempt: config.allow_addresses.clone(),
        };
        let client = Client {
            rules,
            resolver,
            tls,
            connect_timeout: config.connect_timeout(),
            timeout: config.timeout(),
        };
        Ok(Self {
            client,
            max_bytes,
            max_redirects: config.max_redirects,
        })
    }

    /// Refuses where the section is off.
    pub fn require_enabled(&self) -> Result<(), OutboundError> {
        self.client.rules.require_enabled()
    }

    /// Reads a URL that a caller sent and checks its form, host and port, without asking for any
    /// address: what can be told before a job is accepted.
    pub fn parse(&self, text: &str) -> Result<Url, OutboundError> {
        self.client.rules.parse(text)
    }

    /// Asks for the addresses of `url`'s host and checks them, without connecting: a refusal that can
    /// be told before a job is accepted. [`Self::fetch`] checks again.
    pub async fn check(&self, url: &Url) -> Result<(), OutboundError> {
        self.client.check(url).await
    }

    /// Fetches `url`, following redirections; each hop is checked as the first URL is. The time
    /// limit covers all of them and the body.
    pub async fn fetch(&self, url: &Url) -> Result<Download, OutboundError> {
        let deadline = self.client.deadline();
        let mut url = url.clone();
        for _ in 0..=self.max_redirects {
            let request = Request::new(Full::new(Bytes::new()));
            let answer = self.client.send(&url, request, deadline).await?;
            match redirection(&url, &answer.response)? {
                Some(next) => url = next,
                None => return self.download(answer, deadline),
            }
        }
        Err(OutboundError::Redirects {
            limit: self.max_redirects,
        })
    }

    fn download(&self, answer: Answer, deadline: Instant) -> Result<Download, OutboundError> {
        let Answer {
            response,
            host,
            connection,
        } = answer;
        // 206 and its like aren't the whole file.
        if response.status() != hyper::StatusCode::OK {
            return Err(OutboundError::Status {
                host,
                status: response.status().as_u16(),
                retry_after: retry_after(&response),
            });
        }
        let encoding = response.headers().get(CONTENT_ENCODING);
        if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(OutboundError::Encoded { host });
        }
        let declared = declared(&response);
        let limit = self.max_bytes;
        if declared.is_some_and(|bytes| bytes > limit) {
            return Err(OutboundError::TooLarge { limit, declared });
        }
        Ok(Download {
            body: response.into_body(),
            host,
            deadline,
            timeout_s: self.client.timeout.as_secs_f64(),
            limit,
            received: 0,
            declared,
            _connection: connection,
        })
    }
}

impl Download {
    /// The length that was announced, already checked against the limit.
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The next piece; `None` after the last one of a body that came whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, OutboundError> {
        loop {
            let frame = timeout_at(self.deadline, self.body.frame()).await;
            let frame = frame.map_err(|_| OutboundError::Timeout {
                host: self.host.clone(),
                limit_s: self.timeout_s,
            })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|source| OutboundError::Protocol {
                host: self.host.clone(),
                source,
            })?;
            // Trailers are of no use.
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.received = self.received.saturating_add(length);
            if self.received > self.limit {
                return Err(OutboundError::TooLarge {
                    limit: self.limit,
                    declared: None,
                });
            }
            return Ok(Some(piece));
        }
    }
}

fn declared(response: &Response<Incoming>) -> Option<u64> {
    let value = response.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// Where an answer sends us. From https a redirection never leads to http.
fn redirection(from: &Url, response: &Response<Incoming>) -> Result<Option<Url>, OutboundError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let unreadable = || refused("of a redirection can't be read");
    let location = response.headers().get(LOCATION).ok_or_else(unreadable)?;
    let location = location.to_str().map_err(|_| unreadable())?;
    let to = from.join(location).map_err(|_| unreadable())?;
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(refused("of a redirection must begin with https:"));
    }
    Ok(Some(to))
}
