//! ONNX Runtime: the only file that names `ort`.
//!
//! ort's errors can carry the session builder and are not `Send`; they become text here.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};

use crate::domain::score::Logit;

use super::bundle::manifest::Dtype;
use super::bundle::{Bundle, BundleError};
use super::config::{Provider, RuntimeConfig};
use super::error::InferenceError;
use super::readout::Readout;
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
pub struct SessionConfig {
    /// What it runs on.
    pub provider: Provider,
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
    pub fn read(bundle: &Bundle) -> Result<Self, InferenceError> {
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

/// A bundle's graph, ready to run; used by one thread at a time.
pub struct Session {
    inner: ort::session::Session,
    options: RunOptions<HasSelectedOutputs>,
    model: String,
    input: String,
    output: String,
    readout: Readout,
}

impl Session {
    /// Loads `bundle`'s graph and checks that it fits; `input_shape` is one picture's tensor.
    pub fn new(
        runtime: &Runtime,
        bundle: &Bundle,
        input_shape: [usize; 4],
        config: SessionConfig,
        weights: &SharedWeights,
    ) -> Result<Self, InferenceError> {
        let path = &bundle.graph.path;
        let failed = |reason: String| InferenceError::Load {
            model: bundle.name().to_owned(),
            path: path.clone(),
            reason,
        };
        let inner = builder(runtime, config)
            .and_then(|builder| weights.give(builder))
            .and_then(|mut builder| builder.commit_from_file(path))
            .map_err(|e| failed(e.message().to_owned()))?;
        let readout = Readout::new(bundle);
        fits(
            bundle,
            inner.inputs(),
            inner.outputs(),
            input_shape,
            &readout,
        )?;
        let output = bundle.manifest.output.name.clone();
        let options = RunOptions::new()
            .map_err(|e| failed(e.message().to_owned()))?
            .with_outputs(OutputSelector::no_default().with(&output));
        Ok(Self {
            inner,
            options,
            model: bundle.name().to_owned(),
            input: bundle.manifest.input.name.clone(),
            output,
            readout,
        })
    }

    /// One value a picture of `tensor`.
    pub fn run(&mut self, tensor: &Tensor) -> Result<Vec<Logit>, InferenceError> {
        let model = &self.model;
        let failed = |e: ort::Error| InferenceError::Run {
            model: model.clone(),
            reason: e.message().to_owned(),
        };
        let value = match tensor {
            Tensor::Float32(array) => TensorRef::from_array_view(array).map(TensorRef::into_dyn),
            Tensor::Uint8(array) => TensorRef::from_array_view(array).map(TensorRef::into_dyn),
        }
        .map_err(failed)?;
        let inputs = ort::inputs! { self.input.as_str() => value };
        let outputs = self
            .inner
            .run_with_options(inputs, &self.options)
            .map_err(failed)?;
        let output = outputs
            .get(&self.output)
            .ok_or_else(|| InferenceError::Run {
                model: model.clone(),
                reason: format!("no output {:?}", self.output),
            })?;
        let array = output.try_extract_array::<f32>().map_err(failed)?;
        self.readout.read(array, tensor.batch())
    }
}

fn builder(runtime: &Runtime, config: SessionConfig) -> ort::Result<SessionBuilder> {
    let provider = match config.provider {
        // No arena: it keeps a run's largest working set for ever, and costs no time here.
        Provider::Cpu => ep::CPU::default().with_arena_allocator(false).build(),
    };
    Ok(ort::session::Session::builder(&runtime.environment)?
        .with_no_environment_execution_providers()?
        .with_execution_providers([provider.error_on_failure()])?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(config.intra_threads)?
        .with_inter_threads(1)?
        // Waiting threads would burn the cores that the other sessions and the decoder need.
        .with_intra_op_spinning(false)?
        .with_log_level(log_level())?)
}

/// Checks the graph's declared inputs and outputs against the bundle.
fn fits(
    bundle: &Bundle,
    inputs: &[Outlet],
    outputs: &[Outlet],
    input_shape: [usize; 4],
    readout: &Readout,
) -> Result<(), BundleError> {
    let wrong = |key: &str, expected: String, found: String| BundleError::Value {
        file: bundle.manifest_path.clone(),
        key: key.to_owned(),
        expected: format!("{expected} as in {}", bundle.graph.path.display()),
        found,
    };
    let name = &bundle.manifest.input.name;
    let [input] = inputs else {
        let expected = format!("the only input of the graph, which has {}", names(inputs));
        return Err(wrong("input.name", expected, format!("{name:?}")));
    };
    if input.name() != name {
        return Err(wrong("input.name", names(inputs), format!("{name:?}")));
    }
    let dtype = match bundle.manifest.input.dtype {
        Dtype::Float32 => TensorElementType::Float32,
        Dtype::Float16 => TensorElementType::Float16,
        Dtype::Uint8 => TensorElementType::Uint8,
    };
    let (element, dims) = tensor_of(input);
    if element != Some(dtype) {
        return Err(wrong("input.dtype", describe(input), format!("{dtype:?}")));
    }
    if !takes(dims, input_shape, bundle.manifest.runtime.max_batch.get()) {
        let found = format!(
            "{input_shape:?} (layout, resize and crop) with runtime.max_batch {}",
            bundle.manifest.runtime.max_batch
        );
        return Err(wrong("input", describe(input), found));
    }
    let name = &bundle.manifest.output.name;
    let Some(output) = outputs.iter().find(|o| o.name() == name) else {
        return Err(wrong(
            "output.name",
            format!("one of {}", names(outputs)),
            format!("{name:?}"),
        ));
    };
    let (element, dims) = tensor_of(output);
    if element != Some(TensorElementType::Float32) || !readout.fits(dims) {
        let found = format!(
            "{:?}, which needs Float32 {}",
            bundle.manifest.output.kind,
            readout.expected()
        );
        return Err(wrong("output.kind", describe(output), found));
    }
    Ok(())
}

/// Whether an input declared as `dims` takes batches of up to `max_batch` of `shape`.
fn takes(dims: &[i64], shape: [usize; 4], max_batch: usize) -> bool {
    let is = |dim: i64, wanted: usize| dim < 0 || usize::try_from(dim) == Ok(wanted);
    let [batch, rest @ ..] = dims else {
        return false;
    };
    let [_, wanted @ ..] = shape;
    (*batch < 0 || (*batch == 1 && max_batch == 1))
        && rest.len() == wanted.len()
        && rest.iter().zip(wanted).all(|(dim, side)| is(*dim, side))
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
