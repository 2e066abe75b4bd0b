//! One attempt to deliver one message.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::secret::Secret;
use super::secret_file;
use crate::outbound::client::{Answer, Client, retry_after};
use crate::outbound::config::WebhooksConfig;
use crate::outbound::error::{OutboundError, OutboundErrorKind};
use crate::outbound::resolve::{Resolve, SystemResolver};
use crate::outbound::rules::{Rules, refused};
use crate::outbound::trust;

/// Most bytes of an answer's body that are kept.
const EXCERPT_BYTES: usize = 1024;

/// A message and where it goes.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `webhook-id`: the same at every attempt, by which a receiver knows what it had already.
    /// Printable ASCII without a dot.
    pub id: String,
    /// The receiver.
    pub url: Url,
    /// JSON, the same at every attempt.
    pub body: Bytes,
}

/// What an attempt means for the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx: done.
    Delivered,
    /// 410: the receiver wants no more; done as well.
    Gone,
    /// The URL may not be spoken to, by today's rules and addresses: given up.
    Refused,
    /// Anything else, redirections among it: to be tried again ([`super::wait`]).
    Failed,
}

/// How an attempt went, for the log of deliveries.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it began; `webhook-timestamp` is its second.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// What it means.
    pub outcome: Outcome,
    /// HTTP's, where there was an answer.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// The begin of the answer's body, 1 KiB at most, without control characters.
    pub excerpt: String,
    /// How long the receiver asked to wait.
    pub retry_after: Option<Duration>,
}

impl Attempt {
    /// How long it took, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX)
    }

    /// What went wrong: why there was no answer, or the begin of one that is no success.
    pub fn fault(self) -> Option<String> {
        let said = (self.outcome != Outcome::Delivered && !self.excerpt.is_empty())
            .then_some(self.excerpt);
        self.error.or(said)
    }
}

/// Signs and sends messages, under the rules of `[webhooks]`.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    secrets: Vec<Secret>,
}

/// What an answer says.
struct Said {
    status: u16,
    excerpt: String,
    retry_after: Option<Duration>,
}

impl Sender {
    /// With the system's names. `data_dir` holds the secret unless `webhooks.secret_file` does; one
    /// that isn't there is made. Where the section is off, a sender that refuses every URL.
    pub fn open(config: &WebhooksConfig, data_dir: &Path) -> Result<Self, OutboundError> {
        Self::with_resolver(config, data_dir, Arc::new(SystemResolver))
    }

    /// With names of the caller's own.
    pub fn with_resolver(
        config: &WebhooksConfig,
        data_dir: &Path,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, OutboundError> {
        let (tls, secrets) = match (config.enabled, &config.secret_file) {
            (false, _) => (None, Vec::new()),
            (true, named) => {
                let tls = trust::client_config(config.extra_ca.as_deref(), config.allow_http)?;
                let secrets = match named {
                    Some(path) => secret_file::read(path)?,
                    None => secret_file::read_or_make(&data_dir.join("webhooks.secret"))?,
                };
                (Some(tls), secrets)
            }
        };
        let rules = Rules {
            enabled: config.enabled,
            section: "webhooks",
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
        Ok(Self { client, secrets })
    }

    /// Reads a callback's URL and checks its form, host and port, without asking for any address.
    pub fn parse(&self, text: &str) -> Result<Url, OutboundError> {
        self.client.rules.parse(text)
    }

    /// Asks for the addresses of `url`'s host and checks them, without connecting: for the moment
    /// of submission. Every attempt checks again.
    pub async fn check(&self, url: &Url) -> Result<(), OutboundError> {
        self.client.check(url).await
    }

    /// Tries once, at the time `at`. Never follows a redirection.
    pub async fn send(&self, delivery: &Delivery, at: Timestamp) -> Attempt {
        let begin = Instant::now();
        let tried = match self.request(delivery, at) {
            Ok(request) => self.exchange(&delivery.url, request).await,
            Err(error) => Err(error),
        };
        let duration = begin.elapsed();
        match tried {
            Ok(said) => Attempt {
                at,
                duration,
                outcome: outcome(said.status),
                status: Some(said.status),
                error: None,
                excerpt: said.excerpt,
                retry_after: said.retry_after,
            },
            Err(error) => Attempt {
                at,
                duration,
                outcome: match error.kind() {
                    OutboundErrorKind::Refused => Outcome::Refused,
                    OutboundErrorKind::TooLarge
                    | OutboundErrorKind::Transient
                    | OutboundErrorKind::Permanent
                    | OutboundErrorKind::Configuration => Outcome::Failed,
                },
                status: None,
                error: Some(error.to_string()),
                excerpt: String::new(),
                retry_after: None,
            },
        }
    }

    fn request(
        &self,
        delivery: &Delivery,
        at: Timestamp,
    ) -> Result<Request<Full<Bytes>>, OutboundError> {
        let second = at.as_second();
        let signatures = self.secrets.iter();
        let signatures: Vec<String> = signatures
            .filter_map(|secret| secret.sign(&delivery.id, second, &delivery.body))
            .collect();
        let mut request = Request::new(Full::new(delivery.body.clone()));
        *request.method_mut() = Method::POST;
        for (name, value) in [
            ("webhook-id", delivery.id.clone()),
            ("webhook-timestamp", second.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ] {
            let value = HeaderValue::try_from(value).map_err(|_| refused("can't be sent"))?;
            request.headers_mut().insert(name, value);
        }
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        Ok(request)
    }

    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
    ) -> Result<Said, OutboundError> {
        let deadline = self.client.deadline();
        let answer = self.client.send(url, request, deadline).await?;
        let status = answer.response.status().as_u16();
        let retry_after = retry_after(&answer.response);
        Ok(Said {
            status,
            retry_after,
            excerpt: excerpt(answer, deadline).await,
        })
    }
}

fn outcome(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Delivered,
        410 => Outcome::Gone,
        _ => Outcome::Failed,
    }
}

/// The begin of a body, as far as it comes in time: the status has been said, so a body that is slow
/// or cut short changes nothing.
async fn excerpt(mut answer: Answer, deadline: Instant) -> String {
    let mut kept = Vec::with_capacity(EXCERPT_BYTES);
    let body = answer.response.body_mut();
    while kept.len() < EXCERPT_BYTES {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await else {
            break;
        };
        let piece = frame.into_data().unwrap_or_default();
        kept.extend(piece.iter().take(EXCERPT_BYTES - kept.len()));
    }
    let text = String::from_utf8_lossy(&kept);
    text.chars().filter(|c| !c.is_control()).collect()
}
