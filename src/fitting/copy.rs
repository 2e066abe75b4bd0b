//! A bundle that differs from another in its calibration or in a threshold.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::bundle::{at, bad, place};
use super::error::FitError;
use crate::domain::calibration::Calibration;
use crate::inference::Bundle;
use crate::inference::bundle::{MANIFEST, Task};

/// What a calibration starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// The bundle's calibration.
    pub calibration: Calibration,
    /// Its version.
    pub version: String,
    /// Its content hash.
    pub sha256: String,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Another `[calibration]`. The old one's `[verdict]` goes with it.
    Calibration(Calibration),
    /// Another `substantial_evidence`, in 0..=1.
    Threshold(f64),
}

/// The calibration of the bundle in `folder`, which must be a scorer.
pub fn calibration_of(folder: &Path, weights_dir: &Path) -> Result<Own, FitError> {
    let bundle =
        Bundle::open(folder, weights_dir).map_err(|error| bad(folder, &error.to_string()))?;
    match &bundle.task {
        Task::Scorer(scorer) => Ok(Own {
            calibration: scorer.calibration.clone(),
            version: bundle.identity.version.clone(),
            sha256: bundle.sha256.clone(),
        }),
        Task::Finder(_) => Err(bad(folder, "it finds faces and has no calibration")),
    }
}

/// Writes the bundle of `folder` to `to`, whose last part is its name, with `change`.
pub fn copy(folder: &Path, weights_dir: &Path, to: &Path, change: &Change) -> Result<(), FitError> {
    let name = to.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| bad(to, "a bundle's folder needs a name"))?;
    if to.exists() {
        return Err(bad(to, "it is there already"));
    }
    let path = folder.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let mut table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| bad(&path, &error.to_string()))?;
    if let Some(model) = table.get_mut("model").and_then(Value::as_table_mut) {
        model.insert("name".to_owned(), name.into());
        model.insert("status".to_owned(), "experimental".into());
    }
    match change {
        Change::Calibration(calibration) => {
            let section = Value::try_from(calibration);
            let section = section.map_err(|error| bad(&path, &error.to_string()))?;
            table.insert("calibration".to_owned(), section);
            table.remove("verdict");
        }
        Change::Threshold(threshold) => {
            let little = table.get("verdict").and_then(|v| v.get("little_evidence"));
            let little = little.and_then(Value::as_float).unwrap_or_default();
            let verdict = Table::from_iter([
                ("substantial_evidence".to_owned(), (*threshold).into()),
                ("little_evidence".to_owned(), little.min(*threshold).into()),
            ]);
            table.insert("verdict".to_owned(), verdict.into());
        }
    }
    let card = table.get("model").and_then(|model| model.get("card"));
    let card = card.and_then(Value::as_str).unwrap_or("CARD.md").to_owned();
    let from = folder.join(&card);
    let story = fs::read_to_string(&from).map_err(at(&from))?;
    let story = format!(
        "**This bundle is `{}` with another {}, by `jaga calibrate`; the figures below are of the \
         original.**\n\n{story}",
        folder.file_name().unwrap_or_default().to_string_lossy(),
        match change {
            Change::Calibration(_) => "calibration",
            Change::Threshold(_) => "threshold",
        }
    );
    let manifest = toml::to_string(&table).map_err(|error| bad(&path, &error.to_string()))?;
    let texts = [(card.as_str(), story), (MANIFEST, manifest)];
    place((folder, weights_dir, to), &texts, true)
}
