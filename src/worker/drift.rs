//! How live scores are distributed, and how far that is from what they are compared with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::now;
use crate::config::ConfigError;
use crate::domain::drift::{Drift, DriftReference, ModelReference, Population, ScoreHistogram};
use crate::domain::lanes::Lane;
use crate::domain::report::Report;
use crate::store::JobsError;
use crate::store::jobs::Millis;
use crate::store::scores::{Bundle, Day, ScoreStore, Scores};

const DAY_MS: Millis = 86_400_000;

/// `[drift]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftConfig {
    /// Files that `jaga eval` or `jaga drift --save` wrote.
    pub references: Vec<PathBuf>,
    /// Whose scores of a reference live ones are compared with.
    pub population: Population,
    /// Days that are compared, today among them, 1..=90.
    pub days: u16,
    /// Live scores below which nothing is said.
    pub min_scores: u64,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self {
            references: Vec::new(),
            population: Population::Real,
            days: 7,
            min_scores: 500,
        }
    }
}

impl DriftConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if (1..=90).contains(&self.days) {
            return Ok(());
        }
        Err(ConfigError::Value {
            key: "drift.days",
            expected: "1..=90",
            got: self.days.to_string(),
        })
    }

    /// The references, by model; a later file's come before an earlier one's.
    pub fn read(&self) -> Result<BTreeMap<String, ModelReference>, ConfigError> {
        let mut models = BTreeMap::new();
        for path in &self.references {
            let wrong = |fault: String| ConfigError::Value {
                key: "drift.references",
                expected: "files that `jaga eval` or `jaga drift --save` wrote",
                got: format!("{}: {fault}", path.display()),
            };
            let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
            let reference =
                DriftReference::parse(&text).map_err(|fault| wrong(fault.to_string()))?;
            models.extend(reference.models);
        }
        Ok(models)
    }
}

/// A model's live scores beside its reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Live scores of the days that are compared.
    pub live: ScoreHistogram,
    /// How far they are away; `None` with too few scores, or without a reference of this bundle.
    pub drift: Option<Drift>,
    /// Why there is none.
    pub reason: Option<&'static str>,
}

/// What to compare with.
#[derive(Debug, Default)]
pub struct Yardstick {
    config: DriftConfig,
    references: BTreeMap<String, ModelReference>,
}

impl Yardstick {
    /// Reads the references that `config` names.
    pub fn open(config: &DriftConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            config: config.clone(),
            references: config.read()?,
        })
    }

    /// Compares the newest days of `store`.
    pub async fn compare(
        &self,
        store: &(impl ScoreStore + ?Sized),
    ) -> Result<BTreeMap<Bundle, Compared>, JobsError> {
        let days = Day::from(self.config.days).saturating_sub(1);
        let scores = store.scores(today().saturating_sub(days)).await?;
        let compared = scores.into_iter().map(|(bundle, live)| {
            let compared = self.against_reference(&bundle, live);
            (bundle, compared)
        });
        Ok(compared.collect())
    }

    fn against_reference(&self, bundle: &Bundle, live: ScoreHistogram) -> Compared {
        let reference = self.references.get(&bundle.model);
        let told = match reference {
            None => Err("no reference"),
            Some(reference) if reference.sha256 != bundle.sha256 => {
                Err("the reference is of another version of the bundle")
            }
            Some(_) if live.total() < self.config.min_scores => Err("too few live scores"),
            Some(reference) => {
                let expected = reference.of(self.config.population);
                let drift = expected.and_then(|expected| live.drift(expected));
                drift.ok_or("the reference has no score of this population")
            }
        };
        Compared {
            live,
            drift: told.ok(),
            reason: told.err(),
        }
    }
}

/// Scores that were given since they were written down last.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<Day, Scores>>);

impl Tally {
    /// Notes the scores of a new report. Only the live lane shows what comes in by itself: flags are
    /// chosen, and a back catalogue is of other days.
    pub(super) fn note(&self, report: &Report, lane: Lane) {
        if lane != Lane::Live {
            return;
        }
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let scores = days.entry(today()).or_default();
        for model in &report.models {
            let Some(score) = model.score else { continue };
            let bundle = Bundle {
                model: model.name.clone(),
                sha256: model.sha256.clone(),
            };
            scores.entry(bundle).or_default().add(score.get());
        }
    }

    fn take(&self) -> BTreeMap<Day, Scores> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what could not be written down.
    fn give_back(&self, day: Day, scores: Scores) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = days.entry(day).or_default();
        for (bundle, histogram) in scores {
            let kept = kept.entry(bundle).or_default();
            for (bin, count) in histogram.counts().iter().enumerate() {
                kept.add_to(bin, *count);
            }
        }
    }
}

impl Desk {
    /// The live scores of the newest days beside their references.
    pub async fn drift(&self) -> Result<BTreeMap<Bundle, Compared>, JobsError> {
        self.keep_scores().await?;
        self.yardstick.compare(self.store()).await
    }

    /// Writes down how the newest scores are distributed. A kill loses those since the last time.
    pub async fn keep_scores(&self) -> Result<(), JobsError> {
        for (day, scores) in self.tally.take() {
            if let Err(error) = self.store.add_scores(day, &scores).await {
                self.tally.give_back(day, scores);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Days for which distributions are kept.
const KEPT: Day = 400;

/// Days before this one are forgotten.
pub(super) fn forgotten() -> Day {
    today().saturating_sub(KEPT)
}

/// Today, as the store counts.
fn today() -> Day {
    now().div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yardstick(sha256: &str, min_scores: u64) -> Yardstick {
        let mut expected = ScoreHistogram::default();
        expected.add_to(2, 1000);
        let reference = ModelReference {
            version: "1".to_owned(),
            sha256: sha256.to_owned(),
            histograms: BTreeMap::from([(Population::Real, expected)]),
        };
        Yardstick {
            config: DriftConfig {
                min_scores,
                ..DriftConfig::default()
            },
            references: BTreeMap::from([("m".to_owned(), reference)]),
        }
    }

    #[test]
    fn live_scores_are_compared_with_a_reference_of_the_same_bundle() {
        let bundle = |model: &str| Bundle {
            model: model.to_owned(),
            sha256: "ab".to_owned(),
        };
        let mut live = ScoreHistogram::default();
        live.add_to(18, 100);
        let of = |yardstick: Yardstick, model| yardstick.against_reference(&bundle(model), live);
        let drift = of(yardstick("ab", 100), "m").drift.unwrap();
        assert!(
            drift.psi > 1.0 && (drift.ks - 1.0).abs() < 1e-12,
            "{drift:?}"
        );
        let reason = |yardstick, model| of(yardstick, model).reason.unwrap();
        assert_eq!(reason(yardstick("ab", 101), "m"), "too few live scores");
        assert_eq!(reason(yardstick("ab", 1), "n"), "no reference");
        let other = "the reference is of another version of the bundle";
        assert_eq!(reason(yardstick("cd", 1), "m"), other);
    }
}
