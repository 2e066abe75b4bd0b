//! The files beside the graph in which its weights lie.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::error::ImportError;
use super::graph_file::GraphFile;
use super::source::{Source, is_graph};
use crate::inference::bundle::{ExternalTensor, MANIFEST, MEMORY_TAG};

/// Most bytes of weights beside the graph, all files together.
pub const MAX_WEIGHTS_BYTES: u64 = 16 << 30;

/// Most files of weights; some exporters write one for each.
const MAX_FILES: usize = 4096;

/// A file of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeightFile {
    /// As the bundle lists it: relative to the graph.
    pub(super) listed: String,
    /// Where it is copied from.
    pub(super) path: PathBuf,
    /// As errors name it.
    pub(super) shown: PathBuf,
}

/// The files that hold `tensors` of the graph, each once and in order of names; an error for one
/// that leaves the folder, isn't there, is too small for what the graph wants of it, or too big.
pub(super) fn files(
    source: &Source,
    graph: &GraphFile,
    tensors: &[ExternalTensor],
) -> Result<Vec<WeightFile>, ImportError> {
    let folder = graph.relative.parent().unwrap_or(Path::new(""));
    let mut found: BTreeMap<String, (WeightFile, u64)> = BTreeMap::new();
    for tensor in tensors {
        let fault = |fault| ImportError::ExternalData {
            graph: graph.shown.clone(),
            tensor: tensor.name.clone(),
            location: tensor.location.clone(),
            fault,
        };
        let listed = listed(&tensor.location, &graph.name).map_err(fault)?;
        if !found.contains_key(&listed) {
            let relative = folder.join(&listed);
            let path = source
                .find(&relative)?
                .ok_or_else(|| fault("isn't there"))?;
            let shown = source.shown(&relative);
            let bytes = size(&path, &shown)?;
            let file = WeightFile {
                listed: listed.clone(),
                path,
                shown,
            };
            found.insert(listed.clone(), (file, bytes));
        }
        let bytes = found.get(&listed).map_or(0, |(_, bytes)| *bytes);
        let fits = tensor.bytes.start.is_some_and(|start| start <= bytes)
            && tensor.bytes.end.is_none_or(|end| end <= bytes);
        if !fits {
            return Err(fault("has not the bytes that the graph states"));
        }
        if found.len() > MAX_FILES {
            return Err(fault("is one of more than 4096 files of weights"));
        }
    }
    within_limit(found.values())?;
    Ok(found.into_values().map(|(file, _)| file).collect())
}

fn size(path: &Path, shown: &Path) -> Result<u64, ImportError> {
    let data = path.metadata().map_err(|source| ImportError::Read {
        file: shown.to_owned(),
        source,
    })?;
    Ok(data.len())
}

fn within_limit<'a>(files: impl Iterator<Item = &'a (WeightFile, u64)>) -> Result<(), ImportError> {
    let mut total = 0_u64;
    for (file, bytes) in files {
        total = total.saturating_add(*bytes);
        if total > MAX_WEIGHTS_BYTES {
            return Err(ImportError::TooBig {
                file: file.shown.clone(),
                bytes: total,
                limit: MAX_WEIGHTS_BYTES,
            });
        }
    }
    Ok(())
}

/// `location` without `.` in it; what is wrong with one that can't be a file of the bundle.
fn listed(location: &str, graph: &str) -> Result<String, &'static str> {
    if location.is_empty() {
        return Err("is no name");
    }
    if location.contains(MEMORY_TAG) || location.contains(['\0', '\\']) {
        return Err("is no name of a file to be read");
    }
    let mut parts = Vec::new();
    for part in Path::new(location).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy()),
            Component::CurDir => {}
            Component::ParentDir => return Err("leaves the graph's folder"),
            Component::RootDir | Component::Prefix(_) => return Err("is no relative path"),
        }
    }
    let listed = parts.join("/");
    let taken = listed.is_empty() || listed == graph || listed == MANIFEST || listed == super::CARD;
    if taken || is_graph(Path::new(&listed)) {
        return Err("is a name that a bundle needs for itself");
    }
    Ok(listed)
}
