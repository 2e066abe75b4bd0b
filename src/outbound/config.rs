//! Settings of what goes out.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use url::Host;

use crate::config::ConfigError;

/// Which hosts may be spoken to: `*` (any), `*.example.org` (any below it), or one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// Any.
    Any,
    /// Names that end with a dot and this.
    Below(String),
    /// This name or address.
    One(Host<String>),
}

/// What isn't a pattern.
#[derive(Debug, Clone, thiserror::Error)]
#[error("hosts must be \"*\", a host, or \"*.\" and a host, not {0:?}")]
pub struct NoHostPattern(String);

impl HostPattern {
    /// Whether a URL's host is meant.
    pub(super) fn fits(&self, host: &Host<&str>) -> bool {
        let plain = |name: &str| name.strip_suffix('.').unwrap_or(name).to_owned();
        match (self, host) {
            (Self::Any, _) => true,
            (Self::One(Host::Domain(own)), Host::Domain(name)) => *own == plain(name),
            (Self::One(Host::Ipv4(own)), Host::Ipv4(address)) => own == address,
            (Self::One(Host::Ipv6(own)), Host::Ipv6(address)) => own == address,
            (Self::Below(own), Host::Domain(name)) => {
                let name = plain(name);
                let labels = name.strip_suffix(own.as_str());
                labels.is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
            (Self::One(_) | Self::Below(_), _) => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = NoHostPattern;

    fn from_str(text: &str) -> Result<Self, NoHostPattern> {
        let wrong = || NoHostPattern(text.to_owned());
        if text == "*" {
            return Ok(Self::Any);
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        // The star stands at the begin or nowhere.
        if name.contains('*') {
            return Err(wrong());
        }
        match (Host::parse(name).map_err(|_| wrong())?, below) {
            (Host::Domain(name), true) => Ok(Self::Below(name)),
            (Host::Ipv4(_) | Host::Ipv6(_), true) => Err(wrong()),
            (host, false) => Ok(Self::One(host)),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = NoHostPattern;

    fn try_from(text: String) -> Result<Self, NoHostPattern> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

impl Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::One(host) => Display::fmt(host, f),
        }
    }
}

/// `[fetch]` in `jaga.toml`: videos by URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchConfig {
    /// Whether a job may name a URL.
    pub enabled: bool,
    /// Hosts that may be spoken to.
    pub hosts: Vec<HostPattern>,
    /// Ports that may be spoken to.
    #[serde(deserialize_with = "ports")]
    pub ports: Vec<u16>,
    /// Whether a URL may begin with `http:`.
    pub allow_http: bool,
    /// Networks that may be spoken to although they aren't public.
    pub allow_addresses: Vec<IpNet>,
    /// Root certificates besides the system's, PEM.
    pub extra_ca: Option<PathBuf>,
    /// Redirections that are followed, 0..=10.
    pub max_redirects: u8,
    /// Seconds for the name, the connection and TLS, of each hop.
    pub connect_timeout_s: f64,
    /// Seconds for everything.
    pub timeout_s: f64,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            hosts: Vec::new(),
            ports: vec![443],
            allow_http: false,
            allow_addresses: Vec::new(),
            extra_ca: None,
            max_redirects: 5,
            connect_timeout_s: 10.0,
            timeout_s: 300.0,
        }
    }
}

impl FetchConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), ConfigError> {
        some_hosts("fetch.hosts", self.enabled, &self.hosts)?;
        some_ports("fetch.ports", &self.ports)?;
        if self.max_redirects > 10 {
            return Err(ConfigError::Value {
                key: "fetch.max_redirects",
                expected: "0..=10",
                got: self.max_redirects.to_string(),
            });
        }
        seconds("fetch.connect_timeout_s", self.connect_timeout_s)?;
        seconds("fetch.timeout_s", self.timeout_s)
    }

    /// For the name, the connection and TLS.
    pub(super) fn connect_timeout(&self) -> Duration {
        duration(self.connect_timeout_s)
    }

    /// For everything.
    pub(super) fn timeout(&self) -> Duration {
        duration(self.timeout_s)
    }
}

/// `[webhooks]` in `jaga.toml`: callbacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Whether a job may name a callback.
    pub enabled: bool,
    /// Hosts that may be called.
    pub hosts: Vec<HostPattern>,
    /// Ports that may be called.
    #[serde(deserialize_with = "ports")]
    pub ports: Vec<u16>,
    /// Whether a URL may begin with `http:`.
    pub allow_http: bool,
    /// Networks that may be called although they aren't public.
    pub allow_addresses: Vec<IpNet>,
    /// Root certificates besides the system's, PEM.
    pub extra_ca: Option<PathBuf>,
    /// What messages are signed with; absent: `webhooks.secret` in the data directory.
    pub secret_file: Option<PathBuf>,
    /// Seconds for the name, the connection and TLS.
    pub connect_timeout_s: f64,
    /// Seconds for a whole attempt.
    pub timeout_s: f64,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            hosts: Vec::new(),
            ports: vec![443],
            allow_http: false,
            allow_addresses: Vec::new(),
            extra_ca: None,
            secret_file: None,
            connect_timeout_s: 10.0,
            timeout_s: 20.0,
        }
    }
}

impl WebhooksConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), ConfigError> {
        some_hosts("webhooks.hosts", self.enabled, &self.hosts)?;
        some_ports("webhooks.ports", &self.ports)?;
        seconds("webhooks.connect_timeout_s", self.connect_timeout_s)?;
        seconds("webhooks.timeout_s", self.timeout_s)
    }

    /// For the name, the connection and TLS.
    pub(super) fn connect_timeout(&self) -> Duration {
        duration(self.connect_timeout_s)
    }

    /// For a whole attempt.
    pub(super) fn timeout(&self) -> Duration {
        duration(self.timeout_s)
    }
}

/// A list, or one port alone: all that a variable without a comma can say.
fn ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    struct Ports;

    impl<'de> Visitor<'de> for Ports {
        type Value = Vec<u16>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of ports")
        }

        fn visit_i64<E: de::Error>(self, port: i64) -> Result<Vec<u16>, E> {
            let port = u16::try_from(port);
            let port = port.map_err(|_| E::custom("ports must be 1..=65535"))?;
            Ok(vec![port])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut ports: A) -> Result<Vec<u16>, A::Error> {
            let mut read = Vec::new();
            while let Some(port) = ports.next_element()? {
                read.push(port);
            }
            Ok(read)
        }
    }

    deserializer.deserialize_any(Ports)
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn seconds(key: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value <= 86_400.0 {
        return Ok(());
    }
    Err(ConfigError::Value {
        key,
        expected: "more than 0 and at most 86400",
        got: value.to_string(),
    })
}

fn some_hosts(key: &'static str, enabled: bool, hosts: &[HostPattern]) -> Result<(), ConfigError> {
    if !enabled || !hosts.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Value {
        key,
        expected: "a list of hosts, or [\"*\"] for any public one, where the section is enabled",
        got: "[]".to_owned(),
    })
}

fn some_ports(key: &'static str, ports: &[u16]) -> Result<(), ConfigError> {
    if !ports.is_empty() && !ports.contains(&0) {
        return Ok(());
    }
    Err(ConfigError::Value {
        key,
        expected: "a list of ports, 1..=65535",
        got: format!("{ports:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_and_written() {
        for (text, written) in [
            ("*", "*"),
            ("Videos.Example.ORG.", "videos.example.org"),
            ("*.example.org", "*.example.org"),
            ("1.1.1.1", "1.1.1.1"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), written);
        }
        for wrong in [
            "",
            "*.",
            "a.*.org",
            "*example.org",
            "https://a.org",
            "*.1.1.1.1",
            "a b",
        ] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_on_needs_hosts() {
        let mut config = FetchConfig::default();
        config.validate().unwrap();
        config.enabled = true;
        assert!(config.validate().is_err());
        config.hosts = vec![HostPattern::Any];
        config.validate().unwrap();
        config.ports = vec![0];
        assert!(config.validate().is_err());
    }
}
