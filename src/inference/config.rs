//! Settings of inference: the runtime library, its execution providers, the folders of bundles.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::InferenceError;
use super::pool::{Batching, Line};
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
pub struct RuntimeConfig {
    /// The ONNX Runtime library (`libonnxruntime.so…`, 1.24 or later); without it no model loads.
    pub library: Option<PathBuf>,
    /// Execution providers in order of preference. `cpu` is the only one so far.
    pub providers: Vec<String>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            library: None,
            providers: vec![Provider::Cpu.setting().to_owned()],
        }
    }
}

impl RuntimeConfig {
    /// The execution provider to use; an error for an empty list and for any entry that this
    /// program can't use, so that a request for a GPU never ends on the CPU unsaid.
    pub fn provider(&self) -> Result<Provider, InferenceError> {
        for name in &self.providers {
            if Provider::from_setting(name).is_none() {
                return Err(InferenceError::UnsupportedProvider {
                    name: name.clone(),
                    supported: Provider::Cpu.setting().to_owned(),
                });
            }
        }
        self.providers
            .first()
            .and_then(|name| Provider::from_setting(name))
            .ok_or(InferenceError::NoProvider)
    }
}

/// An execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum Provider {
    /// ONNX Runtime's own kernels on the processor.
    #[serde(rename = "CPUExecutionProvider")]
    Cpu,
}

impl Provider {
    fn from_setting(name: &str) -> Option<Self> {
        (name == Self::Cpu.setting()).then_some(Self::Cpu)
    }

    /// The name in the configuration.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
        }
    }

    /// ONNX Runtime's own name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
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
    /// own, and 1 on the processor, where a run of several gains nothing and moves the last digits.
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
            (None, Provider::Cpu) => NonZeroUsize::MIN,
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

    fn providers(names: &[&str]) -> Result<Provider, InferenceError> {
        RuntimeConfig {
            library: None,
            providers: names.iter().map(|n| (*n).to_owned()).collect(),
        }
        .provider()
    }

    #[test]
    fn only_the_processor_can_be_asked_for() {
        assert_eq!(providers(&["cpu"]).unwrap(), Provider::Cpu);
        for bad in [&["cuda"][..], &["cpu", "cuda"], &["cuda", "cpu"], &["CPU"]] {
            let text = providers(bad).unwrap_err().to_string();
            assert!(text.contains("supported: cpu"), "{text}");
        }
        assert!(providers(&[]).unwrap_err().to_string().contains("empty"));
    }

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
