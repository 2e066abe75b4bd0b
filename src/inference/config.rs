//! Settings of inference: the runtime library, its execution providers, the folders of bundles.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::InferenceError;
use super::pool::{Batching, Line};
use super::provider::Provider;
use super::providers::Providers;
use super::tuning::{Optimization, Tuning};
use crate::domain::lanes::Shares;

/// What the inference layer needs of `jaga.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceConfig {
    /// `[runtime]`
    pub runtime: RuntimeConfig,
    /// `[models]`
    pub models: ModelsConfig,
}

/// `[runtime]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct RuntimeConfig {
    /// The ONNX Runtime library (`libonnxruntime.so…`, 1.24 or later); without it no model loads.
    pub library: Option<PathBuf>,
    /// Execution providers in order of preference, by [`Provider::setting`].
    pub providers: Vec<String>,
    /// Refuse a model of which a part would run elsewhere than on the provider.
    pub require_full: bool,
    /// How far graphs are rewritten before they run.
    pub optimization: Optimization,
    /// Sessions keep the memory of a run for the next one.
    pub arena: bool,
    /// The memory of a run is laid out by what the run before it needed.
    pub memory_pattern: bool,
    /// What the arena doesn't need is given back after each run; only with `arena`.
    pub shrink: bool,
    /// Optimised graphs on disk.
    pub cache: CacheConfig,
    /// Options of providers, by [`Provider::setting`] and [`Provider::option_keys`].
    pub options: BTreeMap<String, BTreeMap<String, OptionValue>>,
    /// What is different for one model, by its name.
    pub model: BTreeMap<String, ModelRuntime>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        let tuning = Tuning::default();
        Self {
            library: None,
            providers: vec![Provider::Cpu.setting().to_owned()],
            require_full: false,
            optimization: tuning.optimization,
            arena: tuning.arena,
            memory_pattern: tuning.memory_pattern,
            shrink: tuning.shrink,
            cache: CacheConfig::default(),
            options: BTreeMap::new(),
            model: BTreeMap::new(),
        }
    }
}

impl RuntimeConfig {
    /// The execution providers to use; an error for an empty list, an unknown name and an unknown
    /// option.
    pub fn providers(&self) -> Result<Providers, InferenceError> {
        Providers::configured(self)
    }
}

/// `[runtime.model.<name>]`: what is absent is as for all models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelRuntime {
    /// Execution providers in order of preference.
    pub providers: Option<Vec<String>>,
    /// Refuse a part elsewhere.
    pub require_full: Option<bool>,
    /// How far its graph is rewritten.
    pub optimization: Option<Optimization>,
    /// Keep the memory of a run.
    pub arena: Option<bool>,
    /// Lay memory out by the run before.
    pub memory_pattern: Option<bool>,
    /// Give back what the arena doesn't need.
    pub shrink: Option<bool>,
}

/// `[runtime.cache]`: graphs as ONNX Runtime rewrote them, or as a provider compiled them, in
/// `<data.dir>/graphs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Bytes of all that is kept; 0 keeps nothing.
    pub max_bytes: u64,
    /// Graphs that are kept.
    pub max_entries: usize,
}

impl Default for CacheConfig {
    /// Off: for the default model it saves less than checking it costs (`docs/benchmarks.md`).
    fn default() -> Self {
        Self {
            max_bytes: 0,
            max_entries: 32,
        }
    }
}

/// A provider's option: what it means is the provider's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected true, false, a whole number or text")]
pub enum OptionValue {
    /// ONNX Runtime gets `1` or `0`.
    Switch(bool),
    /// As digits.
    Number(i64),
    /// As it is.
    Text(String),
}

impl OptionValue {
    /// As ONNX Runtime takes it.
    pub fn text(&self) -> String {
        match self {
            Self::Switch(on) => i32::from(*on).to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// `[models]` in `jaga.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelsConfig {
    /// Folders of bundles, one folder a bundle.
    pub dirs: Vec<PathBuf>,
    /// Where set-up puts files that are too big for version control: `<weights_dir>/<bundle>/…`.
    pub weights_dir: PathBuf,
    /// The models that a server loads; empty for all that the folders have.
    pub load: Vec<String>,
    /// The models that score when a request names none.
    pub default: Vec<String>,
    /// Sessions a model, each on a thread of its own; 0 means one a core. A bundle's
    /// `[runtime] sessions` comes first.
    pub sessions: usize,
    /// Threads that one session computes with; a bundle's `[runtime] intra_threads` comes first.
    pub intra_threads: usize,
    /// Pictures of one lane that wait for a session of one model; beyond them callers wait for a
    /// place.
    pub queue: usize,
    /// Inputs that share a run at most; a bundle's `max_batch` may lower it. 0 means the bundle's
    /// own on a GPU, and 1 elsewhere, where a run of several gains nothing.
    pub max_batch: usize,
    /// How long an idle session waits for a batch to fill, milliseconds.
    pub max_delay_ms: u32,
    /// Turns of the lanes where they wait for the same session or place to work.
    pub shares: Shares,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self {
            dirs: vec![PathBuf::from("models")],
            weights_dir: PathBuf::from(".jaga/weights"),
            load: Vec::new(),
            default: vec!["genai-clip".to_owned()],
            sessions: 0,
            intra_threads: 1,
            queue: 256,
            max_batch: 0,
            max_delay_ms: 0,
            shares: Shares::default(),
        }
    }
}

impl ModelsConfig {
    /// Sessions of a model whose bundle asks for `own`.
    pub fn sessions_for(&self, own: Option<NonZeroUsize>) -> usize {
        match (own, self.sessions) {
            (Some(own), _) => own.get(),
            (None, 0) => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            (None, configured) => configured,
        }
    }

    /// Inputs that share a run of a model whose bundle allows `own`.
    pub fn batch_for(&self, own: NonZeroUsize, provider: Provider) -> NonZeroUsize {
        match (NonZeroUsize::new(self.max_batch), provider) {
            (Some(most), _) => most.min(own),
            (None, Provider::Cpu | Provider::OpenVino | Provider::CoreMl | Provider::Xnnpack) => {
                NonZeroUsize::MIN
            }
            (
                None,
                Provider::Cuda | Provider::TensorRt | Provider::MiGraphX | Provider::DirectMl,
            ) => own,
        }
    }

    /// The line in front of the sessions of a model, `batch` of whose inputs share a run.
    pub(super) fn line(&self, batch: NonZeroUsize) -> Line {
        Line {
            capacity: self.queue,
            shares: self.shares,
            batching: Batching {
                most: batch,
                delay: Duration::from_millis(self.max_delay_ms.into()),
            },
        }
    }

    /// Threads a session of a model whose bundle asks for `own`.
    pub fn intra_threads_for(&self, own: Option<NonZeroUsize>) -> usize {
        own.map_or(self.intra_threads, NonZeroUsize::get).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(toml::from_str::<ModelsConfig>("dirs = [\"a\"]\nsession = 1").is_err());
        assert!(toml::from_str::<RuntimeConfig>("provider = \"cpu\"").is_err());
    }

    #[test]
    fn a_bundle_overrides_the_configuration() {
        let config = ModelsConfig {
            sessions: 3,
            ..ModelsConfig::default()
        };
        assert_eq!(config.sessions_for(None), 3);
        assert_eq!(config.sessions_for(NonZeroUsize::new(1)), 1);
        assert!(ModelsConfig::default().sessions_for(None) >= 1);
    }
}
