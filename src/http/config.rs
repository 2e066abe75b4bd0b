//! Settings of the HTTP door.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

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
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upload_timeout_s: 300.0,
            drain_notice_s: 0.0,
            drain_s: 30.0,
            max_connections: 1024,
            header_timeout_s: 10.0,
            idle_timeout_s: 60.0,
            min_upload_bytes_per_s: 8192,
            min_response_bytes_per_s: 1024,
            pace_window_s: 10.0,
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
        Ok(())
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
