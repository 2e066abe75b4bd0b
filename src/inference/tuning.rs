//! How sessions are made, whatever their provider: graph optimisation and memory.

use serde::{Deserialize, Serialize};

use super::config::{ModelRuntime, RuntimeConfig};
use super::error::InferenceError;

/// How far ONNX Runtime rewrites a graph before it runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimization {
    /// Not at all.
    Off,
    /// Constants folded, nodes without effect removed.
    Basic,
    /// Nodes fused to larger ones too.
    Extended,
    /// Layouts changed for the processor too.
    #[default]
    All,
}

/// How the sessions of one model are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Rewriting of the graph.
    pub optimization: Optimization,
    /// Memory of a run is kept in an arena for the next one.
    pub arena: bool,
    /// Memory of a run is laid out by what the run before it needed.
    pub memory_pattern: bool,
    /// What the arena doesn't need is given back after each run.
    pub shrink: bool,
}

impl Default for Tuning {
    /// No arena: it keeps a run's largest working set for ever, and saves no time here
    /// (`docs/benchmarks.md`).
    fn default() -> Self {
        Self {
            optimization: Optimization::All,
            arena: false,
            memory_pattern: true,
            shrink: false,
        }
    }
}

impl Tuning {
    /// For all models, or with what differs for one, called `name`. An error where memory is to be
    /// given back that isn't kept.
    pub(super) fn configured(
        config: &RuntimeConfig,
        own: Option<(&str, &ModelRuntime)>,
    ) -> Result<Self, InferenceError> {
        let model = own.map(|(_, model)| model);
        let switch =
            |of: fn(&ModelRuntime) -> Option<bool>, general| model.and_then(of).unwrap_or(general);
        let tuning = Self {
            optimization: model
                .and_then(|model| model.optimization)
                .unwrap_or(config.optimization),
            arena: switch(|model| model.arena, config.arena),
            memory_pattern: switch(|model| model.memory_pattern, config.memory_pattern),
            shrink: switch(|model| model.shrink, config.shrink),
        };
        if tuning.shrink && !tuning.arena {
            return Err(InferenceError::NoArena {
                key: own.map_or_else(
                    || "runtime.shrink".to_owned(),
                    |(name, _)| format!("runtime.model.{name}.shrink"),
                ),
            });
        }
        Ok(tuning)
    }
}
