//! ONNX Runtime: the only module that names `ort`.
//!
//! A [`Session`] takes a tensor and gives the outputs asked for, whatever they mean.
//!
//! ort's errors can carry the session builder and are not `Send`; they become text here.

mod execution;
mod probe;
mod profile;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};

use half::f16;
use ndarray::ArrayD;
use tempfile::TempDir;

use super::bundle::manifest::Dtype;
use super::bundle::task::Encoding;
use super::bundle::{Bundle, BundleError};
use super::config::RuntimeConfig;
use super::error::InferenceError;
use super::provider::Provider;
use super::providers::{Nodes, Target};
use super::tensor::Tensor;
use super::weights;

/// The loaded ONNX Runtime library with its environment. Cheap to clone; a process has one.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
    version: String,
}

/// The one of this process; ONNX Runtime allows no second environment.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads the configured library; an error with a hint when there is none.
    pub fn configured(config: &RuntimeConfig) -> Result<Self, InferenceError> {
        let library = config.library.as_deref().ok_or(InferenceError::NoLibrary)?;
        Self::load(library)
    }

    /// Loads `library` (1.24 or later). The same library again is the same runtime; another one
    /// is an error.
    pub fn load(library: &Path) -> Result<Self, InferenceError> {
        let failed = |reason: String| InferenceError::Library {
            path: library.to_owned(),
            reason,
        };
        // Canonical: ort looks for a relative path beside the program first.
        let path = library.canonicalize().map_err(|e| failed(e.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            return if runtime.library == path {
                Ok(runtime.clone())
            } else {
                Err(InferenceError::SecondLibrary {
                    loaded: runtime.library.clone(),
                    asked: path,
                })
            };
        }
        let environment = ort::init_from(&path)
            .map_err(|e| failed(e.to_string()))?
            .with_name("jaga")
            .with_telemetry(false)
            .build()
            .map_err(|e| failed(e.message().to_owned()))?;
        environment.set_log_level(log_level());
        let runtime = Self {
            environment,
            version: version_of(&path),
            library: path,
        };
        tracing::info!(library = %runtime.library.display(), version = runtime.version, "ONNX Runtime loaded");
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library's version, such as `1.31.1`; its build line when its name has no version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library's file.
    pub fn library(&self) -> &Path {
        &self.library
    }
}

fn log_level() -> LogLevel {
    // ONNX Runtime writes thousands of lines below warnings; made only when somebody reads them.
    if tracing::enabled!(target: "ort::logging", tracing::Level::DEBUG) {
        LogLevel::Verbose
    } else {
        LogLevel::Warning
    }
}

/// ort has no call for the version: it stands in the library's file name
/// (`libonnxruntime.so.1.31.1`), and else the build line has the commit.
fn version_of(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    match name.split_once(".so.") {
        Some((_, version)) if version.contains('.') => version.to_owned(),
        _ => ort::info().to_owned(),
    }
}

/// How a session is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig<'a> {
    /// What it runs on.
    pub target: &'a Target,
    /// Threads that one run computes with.
    pub intra_threads: usize,
}

/// Weights in memory that several sessions of one model use; empty for sessions that load their
/// own.
#[derive(Default)]
pub struct SharedWeights(Vec<(String, Arc<DynValue>)>);

impl SharedWeights {
    /// Reads the large weights of `bundle` that lie in files of their own. There are none to share
    /// in a graph that has its weights inside.
    pub fn read<T>(bundle: &Bundle<T>) -> Result<Self, InferenceError> {
        let failed = |reason: String| InferenceError::Load {
            model: bundle.name().to_owned(),
            path: bundle.graph.path.clone(),
            reason,
        };
        let mut shared = Vec::new();
        for place in weights::shareable(bundle) {
            let weight = place.read().map_err(|e| failed(e.to_string()))?;
            let value = ort::value::Tensor::from_array((weight.dims, weight.values))
                .map_err(|e| failed(e.message().to_owned()))?;
            shared.push((weight.name, Arc::new(value.into_dyn())));
        }
        Ok(Self(shared))
    }

    /// How many weights there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn give(&self, builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        if self.0.is_empty() {
            return Ok(builder);
        }
        // Rearranged copies, one a session, would be what sharing is to save.
        let mut builder = builder.with_prepacking(false)?;
        for (name, value) in &self.0 {
            builder = builder.with_initializer(name, value.clone())?;
        }
        Ok(builder)
    }
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

/// A bundle's graph, ready to run; used by one thread at a time.
pub struct Session {
    inner: ort::session::Session,
    /// One for each set of outputs that was asked for.
    options: Vec<(Vec<String>, RunOptions<HasSelectedOutputs>)>,
    model: String,
    input: String,
    /// What writes down what runs where, until [`Session::placed`].
    profile: Option<Profile>,
}

/// A profile that is being written, in a folder of its own.
struct Profile {
    folder: TempDir,
    provider: Provider,
    require_full: bool,
}

impl Session {
    /// Loads `bundle`'s graph for the target and checks that it takes `input`.
    pub fn new<T>(
        runtime: &Runtime,
        bundle: &Bundle<T>,
        input: InputSlot<'_>,
        config: SessionConfig<'_>,
        weights: &SharedWeights,
    ) -> Result<Self, InferenceError> {
        let path = &bundle.graph.path;
        let profile = Profile::of(config.target).map_err(|reason| InferenceError::Profile {
            model: bundle.name().to_owned(),
            reason,
        })?;
        let failed = |e: &str| InferenceError::Load {
            model: bundle.name().to_owned(),
            path: path.clone(),
            reason: e.to_owned(),
        };
        let mut builder =
            builder(runtime, config, profile.as_ref()).map_err(|e| failed(e.message()))?;
        // Other providers rearrange weights for themselves.
        if config.target.provider == Provider::Cpu {
            builder = weights.give(builder).map_err(|e| failed(e.message()))?;
        }
        let inner = execution::register(builder, runtime, config)?
            .commit_from_file(path)
            .map_err(|e| execution::refusal(bundle.name(), config.target, e.message()))
            .map_err(|refusal| refusal.unwrap_or_else(|reason| failed(&reason)))?;
        check_input(bundle, inner.inputs(), input)?;
        Ok(Self {
            inner,
            options: Vec::new(),
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
        let options = kept_options(&mut self.options, outputs)?;
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
) -> ort::Result<&'a RunOptions<HasSelectedOutputs>> {
    let index = if let Some(index) = kept.iter().position(|(names, _)| names == outputs) {
        index
    } else {
        let select = |all: OutputSelector, name: &&str| all.with(*name);
        let selector = outputs.iter().fold(OutputSelector::no_default(), select);
        let options = RunOptions::new()?.with_outputs(selector);
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

impl Profile {
    /// For a provider that could leave parts to another.
    fn of(target: &Target) -> Result<Option<Self>, String> {
        if target.provider == Provider::Cpu {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("jaga-profile-").tempdir();
        Ok(Some(Self {
            folder: folder.map_err(|e| e.to_string())?,
            provider: target.provider,
            require_full: target.require_full,
        }))
    }

    fn judge(&self, model: &str, nodes: Nodes) -> Result<Nodes, InferenceError> {
        let own = nodes.get(self.provider.name()).copied().unwrap_or_default();
        if own > 0 && (nodes.len() == 1 || !self.require_full) {
            return Ok(nodes);
        }
        let counts = nodes
            .iter()
            .map(|(name, count)| format!("{count} on {name}"));
        Err(InferenceError::NotWhole {
            model: model.to_owned(),
            provider: self.provider,
            detail: format!("of its nodes ran {}", counts.collect::<Vec<_>>().join(", ")),
        })
    }
}

fn builder(
    runtime: &Runtime,
    config: SessionConfig<'_>,
    profile: Option<&Profile>,
) -> ort::Result<SessionBuilder> {
    let builder = ort::session::Session::builder(&runtime.environment)?
        .with_no_environment_execution_providers()?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(config.intra_threads)?
        .with_inter_threads(1)?
        // Waiting threads would burn the cores that the other sessions and the decoder need.
        .with_intra_op_spinning(false)?
        .with_log_level(log_level())?;
    match profile {
        Some(profile) => Ok(builder.with_profiling(profile.folder.path().join("run"))?),
        None => Ok(builder),
    }
}

fn wrong<T>(bundle: &Bundle<T>, key: &str, expected: &str, found: String) -> BundleError {
    BundleError::Value {
        file: bundle.manifest_path.clone(),
        key: key.to_owned(),
        expected: format!("{expected} as in {}", bundle.graph.path.display()),
        found,
    }
}

/// Checks the graph's declared input against the bundle.
fn check_input<T>(
    bundle: &Bundle<T>,
    inputs: &[Outlet],
    slot: InputSlot<'_>,
) -> Result<(), BundleError> {
    let name = &slot.encoding.name;
    let wrong = |key, expected: String, found| Err(wrong(bundle, key, &expected, found));
    let [input] = inputs else {
        let expected = format!("the only input of the graph, which has {}", names(inputs));
        return wrong("input.name", expected, format!("{name:?}"));
    };
    if input.name() != name {
        return wrong("input.name", names(inputs), format!("{name:?}"));
    }
    let dtype = match slot.encoding.dtype {
        Dtype::Float32 => TensorElementType::Float32,
        Dtype::Float16 => TensorElementType::Float16,
        Dtype::Uint8 => TensorElementType::Uint8,
    };
    let (element, dims) = tensor_of(input);
    if element != Some(dtype) {
        return wrong("input.dtype", describe(input), format!("{dtype:?}"));
    }
    if !takes(dims, slot.shape, slot.max_batch) {
        let side = |side: &Option<usize>| side.map_or_else(|| "any".to_owned(), |s| s.to_string());
        let shape: Vec<String> = slot.shape.iter().map(side).collect();
        let found = format!(
            "[{}] (layout, resize, crop and window) with runtime.max_batch {}",
            shape.join(", "),
            slot.max_batch
        );
        return wrong("input", describe(input), found);
    }
    Ok(())
}

/// Whether an input declared as `dims` takes batches of up to `max_batch` of `shape`.
fn takes(dims: &[i64], shape: &[Option<usize>], max_batch: usize) -> bool {
    let is = |dim: i64, wanted: Option<usize>| {
        dim < 0 || wanted.is_some_and(|wanted| usize::try_from(dim) == Ok(wanted))
    };
    let ([batch, rest @ ..], [_, wanted @ ..]) = (dims, shape) else {
        return false;
    };
    (*batch < 0 || (*batch == 1 && max_batch == 1))
        && rest.len() == wanted.len()
        && rest.iter().zip(wanted).all(|(dim, side)| is(*dim, *side))
}

fn tensor_of(outlet: &Outlet) -> (Option<TensorElementType>, &[i64]) {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => (Some(*ty), shape),
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => (None, &[]),
    }
}

fn describe(outlet: &Outlet) -> String {
    match tensor_of(outlet) {
        (Some(element), dims) => format!("{element:?} {dims:?} (-1 is open)"),
        (None, _) => "a tensor, which the graph's isn't".to_owned(),
    }
}

fn names(outlets: &[Outlet]) -> String {
    let quoted: Vec<String> = outlets.iter().map(|o| format!("{:?}", o.name())).collect();
    quoted.join(", ")
}
