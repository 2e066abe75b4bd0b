//! `jaga drift`

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::Outcome;
use super::args::{DriftArgs, SheetFormat};
use crate::config::Config;
use crate::domain::drift::{
    Drift, DriftLevel, DriftReference, ModelReference, Population, SCHEMA, ScoreHistogram,
};
use crate::store::SqliteJobs;
use crate::store::scores::Bundle;
use crate::worker::drift::{Compared, Yardstick};

/// One model's part.
#[derive(Serialize)]
struct Row<'a> {
    model: &'a str,
    sha256: &'a str,
    live_scores: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    drift: Option<Drift>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<DriftLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    live: &'a ScoreHistogram,
}

/// Compares the scores that a server gave with a reference; fails where they have drifted.
pub(super) fn run(
    mut config: Config,
    args: &DriftArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let drift = &mut config.drift;
    if !args.references.is_empty() {
        drift.references.clone_from(&args.references);
    }
    drift.days = args.days.unwrap_or(drift.days);
    drift.population = args.population.unwrap_or(drift.population);
    let yardstick = Yardstick::open(drift)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let compared = runtime.block_on(async {
        let store = SqliteJobs::read(&config.data.dir).await?;
        yardstick.compare(&store).await
    })?;
    let wanted = |bundle: &Bundle| args.models.is_empty() || args.models.contains(&bundle.model);
    let compared: BTreeMap<_, _> = compared.into_iter().filter(|(b, _)| wanted(b)).collect();
    if let Some(path) = &args.save {
        let text = serde_json::to_string_pretty(&saved(&compared, config.drift.days))?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    let rows: Vec<Row> = compared.iter().map(row).collect();
    match args.format {
        SheetFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?,
        SheetFormat::Text => writeln!(out, "{}", table(&rows).trim_fmt())?,
    }
    let has_drifted = rows
        .iter()
        .any(|row| row.level == Some(DriftLevel::Drifted));
    Ok(if has_drifted {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

fn row<'a>((bundle, compared): (&'a Bundle, &'a Compared)) -> Row<'a> {
    Row {
        model: &bundle.model,
        sha256: &bundle.sha256,
        live_scores: compared.live.total(),
        drift: compared.drift,
        level: compared.drift.map(|drift| drift.level()),
        reason: compared.reason,
        live: &compared.live,
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["model", "bundle", "scores", "psi", "ks", "critical", "is"]);
    for row in rows {
        let number = |of: fn(&Drift) -> f64| {
            let shown = row.drift.as_ref().map(|drift| format!("{:.3}", of(drift)));
            shown.unwrap_or_else(|| "-".to_owned())
        };
        table.add_row([
            row.model.to_owned(),
            row.sha256.chars().take(8).collect(),
            row.live_scores.to_string(),
            number(|drift| drift.psi),
            number(|drift| drift.ks),
            number(|drift| drift.ks_critical),
            row.level
                .map_or(row.reason.unwrap_or_default(), DriftLevel::name)
                .to_owned(),
        ]);
    }
    table
}

/// The live scores as a reference for later. A model of which there were two bundles keeps the one
/// with more scores.
fn saved(compared: &BTreeMap<Bundle, Compared>, days: u16) -> DriftReference {
    let mut models: BTreeMap<String, ModelReference> = BTreeMap::new();
    for (bundle, compared) in compared {
        let other = models.get(&bundle.model);
        let other = other.and_then(|model| model.of(Population::All));
        if other.is_some_and(|other| other.total() >= compared.live.total()) {
            continue;
        }
        let model = ModelReference {
            version: String::new(),
            sha256: bundle.sha256.clone(),
            histograms: BTreeMap::from([(Population::All, compared.live)]),
        };
        models.insert(bundle.model.clone(), model);
    }
    DriftReference {
        schema: SCHEMA.to_owned(),
        program: concat!("jaga ", env!("CARGO_PKG_VERSION")).to_owned(),
        source: format!("live scores of {days} days"),
        models,
    }
}
