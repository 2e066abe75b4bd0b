//! The ONNX Runtime library of this process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::super::cache::GraphCache;
use super::super::config::RuntimeConfig;
use super::super::error::InferenceError;

/// The loaded ONNX Runtime library with its environment. Cheap to clone; a process has one.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(super) environment: Environment,
    library: PathBuf,
    version: String,
    cache: Option<GraphCache>,
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
            cache: None,
            library: path,
        };
        tracing::info!(library = %runtime.library.display(), version = runtime.version, "ONNX Runtime loaded");
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The same, whose sessions may take graphs from `cache` and put some there.
    #[must_use]
    pub fn caching(mut self, cache: Option<GraphCache>) -> Self {
        self.cache = cache;
        self
    }

    pub(super) fn cache(&self) -> Option<&GraphCache> {
        self.cache.as_ref()
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

pub(super) fn log_level() -> LogLevel {
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
