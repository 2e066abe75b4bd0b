//! `jaga eval`

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use comfy_table::Table;

use super::args::EvalArgs;
use super::progress;
use super::{Misuse, Outcome};
use crate::config::Config;
use crate::domain::metrics::{Metric, Rules};
use crate::domain::perturbation::{self, Perturbation};
use crate::evaluation::{
    Document, Looking, Manifest, Programs, Results, Robustness, Scoring, Sweep, Thumbnails,
    add_robustness, document, frames_parquet, page, read_scores, reference, score, score_perturbed,
    scores_parquet, thumbnails, write_frames, write_robustness, write_scores,
};

/// Scores, or reads scores, and writes what they are worth.
pub(super) fn run(
    config: &Config,
    args: &EvalArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let rules = Rules {
        threshold: args.threshold,
        replicates: args.replicates as usize,
        seed: args.seed,
        ..Rules::default()
    };
    let sweep = sweep(args)?;
    let Scored {
        results,
        table,
        programs,
        thumbnails,
        robustness,
    } = match &args.from {
        Some(path) => from_table(path)?,
        None => from_models(config, args, sweep.as_deref())?,
    };
    let mut document = document(&results, table, programs, &rules);
    if let Some(robustness) = &robustness {
        add_robustness(&mut document, robustness);
    }
    match &args.out {
        Some(folder) => {
            write(folder, &results, &document, args.from.is_none())?;
            if let Some(robustness) = &robustness {
                let mut rows = Vec::new();
                write_robustness(robustness, &mut rows)?;
                replace(&folder.join("robustness.csv"), &rows)?;
            }
            let page = page(&document, &results, &thumbnails)?;
            replace(&folder.join("report.html"), page.as_bytes())?;
            writeln!(out, "{}", summary(&document).trim_fmt())?;
        }
        None => writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?,
    }
    let swept = document.robustness.as_ref();
    let all_made = swept.is_none_or(|facts| facts.failures.is_empty());
    Ok(if document.failures.is_empty() && all_made {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// What `--perturb` names; `None` without it.
fn sweep(args: &EvalArgs) -> Result<Option<Vec<Perturbation>>, Misuse> {
    if args.perturb.is_empty() {
        return Ok(None);
    }
    if !(args.perturb_seconds > 0.0 && args.perturb_seconds <= 600.0) {
        let got = args.perturb_seconds;
        return Err(Misuse(format!(
            "--perturb-seconds must be more than 0 and at most 600, not {got}"
        )));
    }
    perturbation::parse(&args.perturb.join(","))
        .map(Some)
        .map_err(|error| Misuse(format!("--perturb: {error}")))
}

/// What is judged.
struct Scored {
    results: Results,
    /// BLAKE3 of the table.
    table: String,
    programs: Option<Programs>,
    thumbnails: Thumbnails,
    /// Where a sweep was asked for.
    robustness: Option<Robustness>,
}

fn from_table(path: &Path) -> anyhow::Result<Scored> {
    let (results, table) = read_scores(path)?;
    Ok(Scored {
        results,
        table,
        programs: None,
        thumbnails: Thumbnails::FROM_A_TABLE,
        robustness: None,
    })
}

fn from_models(
    config: &Config,
    args: &EvalArgs,
    sweep: Option<&[Perturbation]>,
) -> anyhow::Result<Scored> {
    let (Some(path), Some(folder)) = (&args.manifest, &args.out) else {
        return Err(Misuse("MANIFEST.csv needs --out DIR; or give --from FILE".to_owned()).into());
    };
    let manifest = Manifest::read(path, args.split.as_deref())?;
    let mut models = args.models.clone();
    if models.is_empty() {
        models.clone_from(&config.models.default);
    }
    let mut seen = std::collections::HashSet::new();
    models.retain(|model| seen.insert(model.clone()));
    let bar = progress::bar(manifest.videos.len(), "videos");
    let cache = folder.join("cache");
    let scoring = Scoring {
        config,
        models: &models,
        frames: args.frames,
        sampling: args.sampling,
        cache: &cache,
    };
    let (results, programs) = score(&manifest, &scoring, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let looking = Looking {
        scoring: &scoring,
        manifest: &manifest,
    };
    let thumbnails = if args.no_thumbnails {
        Thumbnails::UNWANTED
    } else {
        thumbnails(&results, args.threshold, &looking)?
    };
    let robustness = match sweep {
        Some(perturbations) => Some(perturbed(&manifest, &scoring, args, perturbations)?),
        None => None,
    };
    Ok(Scored {
        results,
        table: manifest.blake3,
        programs,
        thumbnails,
        robustness,
    })
}

fn perturbed(
    manifest: &Manifest,
    scoring: &Scoring<'_>,
    args: &EvalArgs,
    perturbations: &[Perturbation],
) -> anyhow::Result<Robustness> {
    // The unchanged stretch is one more.
    let number = manifest.videos.len() * (perturbations.len() + 1);
    let bar = progress::bar(number, "perturbed videos");
    let sweep = Sweep {
        perturbations,
        seconds: args.perturb_seconds,
    };
    let robustness = score_perturbed(manifest, scoring, sweep, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(robustness)
}

/// The scores are written where this run made them; else they are the caller's own.
fn write(
    folder: &Path,
    results: &Results,
    document: &Document,
    scored: bool,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    if scored {
        let (mut videos, mut frames) = (Vec::new(), Vec::new());
        write_scores(results, &mut videos)?;
        write_frames(results, &mut frames)?;
        replace(&folder.join("scores.csv"), &videos)?;
        replace(&folder.join("frames.csv"), &frames)?;
        replace(&folder.join("scores.parquet"), &scores_parquet(results)?)?;
        replace(&folder.join("frames.parquet"), &frames_parquet(results)?)?;
        let reference = reference(results, &document.data.table_blake3);
        let mut json = serde_json::to_vec_pretty(&reference)?;
        json.push(b'\n');
        replace(&folder.join("drift.json"), &json)?;
    }
    let mut json = serde_json::to_vec_pretty(document)?;
    json.push(b'\n');
    replace(&folder.join("metrics.json"), &json)
}

/// Whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = tempfile::Builder::new()
        .prefix(".jaga-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .with_context(|| path.display().to_string())?;
    file.write_all(bytes)
        .with_context(|| path.display().to_string())?;
    file.persist(path)
        .with_context(|| path.display().to_string())?;
    Ok(())
}

fn summary(document: &Document) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "model",
        "scored",
        "roc_auc",
        "average_precision",
        "eer",
        "tpr_at_fpr_0.01",
    ]);
    for (name, model) in &document.models {
        let of = |metric: &str| shown(model.video.metrics.get(metric));
        table.add_row([
            name.clone(),
            format!("{}/{}", model.video.counts.scored, model.video.counts.total),
            of("roc_auc"),
            of("average_precision"),
            of("eer"),
            of("tpr_at_fpr_0.01"),
        ]);
    }
    table
}

/// A number with its interval, or why there is none.
fn shown(metric: Option<&Metric>) -> String {
    let Some(metric) = metric else {
        return "-".to_owned();
    };
    match (metric.value, metric.low, metric.high, metric.reason) {
        (Some(value), Some(low), Some(high), _) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        (Some(value), _, _, _) => format!("{value:.3}"),
        (None, _, _, Some(reason)) => serde_json::to_string(&reason)
            .map_or_else(|_| "-".to_owned(), |text| text.trim_matches('"').to_owned()),
        (None, _, _, None) => "-".to_owned(),
    }
}
