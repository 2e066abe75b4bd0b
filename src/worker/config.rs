//! Settings of jobs.

use std::time::Duration;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::batches::BatchesConfig;
use crate::config::ConfigError;
use crate::domain::flag::Organisation;
use crate::domain::lanes::ByLane;
use crate::store::jobs::Capacity;

/// `[jobs]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsConfig {
    /// Attempts at one job, 1..=100; faults that can pass and crashes count.
    pub max_attempts: u32,
    /// Seconds before the second attempt; doubled with each further one.
    pub backoff_s: f64,
    /// Seconds between attempts at most.
    pub max_backoff_s: f64,
    /// Seconds without a sign of life after which an attempt counts as dead.
    pub lease_s: f64,
    /// Jobs that may be queued in each lane.
    pub max_queued: QueuedConfig,
    /// Bytes that the uploads of unfinished jobs may take.
    pub max_bytes: u64,
    /// Bytes that stay free on the disk: with fewer no job is accepted, so that those that are can end.
    pub min_free_bytes: u64,
    /// Days for which finished jobs and reports are kept.
    pub keep_days: u32,
    /// Days for which reports are counted, and decisions on them kept; no fewer than `keep_days`.
    pub keep_counts_days: u32,
    /// Hours for which an `Idempotency-Key` is remembered.
    pub idempotency_hours: u32,
    /// Whether the reports of `/v1/score` are kept as well.
    pub keep_scores: bool,
    /// Many jobs from one manifest.
    pub batches: BatchesConfig,
    /// What trusted reporters are promised.
    pub flags: FlagsConfig,
}

/// `[jobs.flags]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlagsConfig {
    /// Seconds in which a flag is to be answered.
    pub due_s: f64,
    /// The same for single organisations.
    pub due_s_of: BTreeMap<Organisation, f64>,
    /// Days for which flags that are over are counted.
    pub keep_days: u32,
}

impl Default for FlagsConfig {
    fn default() -> Self {
        Self {
            due_s: 3600.0,
            due_s_of: BTreeMap::new(),
            keep_days: 1100,
        }
    }
}

impl FlagsConfig {
    /// Time in which a flag of `organisation` is to be answered.
    pub fn due(&self, organisation: &Organisation) -> Duration {
        let own = self.due_s_of.get(organisation).copied();
        Duration::from_secs_f64(own.unwrap_or(self.due_s))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key, expected, got| Err(ConfigError::Value { key, expected, got });
        let is_time = |seconds: &f64| (1.0..=31_536_000.0).contains(seconds);
        if !is_time(&self.due_s) {
            let got = self.due_s.to_string();
            return wrong("jobs.flags.due_s", "1..=31536000", got);
        }
        if let Some((name, value)) = self.due_s_of.iter().find(|(_, s)| !is_time(s)) {
            let got = format!("{value} of {name}");
            return wrong("jobs.flags.due_s_of", "1..=31536000", got);
        }
        if !(1..=36_500).contains(&self.keep_days) {
            let got = self.keep_days.to_string();
            return wrong("jobs.flags.keep_days", "1..=36500", got);
        }
        Ok(())
    }
}

/// `[jobs.max_queued]` in `jaga.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueuedConfig {
    /// Of trusted reporters.
    pub flagger: u64,
    /// Of ordinary uploads.
    pub live: u64,
    /// Of the catalogue.
    pub backfill: u64,
}

impl Default for QueuedConfig {
    fn default() -> Self {
        Self {
            flagger: 10_000,
            live: 100_000,
            backfill: 100_000,
        }
    }
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            backoff_s: 5.0,
            max_backoff_s: 600.0,
            lease_s: 60.0,
            max_queued: QueuedConfig::default(),
            max_bytes: 64 * 1024 * 1024 * 1024,
            min_free_bytes: 256 * 1024 * 1024,
            keep_days: 90,
            keep_counts_days: 1830,
            idempotency_hours: 24,
            keep_scores: true,
            batches: BatchesConfig::default(),
            flags: FlagsConfig::default(),
        }
    }
}

impl JobsConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key, expected, got: &dyn std::fmt::Display| {
            Err(ConfigError::Value {
                key,
                expected,
                got: got.to_string(),
            })
        };
        if !(1..=100).contains(&self.max_attempts) {
            return wrong("jobs.max_attempts", "1..=100", &self.max_attempts);
        }
        for (key, value) in [
            ("jobs.backoff_s", self.backoff_s),
            ("jobs.max_backoff_s", self.max_backoff_s),
            ("jobs.lease_s", self.lease_s),
        ] {
            if !(0.1..=86_400.0).contains(&value) {
                return wrong(key, "0.1..=86400", &value);
            }
        }
        if !(1..=3650).contains(&self.keep_days) {
            return wrong("jobs.keep_days", "1..=3650", &self.keep_days);
        }
        if !(self.keep_days..=36_500).contains(&self.keep_counts_days) {
            let got = &self.keep_counts_days;
            return wrong("jobs.keep_counts_days", "jobs.keep_days to 36500", got);
        }
        if !(1..=720).contains(&self.idempotency_hours) {
            let got = &self.idempotency_hours;
            return wrong("jobs.idempotency_hours", "1..=720", got);
        }
        self.flags.validate()?;
        self.batches.validate()
    }

    /// What the store may hold.
    pub fn capacity(&self) -> Capacity {
        let QueuedConfig {
            flagger,
            live,
            backfill,
        } = self.max_queued;
        Capacity {
            queued: ByLane {
                flagger,
                live,
                backfill,
            },
            bytes: self.max_bytes,
        }
    }

    pub(super) fn lease(&self) -> Duration {
        Duration::from_secs_f64(self.lease_s)
    }
}
