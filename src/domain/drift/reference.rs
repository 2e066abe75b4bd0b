//! What scores are compared with: histograms of an evaluation, or of a time that was good.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ScoreHistogram;

/// The `schema` of every file.
pub const SCHEMA: &str = "jaga.drift/1";

/// `drift.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReference {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program that wrote it.
    pub program: String,
    /// What the scores are of, for people and for the record.
    pub source: String,
    /// By name.
    pub models: BTreeMap<String, ModelReference>,
}

/// One model's scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelReference {
    /// The bundle's version.
    pub version: String,
    /// The bundle's content hash: scores of another one can't be compared.
    pub sha256: String,
    /// By bin, of each population that there is.
    pub histograms: BTreeMap<Population, ScoreHistogram>,
}

/// Whose scores.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// Of everything.
    All,
    /// Of real videos, which most live traffic is.
    #[default]
    Real,
    /// Of synthetic ones.
    Synthetic,
}

/// Why a text is no reference.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceFault {
    /// It isn't of this form.
    #[error("it is no drift reference: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version of the form.
    #[error("schema must be {SCHEMA:?}, not {0:?}")]
    Schema(String),
}

impl DriftReference {
    /// Reads `drift.json`.
    pub fn parse(text: &str) -> Result<Self, ReferenceFault> {
        let reference: Self = serde_json::from_str(text)?;
        if reference.schema != SCHEMA {
            return Err(ReferenceFault::Schema(reference.schema));
        }
        Ok(reference)
    }
}

impl ModelReference {
    /// The scores of `population`; of everything, where it isn't told apart.
    pub fn of(&self, population: Population) -> Option<&ScoreHistogram> {
        let all = || self.histograms.get(&Population::All);
        self.histograms.get(&population).or_else(all)
    }
}

impl Population {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Real => "real",
            Self::Synthetic => "synthetic",
        }
    }
}

impl FromStr for Population {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::All, Self::Real, Self::Synthetic];
        let found = all.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| "all, real or synthetic".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_written_and_read_back() {
        let mut histogram = ScoreHistogram::default();
        histogram.add(0.97);
        let model = ModelReference {
            version: "1".to_owned(),
            sha256: "ab".to_owned(),
            histograms: BTreeMap::from([(Population::All, histogram)]),
        };
        assert_eq!(model.of(Population::Real), Some(&histogram));
        let reference = DriftReference {
            schema: SCHEMA.to_owned(),
            program: "jaga".to_owned(),
            source: "an evaluation".to_owned(),
            models: BTreeMap::from([("m".to_owned(), model)]),
        };
        let text = serde_json::to_string(&reference).unwrap();
        assert!(text.contains("\"all\":[0,0,0,"), "{text}");
        assert_eq!(DriftReference::parse(&text).unwrap(), reference);
        let other = text.replace("jaga.drift/1", "jaga.drift/2");
        let told = DriftReference::parse(&other).unwrap_err().to_string();
        assert_eq!(
            told,
            "schema must be \"jaga.drift/1\", not \"jaga.drift/2\""
        );
        let short = text.replace("[0,0,", "[0,");
        assert!(DriftReference::parse(&short).is_err());
    }
}
