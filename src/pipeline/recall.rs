//! Reports that are given again for the same upload under the same terms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::domain::report::Report;

/// `[analysis.recall]` in `jaga.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecallConfig {
    /// Bytes of reports, as JSON, that are kept in memory; 0 for none.
    pub max_bytes: u64,
    /// Seconds that one is kept.
    pub max_age_s: f64,
}

impl Default for RecallConfig {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_age_s: 3600.0,
        }
    }
}

impl RecallConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        // A report says by which rules of which day it was decided; much older ones are of no use.
        if self.max_age_s > 0.0 && self.max_age_s <= 86_400.0 {
            return Ok(());
        }
        Err(ConfigError::Value {
            key: "analysis.recall.max_age_s",
            expected: "more than 0 and at most 86400",
            got: self.max_age_s.to_string(),
        })
    }
}

/// A report that was made before.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// The same one, with its id and its times.
    pub report: Arc<Report>,
    /// Since when it is there.
    since: Instant,
    bytes: u32,
}

impl Recalled {
    /// How old it is.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

/// The reports that are kept, the least useful dropped first where there are too many bytes.
#[derive(Debug)]
pub(super) struct Recall(Option<Cache<blake3::Hash, Recalled>>);

impl Recall {
    pub(super) fn new(config: RecallConfig) -> Self {
        let cache = || {
            Cache::builder()
                .max_capacity(config.max_bytes)
                .weigher(|_, kept: &Recalled| kept.bytes)
                .time_to_live(Duration::from_secs_f64(config.max_age_s))
                .build()
        };
        Self((config.max_bytes > 0).then(cache))
    }

    /// The report of the upload `blake3` under `terms`, whatever made it.
    pub(super) fn find(&self, blake3: &str, terms: &Terms<'_>) -> Option<Recalled> {
        let cache = self.0.as_ref()?;
        cache.get(&key(blake3, terms)?)
    }

    /// Keeps `report`, which was made under `terms`.
    pub(super) fn keep(&self, report: &Arc<Report>, terms: &Terms<'_>) {
        let Some(cache) = &self.0 else { return };
        let bytes = serde_json::to_vec(&**report).map_or(usize::MAX, |json| json.len());
        let key = key(&report.media.blake3, terms);
        let fits = cache.policy().max_capacity() >= Some(bytes as u64);
        let Some(key) = key.filter(|_| fits) else {
            return;
        };
        cache.insert(
            key,
            Recalled {
                report: Arc::clone(report),
                since: Instant::now(),
                bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            },
        );
        // What is too much goes now, and not when somebody looks again.
        cache.run_pending_tasks();
    }
}

/// What a report depends on besides its upload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Terms<'a> {
    /// Hash of plan, models, policy, lane and limits, as in the receipt.
    pub(super) config_blake3: &'a str,
    /// Rules of a policy have dates.
    pub(super) today: jiff::civil::Date,
    /// Whether every frame's score is in it.
    pub(super) frame_scores: bool,
}

fn key(blake3: &str, terms: &Terms<'_>) -> Option<blake3::Hash> {
    let named = serde_json::to_vec(&(blake3, terms)).ok()?;
    Some(blake3::hash(&named))
}
