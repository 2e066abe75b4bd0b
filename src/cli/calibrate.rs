//! `jaga calibrate`

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::args::CalibrateArgs;
use super::{Misuse, Outcome, footage};
use crate::config::Config;
use crate::evaluation::Manifest;
use crate::fitting::{
    Answer, Budget, Change, Failure, Gathered, Recalibrated, Scored, Wanted, apply, budget,
    calibration_of, copy, recalibrate,
};
use crate::inference::registry;

/// What is printed.
#[derive(Serialize)]
struct Found {
    model: String,
    version: String,
    sha256: String,
    /// BLAKE3 of the manifest, and of the videos' hashes in its order.
    data: [String; 2],
    real: usize,
    synthetic: usize,
    #[serde(flatten)]
    result: Result,
    /// Videos without a score.
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Result {
    Calibration(Recalibrated),
    Threshold(Budget),
}

/// Scores the videos and prints, as JSON, a calibration or a threshold.
pub(super) fn run(
    config: Config,
    args: &CalibrateArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let bundles = registry::find(&config.models.dirs)?;
    let folder = bundles.get(&args.model).ok_or_else(|| {
        let known: Vec<&str> = bundles.keys().map(String::as_str).collect();
        let known = known.join(", ");
        Misuse(format!("no bundle {:?}; there are: {known}", args.model))
    })?;
    if args.max_fpr.is_some_and(|rate| !(0.0..1.0).contains(&rate)) {
        return Err(Misuse("--max-fpr must be in 0..1".to_owned()).into());
    }
    let weights_dir = config.models.weights_dir.clone();
    let own = calibration_of(folder, &weights_dir)?;
    let wanted = (args.model.as_str(), Wanted::LogOdds);
    let (manifest, gathered) = footage::ask(config, &args.manifest, &args.footage, wanted)?;
    let videos = Videos::of(&manifest, &gathered);
    let result = judge(args, &videos, &own.calibration)?;
    if let Some(to) = &args.out {
        write(folder, &weights_dir, to, &result)?;
    }
    let failures = gathered.failures(&manifest);
    let outcome = if failures.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    };
    let synthetic = videos.synthetic.iter().filter(|class| **class).count();
    let found = Found {
        model: args.model.clone(),
        version: own.version,
        sha256: own.sha256,
        real: videos.synthetic.len().saturating_sub(synthetic),
        synthetic,
        data: [manifest.blake3, gathered.blake3],
        result,
        failures,
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
    Ok(outcome)
}

/// Those that came to log-odds.
struct Videos {
    logits: Vec<f64>,
    synthetic: Vec<bool>,
    groups: Vec<String>,
}

impl Videos {
    fn of(manifest: &Manifest, gathered: &Gathered) -> Self {
        let mut videos = Self {
            logits: Vec::new(),
            synthetic: Vec::new(),
            groups: Vec::new(),
        };
        for (video, answer) in manifest.videos.iter().zip(&gathered.answers) {
            if let Answer::Numbers { values } = answer {
                videos.logits.extend(values.first());
                videos.synthetic.push(video.synthetic);
                videos.groups.push(video.cluster().to_owned());
            }
        }
        videos
    }
}

fn judge(
    args: &CalibrateArgs,
    videos: &Videos,
    own: &crate::domain::calibration::Calibration,
) -> anyhow::Result<Result> {
    if let Some(max_fpr) = args.max_fpr {
        let scores = videos.logits.iter().map(|logit| apply(own, *logit));
        let scores: Vec<f64> = scores.collect::<std::result::Result<_, _>>()?;
        return Ok(Result::Threshold(budget(
            &videos.synthetic,
            &scores,
            max_fpr,
        )?));
    }
    let scored = Scored {
        logits: &videos.logits,
        synthetic: &videos.synthetic,
        groups: &videos.groups,
    };
    let plan = (args.folds as usize, args.seed);
    let found = recalibrate(scored, args.calibration.into(), own, plan)?;
    Ok(Result::Calibration(found))
}

fn write(folder: &Path, weights_dir: &Path, to: &Path, result: &Result) -> anyhow::Result<()> {
    let change = match result {
        Result::Calibration(found) => Change::Calibration(found.calibration.clone()),
        Result::Threshold(Budget {
            threshold: Some(threshold),
            ..
        }) => Change::Threshold(*threshold),
        Result::Threshold(_) => {
            return Err(Misuse("no threshold keeps within --max-fpr".to_owned()).into());
        }
    };
    copy(folder, weights_dir, to, &change)?;
    Ok(())
}
