//! What goes on inside a pipeline at one moment, for those who watch it.

use std::sync::Arc;

use super::admission::Admission;
use crate::inference::{Model, Registry};
use crate::media::ChildCounts;

/// A pipeline at one moment. Counts are since its start.
#[derive(Debug, Clone)]
pub struct Status {
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Version of the child's FFmpeg.
    pub ffmpeg: String,
    /// Who is inside.
    pub admission: Admission,
    /// The decoder children.
    pub children: ChildCounts,
    /// The walls around a decoder child by name, and whether they stand.
    pub walls: [(&'static str, bool); 5],
    /// What runs the models.
    pub backbones: Vec<Engine>,
    /// What finds faces.
    pub finders: Vec<Engine>,
}

/// A backbone or a finder at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Names of the bundles that it runs, in order, separated by commas.
    pub name: String,
    /// Its execution provider, by ONNX Runtime's name.
    pub provider: &'static str,
    /// Runs that were begun.
    pub runs: u64,
    /// Inputs of these runs.
    pub inputs: u64,
    /// Inputs that wait for a session.
    pub waiting: usize,
    /// Its sessions.
    pub sessions: usize,
}

pub(super) fn backbones(registry: &Registry) -> Vec<Engine> {
    let mut found: Vec<(&Arc<Model>, Engine)> = Vec::new();
    for model in registry.list() {
        let info = model.info();
        if let Some((_, known)) = found
            .iter_mut()
            .find(|(first, _)| first.same_backbone(model))
        {
            known.name = format!("{},{}", known.name, info.name);
            continue;
        }
        let engine = Engine {
            name: info.name.clone(),
            provider: info.provider.name(),
            runs: model.backbone().runs(),
            inputs: model.backbone().inputs(),
            waiting: model.waiting(),
            sessions: info.sessions,
        };
        found.push((model, engine));
    }
    found.into_iter().map(|(_, engine)| engine).collect()
}

pub(super) fn finders(registry: &Registry) -> Vec<Engine> {
    let finders = registry.finders();
    finders
        .map(|finder| Engine {
            name: finder.info().name.clone(),
            provider: finder.info().provider.name(),
            runs: finder.runs(),
            inputs: finder.runs(),
            waiting: finder.waiting(),
            sessions: finder.info().sessions,
        })
        .collect()
}
