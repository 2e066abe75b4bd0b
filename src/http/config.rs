//! Settings of the HTTP door.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Whether callers need an API key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// They do, unless the listener is a loopback address and no proxy is trusted.
    #[default]
    Auto,
    /// They do.
    Required,
    /// They don't; only on a loopback address.
    Off,
}

/// The header in which a proxy names the client's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, a list to which each proxy adds.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// As it comes.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// `[limits]` in `jaga.toml`: how often one caller may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests a minute with one key; 0: no limit.
    pub key_requests_per_minute: u32,
    /// How many of them may come at once.
    pub key_burst: NonZeroU32,
    /// Requests a minute from one address (IPv6: one /64) without a valid key; 0: no limit.
    pub address_requests_per_minute: u32,
    /// How many of them may come at once.
    pub address_burst: NonZeroU32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
        Self {
            key_requests_per_minute: 600,
            key_burst: BURST,
            address_requests_per_minute: 60,
            address_burst: BURST,
        }
    }
}

/// `[server.tls]` in `jaga.toml`: both files, or none for a server without TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// The certificate and those that lead to its root, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// `[server]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one, which the log names.
    pub listen: SocketAddr,
    /// Seconds that sending an upload may take.
    pub upload_timeout_s: f64,
    /// Seconds after a signal to stop in which `/readyz` answers 503 already and work is still taken,
    /// so that a balancer can turn away first.
    pub drain_notice_s: f64,
    /// Seconds that requests then have to finish.
    pub drain_s: f64,
    /// Whether callers need an API key.
    pub auth: Auth,
    /// Networks of the proxies whose header about the client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they name it.
    pub forwarded_header: ForwardedHeader,
    /// Connections at a time; one more is answered 503 and closed.
    pub max_connections: u32,
    /// Seconds for a request's header lines, counted from the connection's begin or from the
    /// request's first byte.
    pub header_timeout_s: f64,
    /// Seconds that a connection may be without a request.
    pub idle_timeout_s: f64,
    /// Bytes a second that an upload has to bring, averaged over `pace_window_s`; 0: no limit.
    pub min_upload_bytes_per_s: u32,
    /// Bytes a second that the reader of an answer has to take, averaged likewise; 0: no limit.
    pub min_response_bytes_per_s: u32,
    /// Seconds over which both are averaged.
    pub pace_window_s: f64,
    /// The certificate; without one there is no TLS.
    pub tls: TlsConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upload_timeout_s: 300.0,
            drain_notice_s: 0.0,
            drain_s: 30.0,
            auth: Auth::Auto,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            max_connections: 1024,
            header_timeout_s: 10.0,
            idle_timeout_s: 60.0,
            min_upload_bytes_per_s: 8192,
            min_response_bytes_per_s: 1024,
            pace_window_s: 10.0,
            tls: TlsConfig::default(),
        }
    }
}

impl ServerConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(0.0..=3600.0).contains(&self.drain_notice_s) {
            return Err(ConfigError::Value {
                key: "server.drain_notice_s",
                expected: "at least 0 and at most 3600",
                got: self.drain_notice_s.to_string(),
            });
        }
        for (key, value) in [
            ("server.upload_timeout_s", self.upload_timeout_s),
            ("server.drain_s", self.drain_s),
            ("server.header_timeout_s", self.header_timeout_s),
            ("server.idle_timeout_s", self.idle_timeout_s),
            ("server.pace_window_s", self.pace_window_s),
        ] {
            if !(value > 0.0 && value <= 86_400.0) {
                return Err(ConfigError::Value {
                    key,
                    expected: "more than 0 and at most 86400",
                    got: value.to_string(),
                });
            }
        }
        if !(1..=1_000_000).contains(&self.max_connections) {
            return Err(ConfigError::Value {
                key: "server.max_connections",
                expected: "1..=1000000",
                got: self.max_connections.to_string(),
            });
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(ConfigError::Value {
                key: "server.tls",
                expected: "both certificate and key, or neither",
                got: "one of them".to_owned(),
            });
        }
        Ok(())
    }

    /// Whether a server that listens on `address` asks for keys. One that others can reach has to.
    pub fn asks_for_keys(&self, address: SocketAddr) -> Result<bool, ConfigError> {
        let near = address.ip().to_canonical().is_loopback();
        match self.auth {
            Auth::Required => Ok(true),
            // Behind a proxy, everybody comes from a loopback address.
            Auth::Auto => Ok(!near || !self.trusted_proxies.is_empty()),
            Auth::Off if near => Ok(false),
            Auth::Off => Err(ConfigError::Value {
                key: "server.auth",
                expected: "auto or required unless the listener is a loopback address",
                got: format!("off (listening on {address})"),
            }),
        }
    }

    /// Whether what is sent to a server that listens on `address` can be read on the way, for all
    /// that it knows.
    pub(super) fn in_the_clear(&self, address: SocketAddr) -> bool {
        let near = address.ip().to_canonical().is_loopback();
        !near && self.tls.certificate.is_none() && self.trusted_proxies.is_empty()
    }

    /// Bytes in a window of `pace_window_s` at a rate.
    pub(super) fn least_in_window(&self, bytes_per_s: u32) -> u64 {
        Duration::from_secs_f64(self.pace_window_s)
            .as_millis()
            .saturating_mul(bytes_per_s.into())
            .checked_div(1000)
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_for_others_is_in_the_clear_without_tls_and_proxy() {
        let (near, far) = (
            SocketAddr::from(([127, 0, 0, 1], 1)),
            SocketAddr::from(([0; 4], 1)),
        );
        let mut config = ServerConfig::default();
        assert!(config.in_the_clear(far) && !config.in_the_clear(near));
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        assert!(!config.in_the_clear(far));
        config.trusted_proxies.clear();
        config.tls.certificate = Some("certificate.pem".into());
        assert!(!config.in_the_clear(far));
        assert!(config.validate().is_err(), "a certificate without its key");
    }

    #[test]
    fn whoever_can_be_reached_asks_for_keys() {
        let asks = |auth, trusted: &[&str], address: &str| {
            let config = ServerConfig {
                auth,
                trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
                ..ServerConfig::default()
            };
            config.asks_for_keys(address.parse().unwrap()).ok()
        };
        for near in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(asks(Auth::Auto, &[], near), Some(false));
            assert_eq!(asks(Auth::Auto, &["127.0.0.1/32"], near), Some(true));
            assert_eq!(asks(Auth::Required, &[], near), Some(true));
            assert_eq!(asks(Auth::Off, &[], near), Some(false));
        }
        for far in ["0.0.0.0:1", "[::]:1", "192.168.0.1:1"] {
            assert_eq!(asks(Auth::Auto, &[], far), Some(true));
            assert_eq!(asks(Auth::Off, &[], far), None);
        }
    }
}
