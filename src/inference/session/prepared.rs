//! What the sessions of one graph have in common: where the graph is, and weights in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::value::DynValue;
use tempfile::TempDir;

use super::super::bundle::{Bundle, ExternalTensor, external_tensors};
use super::super::cache::{GraphCache, Key, processor};
use super::super::error::InferenceError;
use super::super::provider::Provider;
use super::super::tuning::Optimization;
use super::super::weights;
use super::{Runtime, SessionConfig, builder, execution};

/// A cached graph, and its weights beside it.
const GRAPH: &str = "graph.onnx";
const WEIGHTS: &str = "graph.onnx.data";

/// Smaller weights stay in the cached graph, in bytes.
const MIN_EXTERNAL_BYTES: &str = "1024";

/// Made once for all sessions of a graph on one target.
#[derive(Default)]
pub struct Prepared {
    /// Weights that all sessions use where they lie; empty for sessions that load their own.
    weights: Vec<(String, Arc<DynValue>)>,
    /// The graph as it was rewritten, instead of the bundle's.
    graph: Option<PathBuf>,
    /// Where the provider keeps what it compiles.
    folder: Option<PathBuf>,
    /// What is to be kept once it has proved good.
    making: Option<Making>,
}

struct Making {
    cache: GraphCache,
    key: Key,
    folder: TempDir,
}

/// What of a graph can be kept on disk.
#[derive(Clone, Copy)]
enum Keepable {
    /// The graph as ONNX Runtime rewrote it.
    Graph,
    /// What the provider compiled, by itself.
    Compiled,
}

impl Keepable {
    /// Nothing where the provider compiles parts of a graph and has no folder of its own, or is told
    /// one by the configuration.
    fn of(config: SessionConfig<'_>) -> Option<Self> {
        let target = config.target;
        if target.provider.keeps_graphs() {
            return (target.tuning.optimization != Optimization::Off).then_some(Self::Graph);
        }
        let own = target.provider.cache_options();
        let told = target
            .options
            .iter()
            .any(|(key, _)| own.iter().any(|(own, _)| key == own));
        (!own.is_empty() && !told).then_some(Self::Compiled)
    }
}

impl Prepared {
    /// For `sessions` sessions of `bundle`: several on the CPU share weights that lie in files of
    /// their own. With a cache, the graph of an earlier start where there is one that still fits.
    pub fn new<T>(
        runtime: &Runtime,
        bundle: &Bundle<T>,
        config: SessionConfig<'_>,
        sessions: usize,
    ) -> Result<Self, InferenceError> {
        let mut prepared = Self::cached(runtime, bundle, config);
        // Other providers rearrange weights for themselves. A bundle without weights beside its
        // graph has none that were meant for this.
        if sessions > 1 && config.target.provider == Provider::Cpu && !bundle.external.is_empty() {
            prepared.share(bundle)?;
        }
        Ok(prepared)
    }

    /// How many weights the sessions share.
    pub fn shared(&self) -> usize {
        self.weights.len()
    }

    /// Keeps what was made at this start, now that sessions have proved it good. Where that fails
    /// the log has why.
    pub(in crate::inference) fn keep(self) {
        let Some(making) = self.making else { return };
        if let Err(error) = making.cache.keep(&making.key, making.folder.path()) {
            tracing::warn!(%error, "can't keep a graph for the next start");
        }
    }

    pub(super) fn graph(&self) -> Option<&Path> {
        self.graph.as_deref()
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub(super) fn give_weights(&self, builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        if self.weights.is_empty() {
            return Ok(builder);
        }
        // Rearranged copies, one a session, would be what sharing is to save.
        let mut builder = builder.with_prepacking(false)?;
        for (name, value) in &self.weights {
            builder = builder.with_initializer(name, value.clone())?;
        }
        Ok(builder)
    }

    /// With the cache's graph, or one that is made for it now; as the bundle has it where there is
    /// no cache, or it fails.
    fn cached<T>(runtime: &Runtime, bundle: &Bundle<T>, config: SessionConfig<'_>) -> Self {
        let (Some(cache), Some(what)) = (runtime.cache(), Keepable::of(config)) else {
            return Self::default();
        };
        let key = key(runtime, bundle, config, what);
        if let Some(folder) = cache.find(&key) {
            tracing::info!(model = bundle.name(), "graph of an earlier start is used");
            return Self::from(what, &folder, None);
        }
        let made = cache.stage().map_err(|e| e.to_string()).and_then(|folder| {
            if let Keepable::Graph = what {
                save(runtime, bundle, config, folder.path())?;
            }
            Ok(folder)
        });
        match made {
            Ok(folder) => {
                let (place, cache) = (folder.path().to_owned(), cache.clone());
                Self::from(what, &place, Some(Making { cache, key, folder }))
            }
            Err(error) => {
                tracing::warn!(
                    model = bundle.name(),
                    error,
                    "no graph is made for the cache"
                );
                Self::default()
            }
        }
    }

    fn from(what: Keepable, folder: &Path, making: Option<Making>) -> Self {
        let (graph, folder) = match what {
            Keepable::Graph => (Some(folder.join(GRAPH)), None),
            Keepable::Compiled => (None, Some(folder.to_owned())),
        };
        Self {
            weights: Vec::new(),
            graph,
            folder,
            making,
        }
    }

    /// Reads the large weights that lie beside the graph.
    fn share<T>(&mut self, bundle: &Bundle<T>) -> Result<(), InferenceError> {
        let path = self
            .graph
            .clone()
            .unwrap_or_else(|| bundle.graph.path.clone());
        let failed = |reason: String| InferenceError::Load {
            model: bundle.name().to_owned(),
            path: path.clone(),
            reason,
        };
        let of_cached: Vec<ExternalTensor>;
        let external = if self.graph.is_some() {
            let bytes = fs::read(&path).map_err(|e| failed(e.to_string()))?;
            of_cached = external_tensors(&bytes).map_err(|e| failed(e.to_string()))?;
            &of_cached
        } else {
            &bundle.external
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        for place in weights::shareable(external, folder) {
            let weight = place.read().map_err(|e| failed(e.to_string()))?;
            let value = ort::value::Tensor::from_array((weight.dims, weight.values))
                .map_err(|e| failed(e.message().to_owned()))?;
            self.weights.push((weight.name, Arc::new(value.into_dyn())));
        }
        Ok(())
    }
}

fn key<T>(runtime: &Runtime, bundle: &Bundle<T>, config: SessionConfig<'_>, what: Keepable) -> Key {
    let weights = bundle.weights.iter().map(|file| file.sha256.clone());
    let library = runtime.library().metadata();
    Key {
        files: std::iter::once(bundle.graph.sha256.clone())
            .chain(weights)
            .collect(),
        onnxruntime: (
            runtime.version().to_owned(),
            library.map(|data| data.len()).unwrap_or_default(),
        ),
        provider: config.target.provider.setting().to_owned(),
        options: config.target.options.clone(),
        optimization: config.target.tuning.optimization,
        intra_threads: match what {
            Keepable::Graph => 0,
            Keepable::Compiled => config.intra_threads,
        },
        processor: processor(),
    }
}

/// Writes the graph as ONNX Runtime rewrites it for the target into `folder`, weights beside it: so
/// sessions map them into memory.
fn save<T>(
    runtime: &Runtime,
    bundle: &Bundle<T>,
    config: SessionConfig<'_>,
    folder: &Path,
) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let builder = builder(runtime, config, None)
        .and_then(|builder| {
            Ok(builder
                // It warns that such a graph belongs to this processor, which the key says.
                .with_log_level(LogLevel::Error)?
                .with_optimized_model_path(folder.join(GRAPH))?
                .with_config_entry(
                    "session.optimized_model_external_initializers_file_name",
                    WEIGHTS,
                )?
                .with_config_entry(
                    "session.optimized_model_external_initializers_min_size_in_bytes",
                    MIN_EXTERNAL_BYTES,
                )?)
        })
        .map_err(|e| said(&e.message()))?;
    let mut builder = execution::register(builder, runtime, config, None).map_err(|e| said(&e))?;
    let session = builder.commit_from_file(&bundle.graph.path);
    session.map(drop).map_err(|e| said(&e.message()))
}
