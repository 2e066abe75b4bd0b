//! `metrics.json`: the same results give the same bytes; no time of day is in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::manifest::Video;
use super::outcome::{Column, Outcome, Provenance, Results};
use super::perturb::{ModelRobustness, SweepFacts};
use super::side_by_side::{both, each};
use crate::domain::metrics::{Absent, Metric, Rules, Sample, Sheet, blank, paired, sheet};

/// The `schema` of every document.
pub const SCHEMA: &str = "jaga.metrics/1";

/// Slices of a kind that get metrics; the largest are kept.
const MAX_SLICES: usize = 50;

/// Versions and settings that scores were made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Programs {
    /// jaga and its version.
    pub program: String,
    /// ONNX Runtime's version.
    pub onnxruntime: String,
    /// FFmpeg's version.
    pub ffmpeg: String,
    /// Strategy and number of frames.
    pub plan: String,
    /// BLAKE3 over all settings that can move a score, as in receipts.
    pub config_blake3: String,
}

/// All that an evaluation found.
#[derive(Debug, Serialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The program that computed the metrics.
    pub program: &'static str,
    /// What made the scores; absent for scores of other tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scored_by: Option<Programs>,
    /// Which data.
    pub data: Data,
    /// How the metrics were computed.
    pub rules: Rules,
    /// By model.
    pub models: BTreeMap<String, ModelMetrics>,
    /// Every pair of models, in their order, on the videos that both scored.
    pub comparisons: Vec<Comparison>,
    /// Every file that could not be scored.
    pub failures: Vec<Failure>,
    /// What was done to the videos, and what of it could not be scored; absent without a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robustness: Option<SweepFacts>,
}

/// The data's identity.
#[derive(Debug, Serialize)]
pub struct Data {
    /// BLAKE3 of the table's bytes.
    pub table_blake3: String,
    /// BLAKE3 over label and BLAKE3 of each video, sorted; absent where a video's hash is unknown.
    pub content_blake3: Option<String>,
    /// Videos in it.
    pub videos: usize,
    /// What is drawn together in the bootstrap: `source`, or `video` where no video has one.
    pub clusters: &'static str,
}

/// One model.
#[derive(Debug, Serialize)]
pub struct ModelMetrics {
    /// The bundle; absent for scores of other tools.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// A score a video.
    pub video: Level,
    /// A score a frame, each with its video's label; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<Level>,
    /// Columns `method` and `source`, then their values.
    pub slices: BTreeMap<&'static str, Slices>,
    /// What compression and handling do to the scores; absent without a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robustness: Option<ModelRobustness>,
}

/// Counts and metrics.
#[derive(Debug, Serialize)]
pub struct Level {
    /// What they rest on.
    pub counts: Counts,
    /// By name.
    pub metrics: Sheet,
}

/// What metrics rest on. `scored + inconclusive + failed == total`, and for frames all are scored.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// Videos, or frames.
    pub total: usize,
    /// Of these, real ones that have a score.
    pub real: usize,
    /// Of these, synthetic ones that have a score.
    pub synthetic: usize,
    /// With a score.
    pub scored: usize,
    /// Without one: the model could not tell.
    pub inconclusive: usize,
    /// Without one: the file could not be scored.
    pub failed: usize,
    /// Share with a score.
    pub coverage: Option<f64>,
    /// Share without one for the model's sake.
    pub inconclusive_rate: Option<f64>,
    /// Mean share of planned frames that scores rest on, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_coverage: Option<f64>,
}

/// The slices of one column.
#[derive(Debug, Serialize)]
pub struct Slices {
    /// By value.
    pub values: BTreeMap<String, Slice>,
    /// Values beyond the number that gets metrics; those with the fewest videos.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The videos with one value in a column.
#[derive(Debug, Serialize)]
pub struct Slice {
    /// What a slice of one class is compared with: all other videos of the other class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<&'static str>,
    /// Of the slice alone.
    pub counts: Counts,
    /// With those that it is compared with.
    pub metrics: Sheet,
}

/// Two models on the videos that both scored.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The first.
    pub a: String,
    /// The second.
    pub b: String,
    /// Videos that both scored.
    pub videos: usize,
    /// Each metric of `b` less that of `a`, with a paired bootstrap's interval.
    pub difference: BTreeMap<&'static str, Metric>,
}

/// A file that could not be scored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failure {
    /// As in the table.
    pub path: String,
    /// As in jaga's problems.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// The metrics of `results`, whose table has the hash `table_blake3`.
pub fn document(
    results: &Results,
    table_blake3: String,
    scored_by: Option<Programs>,
    rules: &Rules,
) -> Document {
    let columns = results.columns.iter();
    let clusters = results.videos.iter().any(|video| video.source.is_some());
    Document {
        schema: SCHEMA,
        program: concat!("jaga ", env!("CARGO_PKG_VERSION")),
        scored_by,
        data: Data {
            table_blake3,
            content_blake3: contents(results),
            videos: results.videos.len(),
            clusters: if clusters { "source" } else { "video" },
        },
        rules: *rules,
        models: columns
            .map(|column| (column.model.clone(), model(results, column, rules)))
            .collect(),
        comparisons: comparisons(results, rules),
        failures: failures(results),
        robustness: None,
    }
}

fn contents(results: &Results) -> Option<String> {
    let lines = results.videos.iter().zip(&results.contents);
    let lines: Option<BTreeSet<String>> = lines
        .map(|(video, hash)| {
            Some(format!(
                "{} {}\n",
                u8::from(video.synthetic),
                hash.as_ref()?
            ))
        })
        .collect();
    let text: String = lines?.into_iter().collect();
    Some(blake3::hash(text.as_bytes()).to_hex().to_string())
}

/// A video and what one model said of it.
type Answer<'a> = (&'a Video, &'a Outcome);

fn model(results: &Results, column: &Column, rules: &Rules) -> ModelMetrics {
    let answers: Vec<Answer<'_>> = results.videos.iter().zip(&column.outcomes).collect();
    let count = counts(&answers);
    let few = count.real.min(count.synthetic) < rules.min_per_class;
    let (frame, metrics) = both(|| frames(&answers, few, rules), || metrics(&answers, rules));
    ModelMetrics {
        provenance: column.provenance.clone(),
        frame,
        video: Level {
            counts: count,
            metrics,
        },
        slices: BTreeMap::from([
            ("method", slices(&answers, |v| v.method.as_deref(), rules)),
            ("source", slices(&answers, |v| v.source.as_deref(), rules)),
        ]),
        robustness: None,
    }
}

fn counts(answers: &[Answer<'_>]) -> Counts {
    let mut counts = Counts {
        total: answers.len(),
        ..Counts::default()
    };
    for (video, outcome) in answers {
        let place = match outcome {
            Outcome::Scored { .. } if video.synthetic => &mut counts.synthetic,
            Outcome::Scored { .. } => &mut counts.real,
            Outcome::Inconclusive { .. } => &mut counts.inconclusive,
            Outcome::Failed { .. } => &mut counts.failed,
        };
        *place += 1;
    }
    counts.scored = counts.real + counts.synthetic;
    let share = |part: usize| (counts.total > 0).then(|| part as f64 / counts.total as f64);
    counts.coverage = share(counts.scored);
    counts.inconclusive_rate = share(counts.inconclusive);
    let known: Vec<f64> = answers.iter().filter_map(|(_, o)| o.coverage()).collect();
    counts.frame_coverage =
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    counts
}

fn metrics(answers: &[Answer<'_>], rules: &Rules) -> Sheet {
    let scored = answers.iter();
    let (samples, names): (Vec<Sample>, Vec<&str>) = scored
        .filter_map(|(v, o)| Some((Sample::new(v.synthetic, o.score()?), v.cluster())))
        .unzip();
    sheet(&samples, &names, rules)
}

/// Frames of a video are drawn together with it. Too `few` videos are too few, however many frames
/// they have.
fn frames(answers: &[Answer<'_>], few: bool, rules: &Rules) -> Option<Level> {
    let (mut samples, mut names) = (Vec::new(), Vec::new());
    for (video, outcome) in answers {
        for (_, score) in outcome.frames() {
            samples.push(Sample::new(video.synthetic, *score));
            names.push(video.cluster());
        }
    }
    if samples.is_empty() {
        return None;
    }
    let synthetic = samples.iter().filter(|sample| sample.synthetic).count();
    Some(Level {
        counts: Counts {
            total: samples.len(),
            real: samples.len() - synthetic,
            synthetic,
            scored: samples.len(),
            coverage: Some(1.0),
            inconclusive_rate: Some(0.0),
            ..Counts::default()
        },
        metrics: if few {
            blank(Absent::TooFewSamples)
        } else {
            sheet(&samples, &names, rules)
        },
    })
}

fn slices(
    answers: &[Answer<'_>],
    value: impl Fn(&Video) -> Option<&str> + Sync,
    rules: &Rules,
) -> Slices {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for name in answers.iter().filter_map(|(video, _)| value(video)) {
        *sizes.entry(name).or_default() += 1;
    }
    let mut largest: Vec<(&str, usize)> = sizes.into_iter().collect();
    largest.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let left_out = largest.len().saturating_sub(MAX_SLICES);
    largest.truncate(MAX_SLICES);
    let slice = |(name, _): &(&str, usize)| {
        let of = answers
            .iter()
            .filter(|(video, _)| value(video) == Some(*name));
        (
            (*name).to_owned(),
            slice(of.copied().collect(), answers, rules),
        )
    };
    Slices {
        values: each(&largest, slice).into_iter().collect(),
        left_out,
    }
}

fn slice<'a>(mut of: Vec<Answer<'a>>, all: &[Answer<'a>], rules: &Rules) -> Slice {
    let counts = counts(&of);
    let synthetic = of.iter().filter(|(video, _)| video.synthetic).count();
    let against = match (synthetic, of.len() - synthetic) {
        (_, 0) => Some("all_real"),
        (0, _) => Some("all_synthetic"),
        (_, _) => None,
    };
    if against.is_some() {
        let other = synthetic == 0;
        of.extend(all.iter().filter(|(video, _)| video.synthetic == other));
    }
    Slice {
        against,
        counts,
        metrics: metrics(&of, rules),
    }
}

fn comparisons(results: &Results, rules: &Rules) -> Vec<Comparison> {
    let columns = results.columns.iter().enumerate();
    let pairs = columns.flat_map(|(place, a)| {
        let others = results.columns.iter().skip(place + 1);
        others.map(move |b| (a, b))
    });
    let pairs: Vec<(&Column, &Column)> = pairs.collect();
    each(&pairs, |(a, b)| compare(results, a, b, rules))
}

fn compare(results: &Results, a: &Column, b: &Column, rules: &Rules) -> Comparison {
    let (mut first, mut second, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let outcomes = a.outcomes.iter().zip(&b.outcomes);
    for (video, (x, y)) in results.videos.iter().zip(outcomes) {
        if let (Some(x), Some(y)) = (x.score(), y.score()) {
            first.push(Sample::new(video.synthetic, x));
            second.push(Sample::new(video.synthetic, y));
            names.push(video.cluster());
        }
    }
    Comparison {
        a: a.model.clone(),
        b: b.model.clone(),
        videos: names.len(),
        difference: paired(&first, &second, &names, rules),
    }
}

/// A file fails for all models at once; other tools' tables may differ.
fn failures(results: &Results) -> Vec<Failure> {
    let mut found = BTreeSet::new();
    for column in &results.columns {
        for (video, outcome) in results.videos.iter().zip(&column.outcomes) {
            if let Outcome::Failed { code, detail } = outcome {
                found.insert(Failure {
                    path: video.path.clone(),
                    code: code.clone(),
                    detail: detail.clone(),
                });
            }
        }
    }
    found.into_iter().collect()
}
