//! All models of the configured folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backbone::Family;
use super::bundle::{Bundle, FinderTask, MANIFEST, Scorer, Sorted};
use super::config::ModelsConfig;
use super::error::InferenceError;
use super::finder::Finder;
use super::model::Model;
use super::providers::Providers;
use super::session::Runtime;

/// Which models to load.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// All that there are.
    All,
    /// These, in no order.
    Named(&'a [String]),
}

/// The loaded models and finders of faces, by name.
#[derive(Debug, Default)]
pub struct Registry {
    models: BTreeMap<String, Arc<Model>>,
    finders: BTreeMap<String, Arc<Finder>>,
}

impl Registry {
    /// Loads the selected models, and the finders that they take their faces from; models that can
    /// share a backbone do. Blocks for seconds.
    pub fn load(
        runtime: &Runtime,
        config: &ModelsConfig,
        providers: impl Into<Providers>,
        selection: Selection<'_>,
    ) -> Result<Self, InferenceError> {
        let providers = providers.into();
        let all = find(&config.dirs)?;
        let (mut scorers, mut seekers) = (Vec::new(), BTreeMap::new());
        for (name, folder) in select(all.clone(), selection)? {
            match Bundle::open(&folder, &config.weights_dir)?.sort() {
                Sorted::Scorer(scorer) => scorers.push(scorer),
                Sorted::Finder(finder) => {
                    seekers.insert(name, finder);
                }
            }
        }
        add_finders(&mut seekers, &scorers, &all, config)?;
        let mut finders = BTreeMap::new();
        for (name, bundle) in seekers {
            let finder = Finder::start(runtime, &bundle, config, &providers)?;
            finders.insert(name, Arc::new(finder));
        }
        let mut models = BTreeMap::new();
        for family in Family::sort(scorers) {
            for model in Model::start_family(runtime, &family, config, &providers)? {
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

    /// The finder of this name; an error that names those that there are. Every finder that a loaded
    /// model names is there.
    pub fn finder(&self, name: &str) -> Result<&Arc<Finder>, InferenceError> {
        self.finders
            .get(name)
            .ok_or_else(|| unknown(name, self.finders.keys()))
    }

    /// All finders, by name. None of them is a model that scores.
    pub fn finders(&self) -> impl Iterator<Item = &Arc<Finder>> {
        self.finders.values()
    }

    /// All models, by name.
    pub fn list(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }
}

/// Opens the finders that `scorers` name and that aren't among `finders` yet; `all` has the folders
/// that are bundles.
fn add_finders(
    finders: &mut BTreeMap<String, Bundle<FinderTask>>,
    scorers: &[Bundle<Scorer>],
    all: &BTreeMap<String, PathBuf>,
    config: &ModelsConfig,
) -> Result<(), InferenceError> {
    for scorer in scorers {
        let Some(face) = scorer.task.look.face() else {
            continue;
        };
        if finders.contains_key(&face.finder) {
            continue;
        }
        let opened = all
            .get(&face.finder)
            .map(|folder| Bundle::open(folder, &config.weights_dir))
            .transpose()?;
        let Some(Sorted::Finder(finder)) = opened.map(Bundle::sort) else {
            return Err(InferenceError::NoFinder {
                model: scorer.name().to_owned(),
                finder: face.finder.clone(),
                known: listed(all.keys()),
            });
        };
        finders.insert(face.finder.clone(), finder);
    }
    Ok(())
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
    InferenceError::UnknownModel {
        name: name.to_owned(),
        known: listed(known),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
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
