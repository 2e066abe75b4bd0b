//! Settings of batches.

use serde::{Deserialize, Serialize};

use super::survey::Limits;
use crate::config::ConfigError;

/// `[jobs.batches]` in `jaga.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchesConfig {
    /// Lines of a manifest that comes by HTTP.
    pub max_lines: u64,
    /// Bytes of a manifest that comes by HTTP.
    pub max_bytes: u64,
    /// Bytes of one line of any manifest, 1024..=1048576.
    pub max_line_bytes: usize,
    /// Batches of one key that aren't over.
    pub max_open: u64,
    /// Jobs of all batches together that wait or run at the same time, 1..=10000.
    pub window: u64,
}

impl Default for BatchesConfig {
    fn default() -> Self {
        Self {
            max_lines: 100_000,
            max_bytes: 64 * 1024 * 1024,
            max_line_bytes: 16 * 1024,
            max_open: 10,
            window: 100,
        }
    }
}

impl BatchesConfig {
    pub(in crate::worker) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key, expected, got: &dyn std::fmt::Display| {
            Err(ConfigError::Value {
                key,
                expected,
                got: got.to_string(),
            })
        };
        // Each line's id is remembered while a manifest comes in.
        if !(1..=10_000_000).contains(&self.max_lines) {
            let got = &self.max_lines;
            return wrong("jobs.batches.max_lines", "1..=10000000", got);
        }
        if self.max_bytes == 0 {
            return wrong("jobs.batches.max_bytes", "positive", &self.max_bytes);
        }
        if !(1024..=1024 * 1024).contains(&self.max_line_bytes) {
            let got = &self.max_line_bytes;
            return wrong("jobs.batches.max_line_bytes", "1024..=1048576", got);
        }
        if !(1..=10_000).contains(&self.window) {
            return wrong("jobs.batches.window", "1..=10000", &self.window);
        }
        Ok(())
    }

    /// Of a manifest that comes by HTTP.
    pub fn limits(&self) -> Limits {
        Limits {
            lines: self.max_lines,
            bytes: self.max_bytes,
            line_bytes: self.max_line_bytes,
        }
    }
}
