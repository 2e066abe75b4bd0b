//! Settings of the export.

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// `[traces]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// Where an OpenTelemetry collector takes OTLP over HTTP, such as
    /// `http://127.0.0.1:4318/v1/traces`; nothing is exported when absent.
    pub endpoint: Option<String>,
    /// Part of the requests that are traced, 0..=1, where the caller's `traceparent` doesn't say.
    pub sample_ratio: f64,
    /// Finished spans that may wait to be sent; more are dropped.
    pub queue: usize,
    /// Seconds between two messages to the collector.
    pub interval_s: f64,
    /// Seconds that one message may take, and that the end of the server waits for the last one.
    pub timeout_s: f64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample_ratio: 1.0,
            queue: 2048,
            interval_s: 5.0,
            timeout_s: 5.0,
        }
    }
}

impl TracesConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key, expected, got: String| Err(ConfigError::Value { key, expected, got });
        if let Some(endpoint) = self.endpoint.as_ref().filter(|url| !is_endpoint(url)) {
            let expected = "a URL that begins with http:// and has no user";
            return wrong("traces.endpoint", expected, endpoint.clone());
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            let got = self.sample_ratio.to_string();
            return wrong("traces.sample_ratio", "0 to 1", got);
        }
        if !(1..=1_000_000).contains(&self.queue) {
            return wrong("traces.queue", "1..=1000000", self.queue.to_string());
        }
        for (key, value) in [
            ("traces.interval_s", self.interval_s),
            ("traces.timeout_s", self.timeout_s),
        ] {
            if !(value > 0.0 && value <= 60.0) {
                return wrong(key, "more than 0 and at most 60", value.to_string());
            }
        }
        Ok(())
    }
}

/// TLS isn't built in, and a key in a URL would end up in logs.
fn is_endpoint(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "http" && url.username().is_empty() && url.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut TracesConfig);

    #[test]
    fn what_can_not_be_used_is_refused() {
        let told = |change: Change| {
            let mut config = TracesConfig::default();
            change(&mut config);
            config.validate().map_err(|error| error.to_string())
        };
        assert_eq!(told(|_| {}), Ok(()));
        let fine = |config: &mut TracesConfig| {
            config.endpoint = Some("http://127.0.0.1:4318/v1/traces".to_owned());
        };
        assert_eq!(told(fine), Ok(()));
        let changes: [(&str, Change); 7] = [
            ("endpoint", |c| c.endpoint = Some("https://a/b".to_owned())),
            ("endpoint", |c| c.endpoint = Some("http://k@a/b".to_owned())),
            ("endpoint", |c| c.endpoint = Some("127.0.0.1".to_owned())),
            ("sample_ratio", |c| c.sample_ratio = 1.1),
            ("queue", |c| c.queue = 0),
            ("interval_s", |c| c.interval_s = f64::NAN),
            ("timeout_s", |c| c.timeout_s = 61.0),
        ];
        for (key, change) in changes {
            let error = told(change).unwrap_err();
            let begins = format!("configuration: traces.{key} must be ");
            assert!(error.starts_with(&begins), "{error}");
        }
    }
}
