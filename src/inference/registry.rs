//! All models of the configured folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backbone::Family;
use super::bundle::{Bundle, FinderTask, MANIFEST, Sorted};
use super::config::{ModelsConfig, Provider};
use super::error::InferenceError;
use super::model::Model;
use super::session::Runtime;

/// Which models to load.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// All that there are.
    All,
    /// These, in no order.
    Named(&'a [String]),
}

/// The loaded models by name, and the finders among the selected bundles.
#[derive(Debug, Default)]
pub struct Registry {
    models: BTreeMap<String, Arc<Model>>,
    finders: Vec<Bundle<FinderTask>>,
}

impl Registry {
    /// Loads the selected models; those that can share a backbone do. Blocks for seconds.
    pub fn load(
        runtime: &Runtime,
        config: &ModelsConfig,
        provider: Provider,
        selection: Selection<'_>,
    ) -> Result<Self, InferenceError> {
        let (mut scorers, mut finders) = (Vec::new(), Vec::new());
        for folder in select(find(&config.dirs)?, selection)?.into_values() {
            let bundle = Bundle::open(&folder, &config.weights_dir)?;
            match bundle.sort() {
                Sorted::Scorer(scorer) => scorers.push(scorer),
                Sorted::Finder(finder) => finders.push(finder),
            }
        }
        let mut models = BTreeMap::new();
        for family in Family::sort(scorers) {
            for model in Model::start_family(runtime, &family, config, provider)? {
                models.insert(model.info().name.clone(), Arc::new(model));
            }
        }
        Ok(Self { models, finders })
    }

    /// The model of this name; an error that names those that there are.
    pub fn get(&self, name: &str) -> Result<&Arc<Model>, InferenceError> {
        self.models
            .get(name)
            .ok_or_else(|| unknown(name, self.models.keys()))
    }

    /// The selected bundles that are finders; no caller can ask for one.
    pub fn finders(&self) -> &[Bundle<FinderTask>] {
        &self.finders
    }

    /// All models, by name.
    pub fn list(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }
}

/// The folders that are bundles, by name. A folder of bundles that isn't there has none; a name
/// that comes twice is an error.
pub fn find(dirs: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>, InferenceError> {
    let mut found = BTreeMap::new();
    for dir in dirs.iter().filter(|dir| dir.exists()) {
        for (name, folder) in bundles_in(dir)? {
            if let Some(first) = found.get(&name) {
                return Err(InferenceError::DuplicateModel {
                    name,
                    first: PathBuf::clone(first),
                    second: folder,
                });
            }
            found.insert(name, folder);
        }
    }
    Ok(found)
}

fn bundles_in(dir: &Path) -> Result<Vec<(String, PathBuf)>, InferenceError> {
    let failed = |source| InferenceError::ListModels {
        path: dir.to_owned(),
        source,
    };
    let mut bundles = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join(MANIFEST).is_file() {
            bundles.push((
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            ));
        }
    }
    Ok(bundles)
}

/// The folders of `found` that `selection` names; an error for a name that isn't there.
pub fn select(
    mut found: BTreeMap<String, PathBuf>,
    selection: Selection<'_>,
) -> Result<BTreeMap<String, PathBuf>, InferenceError> {
    if let Selection::Named(names) = selection {
        if let Some(name) = names.iter().find(|name| !found.contains_key(*name)) {
            return Err(unknown(name, found.keys()));
        }
        found.retain(|name, _| names.contains(name));
    }
    Ok(found)
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> InferenceError {
    let known: Vec<&str> = known.map(String::as_str).collect();
    InferenceError::UnknownModel {
        name: name.to_owned(),
        known: if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join(MANIFEST), "").unwrap();
        }
        dir
    }

    #[test]
    fn folders_without_a_manifest_are_no_bundles() {
        let dir = folder_with(&["a", "b"]);
        fs::create_dir(dir.path().join("notes")).unwrap();
        let found = find(&[dir.path().to_owned(), dir.path().join("nowhere")]).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_name_may_come_once() {
        let (one, two) = (folder_with(&["a"]), folder_with(&["a"]));
        let error = find(&[one.path().to_owned(), two.path().to_owned()]).unwrap_err();
        assert!(
            matches!(error, InferenceError::DuplicateModel { .. }),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let dir = folder_with(&["a", "b"]);
        let found = find(&[dir.path().to_owned()]).unwrap();
        let error = select(found, Selection::Named(&["c".to_owned()])).unwrap_err();
        assert!(error.to_string().contains("a, b"), "{error}");
    }
}
