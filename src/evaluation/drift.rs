//! `drift.json`: how an evaluation's scores are distributed, for live ones to be compared with.

use std::collections::BTreeMap;

use super::outcome::{Column, Results};
use crate::domain::drift::{DriftReference, ModelReference, Population, SCHEMA, ScoreHistogram};

/// Of the models that jaga scored with; scores of other tools have no bundle to compare. `table` is
/// the hash of the manifest.
pub fn reference(results: &Results, table: &str) -> DriftReference {
    let models = results.columns.iter().filter_map(|column| {
        let model = model(results, column)?;
        Some((column.model.clone(), model))
    });
    DriftReference {
        schema: SCHEMA.to_owned(),
        program: concat!("jaga ", env!("CARGO_PKG_VERSION")).to_owned(),
        source: format!("evaluation of the table with BLAKE3 {table}"),
        models: models.collect(),
    }
}

fn model(results: &Results, column: &Column) -> Option<ModelReference> {
    let provenance = column.provenance.as_ref()?;
    let mut histograms: BTreeMap<Population, ScoreHistogram> = BTreeMap::new();
    for (video, outcome) in results.videos.iter().zip(&column.outcomes) {
        let Some(score) = outcome.score() else {
            continue;
        };
        let own = if video.synthetic {
            Population::Synthetic
        } else {
            Population::Real
        };
        for population in [Population::All, own] {
            histograms.entry(population).or_default().add(score);
        }
    }
    Some(ModelReference {
        version: provenance.version.clone(),
        sha256: provenance.sha256.clone(),
        histograms,
    })
}
