//! ONNX Runtime: the only module that names `ort`.
//!
//! A [`Session`] takes a tensor and gives the outputs asked for, whatever they mean.
//!
//! ort's errors can carry the session builder and are not `Send`; they become text here.

mod execution;
mod inputs;
mod library;
mod prepared;
mod probe;
mod profile;

use std::path::Path;

use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::{DynValue, TensorElementType, TensorRef, ValueType};

use half::f16;
use ndarray::ArrayD;

use self::inputs::{check_input, describe, names, tensor_of, wrong};
use self::library::log_level;
use self::profile::Profile;
use super::bundle::task::Encoding;
use super::bundle::{Bundle, BundleError};
use super::error::InferenceError;
use super::providers::{Nodes, Target};
use super::tensor::Tensor;
use super::tuning::Optimization;

pub use self::library::Runtime;
pub use self::prepared::Prepared;

/// How a session is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig<'a> {
    /// What it runs on.
    pub target: &'a Target,
    /// Threads that one run computes with.
    pub intra_threads: usize,
}

/// What a bundle says of its graph's input.
#[derive(Debug, Clone, Copy)]
pub struct InputSlot<'a> {
    /// Name and element type.
    pub encoding: &'a Encoding,
    /// Lengths of the axes, batch (1) first; `None` where they follow the picture's size.
    pub shape: &'a [Option<usize>],
    /// Inputs that may share a run.
    pub max_batch: usize,
}

/// Sets of outputs whose run options a session keeps.
const KEPT_OPTIONS: usize = 16;

/// Key of ONNX Runtime's for devices whose arena gives back what it doesn't need after a run.
const SHRINK: &str = "memory.enable_memory_arena_shrinkage";

/// A bundle's graph, ready to run; used by one thread at a time.
pub struct Session {
    inner: ort::session::Session,
    /// One for each set of outputs that was asked for.
    options: Vec<(Vec<String>, RunOptions<HasSelectedOutputs>)>,
    /// Whether a run gives the arena's spare memory back.
    shrink: bool,
    model: String,
    input: String,
    /// What writes down what runs where, until [`Session::placed`].
    profile: Option<Profile>,
}

impl Session {
    /// Loads `bundle`'s graph for the target and checks that it takes `input`.
    pub fn new<T>(
        runtime: &Runtime,
        bundle: &Bundle<T>,
        input: InputSlot<'_>,
        config: SessionConfig<'_>,
        prepared: &Prepared,
    ) -> Result<Self, InferenceError> {
        let (inner, profile) = match (load(runtime, bundle, config, prepared), prepared.graph()) {
            (Err(error), Some(graph)) if error.is_of_provider() => {
                // Another process may have removed it meanwhile.
                let graph = graph.display().to_string();
                tracing::warn!(model = bundle.name(), graph, %error, "the bundle's graph is used");
                load(runtime, bundle, config, &Prepared::default())?
            }
            (loaded, _) => loaded?,
        };
        check_input(bundle, inner.inputs(), input)?;
        Ok(Self {
            inner,
            options: Vec::new(),
            shrink: config.target.tuning.shrink,
            model: bundle.name().to_owned(),
            input: input.encoding.name.clone(),
            profile,
        })
    }

    /// What the runs since the session was made have computed where; to be asked once, after a run.
    /// An error where the provider ran nothing, or not all and that is required. Empty on the CPU,
    /// where there is nothing to tell apart.
    pub fn placed(&mut self) -> Result<Nodes, InferenceError> {
        let Some(profile) = self.profile.take() else {
            return Ok(Nodes::new());
        };
        let failed = |reason: String| InferenceError::Profile {
            model: self.model.clone(),
            reason,
        };
        let ended = self.inner.end_profiling();
        let file = ended.map_err(|e| failed(e.message().to_owned()))?;
        let nodes = profile::nodes(Path::new(&file)).map_err(|e| failed(e.to_string()))?;
        profile.judge(&self.model, nodes)
    }

    /// The same, called `name` in errors of its runs.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.model);
        self
    }

    /// The declared lengths of the graph's output `name`, which `bundle` calls for in `key`;
    /// negative ones are open. An error where there is none, or none of floating point.
    pub fn output<T>(
        &self,
        bundle: &Bundle<T>,
        key: &str,
        name: &str,
    ) -> Result<&[i64], BundleError> {
        let outputs = self.inner.outputs();
        let Some(output) = outputs.iter().find(|o| o.name() == name) else {
            let expected = format!("one of {}", names(outputs));
            return Err(wrong(bundle, key, &expected, format!("{name:?}")));
        };
        let (element, dims) = tensor_of(output);
        if let Some(TensorElementType::Float32 | TensorElementType::Float16) = element {
            return Ok(dims);
        }
        let found = format!("{name:?}, which is {}", describe(output));
        Err(wrong(bundle, key, "a tensor of Float32 or Float16", found))
    }

    /// The values of the graph's `outputs` (at least one) for `tensor`, in that order, float16
    /// widened. The others aren't copied out; ONNX Runtime 1.31 computes them all the same.
    pub fn run(
        &mut self,
        tensor: &Tensor,
        outputs: &[&str],
    ) -> Result<Vec<ArrayD<f32>>, InferenceError> {
        self.try_run(tensor, outputs)
            .map_err(|error| self.fault(&error.message()))
    }

    /// A run of this session that failed for `reason`.
    pub(super) fn fault(&self, reason: &dyn std::fmt::Display) -> InferenceError {
        InferenceError::Run {
            model: self.model.clone(),
            reason: reason.to_string(),
        }
    }

    fn try_run(&mut self, tensor: &Tensor, outputs: &[&str]) -> ort::Result<Vec<ArrayD<f32>>> {
        let value = match tensor {
            Tensor::Float32(array) => TensorRef::from_array_view(array)?.into_dyn(),
            Tensor::Float16(array) => TensorRef::from_array_view(array)?.into_dyn(),
            Tensor::Uint8(array) => TensorRef::from_array_view(array)?.into_dyn(),
        };
        let options = kept_options(&mut self.options, outputs, self.shrink)?;
        let inputs = ort::inputs! { self.input.as_str() => value };
        let values = self.inner.run_with_options(inputs, options)?;
        outputs
            .iter()
            .map(|name| {
                let none = || ort::Error::new(format!("it has no output {name:?}"));
                floats(values.get(*name).ok_or_else(none)?)
            })
            .collect()
    }
}

/// The options that ask for `outputs`, made when they aren't kept yet.
fn kept_options<'a>(
    kept: &'a mut Vec<(Vec<String>, RunOptions<HasSelectedOutputs>)>,
    outputs: &[&str],
    shrink: bool,
) -> ort::Result<&'a RunOptions<HasSelectedOutputs>> {
    let index = if let Some(index) = kept.iter().position(|(names, _)| names == outputs) {
        index
    } else {
        let select = |all: OutputSelector, name: &&str| all.with(*name);
        let selector = outputs.iter().fold(OutputSelector::no_default(), select);
        let mut options = RunOptions::new()?.with_outputs(selector);
        if shrink {
            options.set(SHRINK, "cpu:0")?;
        }
        if kept.len() >= KEPT_OPTIONS {
            kept.clear();
        }
        let names = outputs.iter().map(|name| (*name).to_owned()).collect();
        kept.push((names, options));
        kept.len().saturating_sub(1)
    };
    let none = || ort::Error::new("no run options");
    kept.get(index).map(|(_, options)| options).ok_or_else(none)
}

fn floats(output: &DynValue) -> ort::Result<ArrayD<f32>> {
    if let ValueType::Tensor {
        ty: TensorElementType::Float16,
        ..
    } = output.dtype()
    {
        let array = output.try_extract_array::<f16>()?;
        return Ok(array.mapv(f16::to_f32));
    }
    Ok(output.try_extract_array::<f32>()?.to_owned())
}

/// A session of `bundle`'s graph, or of the cached one that `prepared` has.
fn load<T>(
    runtime: &Runtime,
    bundle: &Bundle<T>,
    config: SessionConfig<'_>,
    prepared: &Prepared,
) -> Result<(ort::session::Session, Option<Profile>), InferenceError> {
    let path = prepared.graph().unwrap_or(&bundle.graph.path);
    let profile = Profile::of(config.target).map_err(|reason| InferenceError::Profile {
        model: bundle.name().to_owned(),
        reason,
    })?;
    let failed = |e: &str| InferenceError::Load {
        model: bundle.name().to_owned(),
        path: path.to_owned(),
        reason: e.to_owned(),
    };
    let with_weights = builder(runtime, config, profile.as_ref())
        .and_then(|builder| {
            // A cached graph is rewritten already.
            let done = prepared.graph().map(|_| GraphOptimizationLevel::Disable);
            match done {
                Some(level) => Ok(builder.with_optimization_level(level)?),
                None => Ok(builder),
            }
        })
        .and_then(|builder| prepared.give_weights(builder));
    let builder = with_weights.map_err(|e| failed(e.message()))?;
    let inner = execution::register(builder, runtime, config, prepared.folder())?
        .commit_from_file(path)
        .map_err(|e| execution::refusal(bundle.name(), config.target, e.message()))
        .map_err(|refusal| refusal.unwrap_or_else(|reason| failed(&reason)))?;
    Ok((inner, profile))
}

fn builder(
    runtime: &Runtime,
    config: SessionConfig<'_>,
    profile: Option<&Profile>,
) -> ort::Result<SessionBuilder> {
    let tuning = config.target.tuning;
    let builder = ort::session::Session::builder(&runtime.environment)?
        .with_no_environment_execution_providers()?
        .with_optimization_level(level(tuning.optimization))?
        .with_memory_pattern(tuning.memory_pattern)?
        .with_intra_threads(config.intra_threads)?
        .with_inter_threads(1)?
        // Waiting threads would burn the cores that the other sessions and the decoder need.
        .with_intra_op_spinning(false)?
        .with_log_level(log_level())?;
    match profile {
        Some(profile) => Ok(builder.with_profiling(profile.path())?),
        None => Ok(builder),
    }
}

fn level(optimization: Optimization) -> GraphOptimizationLevel {
    match optimization {
        Optimization::Off => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    }
}
