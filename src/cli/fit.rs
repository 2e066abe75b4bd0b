//! `jaga fit`

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::args::{FitArgs, FitBalance, FitCalibration};
use super::{Misuse, Outcome, footage};
use crate::config::Config;
use crate::fitting::{
    Balance, Clips, Failure, Figures, Files, Kind, Plan, Recipe, Wanted, clips_of, figures, fit,
};
use crate::inference::registry;

/// What is printed.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    figures: &'a Figures,
    /// Videos without an embedding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
}

/// Fits a head and prints what it is worth on clips that it never saw, as JSON.
pub(super) fn run(config: Config, args: &FitArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let bundles = registry::find(&config.models.dirs)?;
    let pattern = bundles.get(&args.backbone).ok_or_else(|| {
        let known: Vec<&str> = bundles.keys().map(String::as_str).collect();
        Misuse(format!(
            "no bundle {:?}; there are: {}",
            args.backbone,
            known.join(", ")
        ))
    })?;
    let (arrays, outputs) = arrays(args);
    let plan = plan(args)?;
    let weights_dir = config.models.weights_dir.clone();
    let recipe = Recipe {
        pattern,
        weights_dir: &weights_dir,
        out: &args.out,
        arrays: &arrays,
        outputs: &outputs,
        plan: &plan,
    };
    recipe.check()?;
    let (clips, failures) = first(config, args, &arrays)?;
    let second = second(args, &arrays)?;
    let fitted = fit(&clips, second.as_ref(), &plan)?;
    let figures = figures(&clips, &fitted, args.seed);
    let sets: Vec<&Clips> = std::iter::once(&clips).chain(&second).collect();
    recipe.write(&sets, &fitted, &figures)?;
    let outcome = if failures.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    };
    let answer = Answer {
        figures: &figures,
        failures,
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    Ok(outcome)
}

/// `NAME` or `NAME=OUTPUT` each; for videos, the backbone's own output.
fn arrays(args: &FitArgs) -> (Vec<String>, Vec<Option<String>>) {
    if args.manifest.is_some() {
        return (vec!["embedding".to_owned()], vec![None]);
    }
    let named = args.arrays.iter().map(|text| match text.split_once('=') {
        Some((name, output)) => (name.to_owned(), Some(output.to_owned())),
        None => (text.clone(), None),
    });
    named.unzip()
}

fn plan(args: &FitArgs) -> Result<Plan, Misuse> {
    let mut strengths = args.strengths.clone();
    strengths.sort_by(f64::total_cmp);
    if !strengths.iter().all(|c| c.is_finite() && *c > 0.0) {
        return Err(Misuse("--strength must be positive".to_owned()));
    }
    if !args.shares.iter().all(|share| share.is_finite()) {
        return Err(Misuse("--share must be a number".to_owned()));
    }
    if !(0.0..=1.0).contains(&args.max_fpr) {
        return Err(Misuse("--max-fpr must be in 0..=1".to_owned()));
    }
    let shares = match args.second_embeddings {
        Some(_) => args.shares.clone(),
        None => vec![0.0],
    };
    Ok(Plan {
        folds: args.folds as usize,
        seed: args.seed,
        repeats: args.repeats as usize,
        balance: args.balance.into(),
        strengths,
        shares,
        kind: args.calibration.into(),
        max_fpr: args.max_fpr,
    })
}

/// What the head is fitted to.
fn first(
    config: Config,
    args: &FitArgs,
    arrays: &[String],
) -> anyhow::Result<(Clips, Vec<Failure>)> {
    if let Some(path) = &args.manifest {
        let wanted = (args.backbone.as_str(), Wanted::Embedding);
        let (manifest, gathered) = footage::ask(config, path, &args.footage, wanted)?;
        let clips = clips_of(&manifest, &gathered, &name(path))?;
        return Ok((clips, gathered.failures(&manifest)));
    }
    let (Some(embeddings), Some(table)) = (&args.embeddings, &args.table) else {
        return Err(Misuse("MANIFEST.csv, or --embeddings and --table".to_owned()).into());
    };
    let clips = Clips::read(&Files {
        embeddings,
        table,
        arrays,
        averaged: args.averaged,
    })?;
    Ok((clips, Vec::new()))
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The second set, with an array for each of the first's.
fn second(args: &FitArgs, arrays: &[String]) -> anyhow::Result<Option<Clips>> {
    let (Some(embeddings), Some(table)) = (&args.second_embeddings, &args.second_table) else {
        return Ok(None);
    };
    let own = if args.second_arrays.is_empty() {
        arrays
    } else {
        args.second_arrays.as_slice()
    };
    if own.len() != arrays.len() {
        let (got, wanted) = (own.len(), arrays.len());
        return Err(Misuse(format!("{got} --second-array for {wanted} --array")).into());
    }
    let clips = Clips::read(&Files {
        embeddings,
        table,
        arrays: own,
        averaged: args.averaged,
    })?;
    Ok(Some(clips))
}

impl From<FitBalance> for Balance {
    fn from(balance: FitBalance) -> Self {
        match balance {
            FitBalance::Clips => Self::Clips,
            FitBalance::Groups => Self::Groups,
        }
    }
}

impl From<FitCalibration> for Kind {
    fn from(kind: FitCalibration) -> Self {
        match kind {
            FitCalibration::Platt => Self::Platt,
            FitCalibration::Temperature => Self::Temperature,
            FitCalibration::Isotonic => Self::Isotonic,
        }
    }
}
