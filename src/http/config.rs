//! Settings of the HTTP door.

use std::net::SocketAddr;

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
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upload_timeout_s: 300.0,
            drain_notice_s: 0.0,
            drain_s: 30.0,
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
        ] {
            if !(value > 0.0 && value <= 86_400.0) {
                return Err(ConfigError::Value {
                    key,
                    expected: "more than 0 and at most 86400",
                    got: value.to_string(),
                });
            }
        }
        Ok(())
    }
}
