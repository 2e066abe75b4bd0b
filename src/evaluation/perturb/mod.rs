//! The robustness sweep: every video of a manifest, changed as compression and handling change it,
//! scored beside the same stretch of it unchanged.

mod document;
mod making;
mod table;

use super::asking::{Asking, Desk, Found, Subject, is_of_the_file};
use super::cache::Entry;
use super::error::EvaluationError;
use super::manifest::{Manifest, Video};
use super::outcome::Outcome;
use super::scoring::{Scoring, failed, options, scored};
use crate::config::Config;
use crate::domain::perturbation::{Order, Perturbation};
use crate::pipeline::AnalyzeError;

pub use document::add_robustness;
pub(super) use document::{ModelRobustness, Point, SweepFacts};
use making::Maker;
pub use table::{ROBUSTNESS, write_robustness};

/// Part of the name of kept answers; another way to make the same perturbation needs another one.
const VERSION: u32 = 1;

/// What is done to each video.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// Each by itself; the unchanged video goes without saying.
    pub perturbations: &'a [Perturbation],
    /// Of each video the first so many seconds are looked at; positive.
    pub seconds: f64,
}

/// What became of the scores.
#[derive(Debug, Clone)]
pub struct Robustness {
    /// In the table's order.
    pub videos: Vec<Video>,
    /// BLAKE3 of each video's bytes, where known.
    pub contents: Vec<Option<String>>,
    /// As in [`Sweep`].
    pub perturbations: Vec<Perturbation>,
    /// As in [`Sweep`].
    pub seconds: f64,
    /// In the order in which the models were named.
    pub columns: Vec<SweepColumn>,
}

/// One model's answers.
#[derive(Debug, Clone)]
pub struct SweepColumn {
    /// The model's name.
    pub model: String,
    /// To each video's unchanged stretch.
    pub baseline: Vec<Outcome>,
    /// By perturbation, then by video.
    pub perturbed: Vec<Vec<Outcome>>,
}

/// Scores all videos unchanged and perturbed; `done` is called after each. What can't be made, or
/// scored, is an answer too. Answers that are kept already cost a hash of the file.
pub fn score_perturbed(
    manifest: &Manifest,
    scoring: &Scoring<'_>,
    sweep: Sweep<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Robustness, EvaluationError> {
    let variants: Vec<Option<Perturbation>> = std::iter::once(None)
        .chain(sweep.perturbations.iter().copied().map(Some))
        .collect();
    let subjects = subjects(manifest, scoring.config, &variants, sweep.seconds);
    let models = scoring.models.to_vec();
    let asking = Asking {
        options: options(scoring),
        config: scoring.config.clone(),
        cache: scoring.cache,
        done,
    };
    let one = async |desk: &Desk<'_>, maker: &Maker, place: usize, subject: &Subject| {
        let variant = variants.get(place % variants.len()).copied().flatten();
        answer(desk, maker, subject, variant).await
    };
    let prepare = || Maker::start(scoring.config, scoring.cache, sweep.seconds);
    let found = asking.each_of::<Entry, Maker, EvaluationError>(&subjects, prepare, &one)?;
    Ok(gathered(manifest, sweep, &models, &found))
}

/// Every variant of the first video, then of the second, and so on.
fn subjects(
    manifest: &Manifest,
    config: &Config,
    variants: &[Option<Perturbation>],
    seconds: f64,
) -> Vec<Subject> {
    let most = config.perturb.max_output_bytes;
    let of = |video: &Video| {
        let path = manifest.locate(video);
        let subject = move |variant: &Option<Perturbation>| Subject {
            path: path.clone(),
            variant: format!("v{VERSION}-{}-{seconds}s-{most}b", name(*variant)),
        };
        variants.iter().map(subject)
    };
    manifest.videos.iter().flat_map(of).collect()
}

/// As part of a file's name.
fn name(variant: Option<Perturbation>) -> String {
    match variant {
        None => "none".to_owned(),
        Some(perturbation) => perturbation
            .to_string()
            .replace('=', "-")
            .replace(':', "to"),
    }
}

async fn answer(
    desk: &Desk<'_>,
    maker: &Maker,
    subject: &Subject,
    variant: Option<Perturbation>,
) -> (bool, Entry) {
    let video = match desk.fetch(subject.path.clone()).await {
        Ok(video) => video,
        Err(error) => return (is_of_the_file(&error), failed(&error)),
    };
    let made = match maker.make(&video, variant).await {
        Ok(made) => made,
        Err(error) => return (is_of_the_file(&error), unmade(&error)),
    };
    let report = async {
        let permit = desk.permit().await?;
        desk.pipeline.analyze(made, desk.request, permit).await
    };
    match report.await {
        Ok(report) => (true, scored(&report)),
        Err(error) => (is_of_the_file(&error), failed(&error)),
    }
}

/// The codes of what can't be made are those of what can't be scored, with `perturb_` before them.
fn unmade(error: &AnalyzeError) -> Entry {
    let mut entry = failed(error);
    for answer in &mut entry.answers {
        if let Outcome::Failed { code, .. } = &mut answer.outcome {
            code.insert_str(0, "perturb_");
        }
    }
    entry
}

fn gathered(
    manifest: &Manifest,
    sweep: Sweep<'_>,
    models: &[String],
    found: &[Found<Entry>],
) -> Robustness {
    let each = sweep.perturbations.len() + 1;
    let column = |(model, name): (usize, &String)| {
        let of = |variant: usize| {
            let entries = found.iter().skip(variant).step_by(each);
            entries
                .map(|(_, entry)| outcome(entry.as_ref(), model))
                .collect()
        };
        SweepColumn {
            model: name.clone(),
            baseline: of(0),
            perturbed: (1..each).map(of).collect(),
        }
    };
    Robustness {
        videos: manifest.videos.clone(),
        contents: found.iter().step_by(each).map(|(c, _)| c.clone()).collect(),
        perturbations: sweep.perturbations.to_vec(),
        seconds: sweep.seconds,
        columns: models.iter().enumerate().map(column).collect(),
    }
}

fn outcome(entry: Option<&Entry>, model: usize) -> Outcome {
    entry.and_then(|entry| entry.of(model)).map_or_else(
        || Outcome::Inconclusive {
            reason: Some("missing".to_owned()),
            coverage: None,
        },
        |answer| answer.outcome.clone(),
    )
}

/// The seed of a video's noise: another one for each video and perturbation, the same each time.
fn seed(content: &str, variant: Option<Perturbation>) -> u64 {
    let hash = blake3::hash(format!("{content} {}", name(variant)).as_bytes());
    let first = hash.as_bytes().first_chunk().copied();
    u64::from_le_bytes(first.unwrap_or_default())
}

/// What is asked of the child.
fn order(config: &Config, content: &str, variant: Option<Perturbation>, seconds: f64) -> Order {
    Order {
        perturbation: variant,
        seconds,
        seed: seed(content, variant),
        max_output_bytes: config.perturb.max_output_bytes,
    }
}
