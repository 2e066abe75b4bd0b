//! `robustness.csv`

use std::io::Write;

use super::Robustness;
use crate::domain::perturbation::Perturbation;
use crate::evaluation::outcome::Outcome;
use crate::evaluation::rows::ScoreRow;
use crate::evaluation::table::{label, text};

/// Columns of `robustness.csv`. A row of the kind `none` is the baseline: the same stretch of the
/// video, unchanged.
pub const ROBUSTNESS: [&str; 13] = [
    "path",
    "label",
    "source",
    "method",
    "model",
    "kind",
    "strength",
    "score",
    "baseline_score",
    "coverage",
    "reason",
    "failure",
    "blake3",
];

/// Writes a line for each video, model, kind and strength: each is there, whatever came of it.
pub fn write_robustness(robustness: &Robustness, out: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(ROBUSTNESS)?;
    for column in &robustness.columns {
        write(
            &mut writer,
            robustness,
            &column.model,
            None,
            &column.baseline,
            &column.baseline,
        )?;
        for (perturbation, outcomes) in robustness.perturbations.iter().zip(&column.perturbed) {
            let variant = Some(*perturbation);
            write(
                &mut writer,
                robustness,
                &column.model,
                variant,
                outcomes,
                &column.baseline,
            )?;
        }
    }
    writer.flush()?;
    Ok(())
}

fn write(
    writer: &mut csv::Writer<impl Write>,
    robustness: &Robustness,
    model: &str,
    variant: Option<Perturbation>,
    outcomes: &[Outcome],
    baseline: &[Outcome],
) -> Result<(), csv::Error> {
    let kind = variant.map_or("none", |variant| variant.kind.name());
    let strength = variant.map(|variant| variant.strength.to_string());
    let videos = robustness.videos.iter().zip(&robustness.contents);
    for ((video, content), (outcome, before)) in videos.zip(outcomes.iter().zip(baseline)) {
        let row = ScoreRow {
            video,
            model,
            outcome,
            content: content.as_deref(),
        };
        writer.write_record([
            &row.video.path,
            label(row.video),
            row.video.source.as_deref().unwrap_or_default(),
            row.video.method.as_deref().unwrap_or_default(),
            row.model,
            kind,
            strength.as_deref().unwrap_or_default(),
            &text(row.outcome.score()),
            &text(before.score()),
            &text(row.outcome.coverage()),
            row.reason().unwrap_or_default(),
            row.failure().unwrap_or_default(),
            row.content.unwrap_or_default(),
        ])?;
    }
    Ok(())
}
