//! What can go wrong on the way out.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::address::Special;

/// A fault of a fetch or of a delivery.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The section of the configuration is off.
    #[error("{section}.enabled is false on this server")]
    Off {
        /// `fetch` or `webhooks`.
        section: &'static str,
    },
    /// The URL's form is refused.
    #[error("the URL {fault}")]
    Url {
        /// What it is or has.
        fault: &'static str,
    },
    /// The host isn't listed in the configuration.
    #[error("the host {host} is not among those that this server may speak to")]
    Host {
        /// As written.
        host: String,
    },
    /// The port isn't listed in the configuration.
    #[error("the port {port} is not among those that this server may speak to")]
    Port {
        /// As written, or the scheme's.
        port: u16,
    },
    /// An address of the host isn't public. The address is for the log, not for the caller, who
    /// would learn names of the inside by it.
    #[error("the host {host} has an address that is not public")]
    Address {
        /// As written.
        host: String,
        /// The first address that is refused.
        address: IpAddr,
        /// Why.
        special: Special,
    },
    /// The name has no address, or none can be found now.
    #[error("the host {host} can't be found")]
    Resolve {
        /// As written.
        host: String,
        /// Why not; `None` where it has no address.
        #[source]
        source: Option<io::Error>,
    },
    /// No address answers, or not with TLS that can be trusted.
    #[error("can't connect to {host}")]
    Connect {
        /// As written.
        host: String,
        /// The last address' fault.
        #[source]
        source: io::Error,
    },
    /// What comes is no HTTP, or ends too early.
    #[error("{host} doesn't answer in order")]
    Protocol {
        /// As written.
        host: String,
        /// What is wrong.
        #[source]
        source: hyper::Error,
    },
    /// It took too long.
    #[error("{host} took more than {limit_s} s")]
    Timeout {
        /// As written.
        host: String,
        /// The limit.
        limit_s: f64,
    },
    /// An answer other than success.
    #[error("{host} answered {status}")]
    Status {
        /// As written.
        host: String,
        /// HTTP's.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Too many redirections.
    #[error("more than {limit} redirections")]
    Redirects {
        /// How many are followed.
        limit: u8,
    },
    /// The body is compressed, which wasn't asked for.
    #[error("{host} answered with a content-encoding, which was not asked for")]
    Encoded {
        /// As written.
        host: String,
    },
    /// The body is larger than allowed.
    #[error("the file has more than {limit} bytes")]
    TooLarge {
        /// Bytes that are allowed.
        limit: u64,
        /// Bytes that were declared, if any were.
        declared: Option<u64>,
    },
    /// A file of the configuration can't be used.
    #[error("can't use {}: {expected}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What it has to be.
        expected: &'static str,
        /// Why it can't be read, where that is so.
        #[source]
        source: Option<io::Error>,
    },
    /// There is nothing to trust.
    #[error("no root certificates: set extra_ca, or install the system's (ca-certificates)")]
    NoRoots,
    /// TLS or random numbers aren't to be had.
    #[error("can't set up {what}")]
    Setup {
        /// What for.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Classes of faults, for the doors to turn into codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundErrorKind {
    /// The URL may not be spoken to: 422 `bad_url`, or `bad_callback` for a callback. Trying again
    /// changes nothing.
    Refused,
    /// 413 `too_large`
    TooLarge,
    /// The other side failed in a way that can pass: try again; 502 `fetch_failed` in the end.
    Transient,
    /// The other side says no: 502 `fetch_failed` at once.
    Permanent,
    /// The server is set up wrongly: `internal`
    Configuration,
}

impl OutboundError {
    /// The class of this fault.
    pub fn kind(&self) -> OutboundErrorKind {
        match self {
            Self::Off { .. }
            | Self::Url { .. }
            | Self::Host { .. }
            | Self::Port { .. }
            | Self::Address { .. } => OutboundErrorKind::Refused,
            Self::TooLarge { .. } => OutboundErrorKind::TooLarge,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Protocol { .. }
            | Self::Timeout { .. } => OutboundErrorKind::Transient,
            Self::Status { status, .. } if can_pass(*status) => OutboundErrorKind::Transient,
            Self::Status { .. } | Self::Redirects { .. } | Self::Encoded { .. } => {
                OutboundErrorKind::Permanent
            }
            Self::File { .. } | Self::NoRoots | Self::Setup { .. } => {
                OutboundErrorKind::Configuration
            }
        }
    }

    /// How long the other side asked to wait, where it did.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Status { retry_after, .. } = self {
            *retry_after
        } else {
            None
        }
    }
}

/// Statuses after which the same request may succeed: too early, too many, too slow, and the
/// server's own faults but for "not implemented" and its like.
fn can_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}
