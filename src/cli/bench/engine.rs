//! A model's sessions, threads and batches: which make the most of this machine.

use std::io::Write;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use procfs::process::Process;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Outcome;
use super::super::args::EngineArgs;
use super::super::models::open;
use crate::config::Config;
use crate::domain::frame::Picture;
use crate::inference::bundle::{Bundle, Scorer, Sorted};
use crate::inference::{InferenceError, Model, ModelsConfig, Providers, Runtime, Tensor};
use crate::pipeline::{AnalyzeError, caching};

/// Rates that differ by less count as equal; then fewer sessions and smaller batches win.
const EQUAL: f64 = 0.03;

/// Settings that are tried together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Point {
    sessions: usize,
    intra_threads: usize,
    max_batch: usize,
    /// Sessions keep the memory of a run for the next one.
    arena: bool,
}

/// What came of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Measured {
    #[serde(flatten)]
    point: Point,
    /// Inputs of the model that were scored in a second.
    inputs_per_s: f64,
    /// From the call to the answer of one input, waiting included.
    median_ms: f64,
    p95_ms: f64,
    /// Inputs that shared a run, on average.
    mean_batch: f64,
    load_ms: f64,
    /// The most memory that the process had, loading included; none where Linux doesn't say.
    peak_mib: Option<u64>,
}

/// Each point of the grid in a process of its own; a line of JSON each, then the suggestion.
pub(super) fn run(
    config: &Config,
    args: &EngineArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let named = args.model.as_ref().or(config.models.default.first());
    let name = named.context("no model is named, and none is the default")?;
    let Sorted::Scorer(bundle) = open(config, name)?.sort() else {
        anyhow::bail!("{name} is a finder: `jaga bench faces` measures those");
    };
    if let Some(point) = &args.point {
        let measured = here(config, bundle, serde_json::from_str(point)?, args.inputs)?;
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
        return Ok(Outcome::Done);
    }
    let usual = config.runtime.model.get(name).and_then(|own| own.arena);
    let usual = usual.unwrap_or(config.runtime.arena);
    let mut all = Vec::new();
    for point in grid(args, bundle.runtime.max_batch, usual) {
        all.push(elsewhere(point, out)?);
    }
    if args.arena.is_empty() {
        let best = suggested(&all).context("the grid has no point")?.point;
        let other = Point {
            arena: !best.arena,
            ..best
        };
        all.push(elsewhere(other, out)?);
    }
    let best = suggested(&all).context("the grid has no point")?;
    writeln!(out, "{}", json!({ "model": name, "suggested": best.point }))?;
    Ok(Outcome::Done)
}

/// Measures `point` in another process: what one leaves in memory would count for the next.
fn elsewhere(point: Point, out: &mut impl Write) -> anyhow::Result<Measured> {
    let output = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .arg("--point")
        .arg(serde_json::to_string(&point)?)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    anyhow::ensure!(output.status.success(), "can't measure {point:?}");
    out.write_all(&output.stdout)?;
    out.flush()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Measures `point` in this process.
fn here(
    config: &Config,
    mut bundle: Bundle<Scorer>,
    point: Point,
    inputs: u32,
) -> anyhow::Result<Measured> {
    // The bundle's own would come first.
    (bundle.runtime.sessions, bundle.runtime.intra_threads) = (None, None);
    let mut settings = config.runtime.clone();
    settings.arena = point.arena;
    settings.shrink &= point.arena;
    if let Some(own) = settings.model.get_mut(bundle.name()) {
        (own.arena, own.shrink) = (None, None);
    }
    let onnxruntime = Runtime::configured(&settings).map_err(AnalyzeError::from)?;
    let engine = Engine {
        onnxruntime: caching(onnxruntime, config),
        providers: settings.providers().map_err(AnalyzeError::from)?,
        bundle,
        config: config.models.clone(),
        inputs,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(engine.measure(point))
}

/// What the arguments say; where they say nothing, one session and as many as there are cores,
/// with the threads that fill the cores, no batches and those that the bundle allows, and the arena
/// as `usual`.
fn grid(args: &EngineArgs, own: NonZeroUsize, usual: bool) -> Vec<Point> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let batches = or(&args.batch, &[1, own.get()]);
    let mut points = Vec::new();
    for sessions in or(&args.sessions, &[1, cores]) {
        let filled = (cores / sessions).max(1);
        for intra_threads in or(&args.threads, &[1, filled]) {
            for max_batch in &batches {
                points.extend(or(&args.arena, &[usual]).into_iter().map(|arena| Point {
                    sessions,
                    intra_threads,
                    max_batch: *max_batch,
                    arena,
                }));
            }
        }
    }
    points
}

/// What is `given`, or else what is `usual`, each once.
fn or<T: Copy + Ord>(given: &[T], usual: &[T]) -> Vec<T> {
    let mut values = if given.is_empty() { usual } else { given }.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}

/// The fastest; of those that are as fast, the one with the fewest sessions, then threads, then
/// the smallest batch, and without an arena.
fn suggested(all: &[Measured]) -> Option<Measured> {
    let best = all.iter().map(|m| m.inputs_per_s).fold(0.0, f64::max);
    let fast = all
        .iter()
        .filter(|m| m.inputs_per_s >= best * (1.0 - EQUAL));
    fast.min_by_key(|m| {
        let point = m.point;
        (
            point.sessions,
            point.intra_threads,
            point.max_batch,
            point.arena,
        )
    })
    .copied()
}

/// What is measured.
struct Engine {
    onnxruntime: Runtime,
    providers: Providers,
    bundle: Bundle<Scorer>,
    config: ModelsConfig,
    inputs: u32,
}

impl Engine {
    async fn measure(&self, point: Point) -> anyhow::Result<Measured> {
        let config = ModelsConfig {
            sessions: point.sessions,
            intra_threads: point.intra_threads,
            max_batch: point.max_batch,
            ..self.config.clone()
        };
        let begin = Instant::now();
        let (runtime, providers) = (&self.onnxruntime, &self.providers);
        let model =
            Model::start(runtime, &self.bundle, &config, providers).map_err(AnalyzeError::from)?;
        let load = begin.elapsed();
        let tensor = tensor(&model)?;
        // Enough that every session always has a full batch to take.
        let waiting = 2 * point.sessions * point.max_batch;
        let begin = Instant::now();
        let mut took: Vec<Duration> = stream::iter(0..self.inputs)
            .map(|_| one(&model, tensor.clone()))
            .buffer_unordered(waiting)
            .try_collect()
            .await
            .map_err(AnalyzeError::from)?;
        let elapsed = begin.elapsed();
        took.sort_unstable();
        let at = |part: usize| {
            let index = (took.len() * part / 100).min(took.len().saturating_sub(1));
            ms(took.get(index).copied().unwrap_or_default())
        };
        let (runs, inputs) = (model.backbone().runs(), model.backbone().inputs());
        Ok(Measured {
            point,
            inputs_per_s: f64::from(self.inputs) / elapsed.as_secs_f64(),
            median_ms: at(50),
            p95_ms: at(95),
            mean_batch: inputs as f64 / runs.max(1) as f64,
            load_ms: ms(load),
            peak_mib: peak_mib(),
        })
    }
}

/// An input of the model, of one colour: what is in it makes no difference to the time.
fn tensor(model: &Model) -> anyhow::Result<Tensor> {
    let pixels = model.pixels(&Picture::new(2, 2, vec![128; 12])?);
    Ok(model.tensor(&vec![&pixels; model.look().pictures()])?)
}

async fn one(model: &Model, tensor: Tensor) -> Result<Duration, InferenceError> {
    let begin = Instant::now();
    model.score(tensor).await?;
    Ok(begin.elapsed())
}

/// The most memory that this process had so far.
fn peak_mib() -> Option<u64> {
    let status = Process::myself().ok()?.status().ok()?;
    Some(status.vmhwm? / 1024)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(sessions: usize, max_batch: usize, inputs_per_s: f64) -> Measured {
        Measured {
            point: Point {
                sessions,
                intra_threads: 1,
                max_batch,
                arena: false,
            },
            inputs_per_s,
            median_ms: 1.0,
            p95_ms: 1.0,
            mean_batch: 1.0,
            load_ms: 1.0,
            peak_mib: Some(1),
        }
    }

    #[test]
    fn of_equally_fast_settings_the_smallest_is_suggested() {
        let all = [
            measured(1, 1, 50.0),
            measured(2, 8, 101.0),
            measured(2, 1, 99.0),
            measured(4, 1, 100.0),
        ];
        assert_eq!(suggested(&all), Some(all[2]));
        assert_eq!(suggested(&[]), None);
    }

    #[test]
    fn the_grid_is_what_was_asked_for_each_point_once() {
        let args = EngineArgs {
            model: None,
            sessions: vec![2, 1, 2],
            threads: vec![1],
            batch: vec![8, 1],
            arena: Vec::new(),
            point: None,
            inputs: 64,
        };
        let points = grid(&args, NonZeroUsize::MIN, true);
        let found: Vec<_> = points.iter().map(|p| (p.sessions, p.max_batch)).collect();
        assert_eq!(found, [(1, 1), (1, 8), (2, 1), (2, 8)]);
        assert!(points.iter().all(|point| point.arena));
        let arena = vec![true, false];
        let both = grid(&EngineArgs { arena, ..args }, NonZeroUsize::MIN, false);
        let found: Vec<_> = both.iter().map(|point| point.arena).collect();
        assert_eq!(found, [false, true].repeat(4));
    }
}
