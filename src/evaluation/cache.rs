//! Answers by content hash and by all that can move a score, so that another threshold or slice
//! costs no scoring, and a run that was cut off goes on where it stopped.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::document::Programs;
use super::error::EvaluationError;
use super::outcome::{Outcome, Provenance};
use crate::config::Config;
use crate::domain::sampling::Strategy;
use crate::inference::bundle::MANIFEST;
use crate::inference::registry;
use crate::pipeline::AnalyzeError;

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// With what it was scored; absent where it failed.
    pub(super) programs: Option<Programs>,
    /// By model, in the order in which they were named.
    pub(super) answers: Vec<Answer>,
}

impl Entry {
    /// The answer of a model by its place; a file that failed has one for all.
    pub(super) fn of(&self, model: usize) -> Option<&Answer> {
        self.answers.get(model).or(self.answers.first())
    }
}

/// One model's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// Absent where the file failed.
    pub(super) provenance: Option<Provenance>,
    pub(super) outcome: Outcome,
}

/// The folder, and what all entries of one run have in common.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    terms: String,
}

/// What a score depends on, besides the file.
#[derive(Serialize)]
struct Terms<'a> {
    program: &'static str,
    analysis: &'a crate::pipeline::config::AnalysisConfig,
    media: &'a crate::media::config::MediaConfig,
    runtime: &'a crate::inference::RuntimeConfig,
    library: Option<(u64, u64)>,
    models: &'a [String],
    bundles: Vec<(String, String)>,
    frames: Option<u32>,
    sampling: Option<Strategy>,
}

impl Cache {
    /// Makes `folder`; the receipt of this run's terms is part of every entry's name.
    pub(super) fn open(
        folder: PathBuf,
        config: &Config,
        models: &[String],
        frames: Option<u32>,
        sampling: Option<Strategy>,
    ) -> Result<Self, EvaluationError> {
        let terms = Terms {
            program: env!("CARGO_PKG_VERSION"),
            analysis: &config.analysis,
            media: &config.media,
            runtime: &config.runtime,
            library: config.runtime.library.as_deref().and_then(stamp),
            models,
            bundles: bundles(config, models)?,
            frames,
            sampling,
        };
        Self::under(folder, &terms)
    }

    /// Makes `folder`, for entries that depend on the file and on `terms`.
    pub(super) fn under(folder: PathBuf, terms: &impl Serialize) -> Result<Self, EvaluationError> {
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let hash = blake3::hash(&serde_json::to_vec(terms)?).to_hex();
        Ok(Self {
            folder,
            terms: hash.chars().take(16).collect(),
        })
    }

    fn path(&self, content: &str) -> PathBuf {
        self.folder.join(format!("{content}-{}.json", self.terms))
    }

    /// What came of the file with this content; nothing too where the entry can't be read.
    pub(super) fn find<T: DeserializeOwned>(&self, content: &str) -> Option<T> {
        let bytes = fs::read(self.path(content)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Keeps an entry; whole or not at all.
    pub(super) fn keep<T: Serialize>(
        &self,
        content: &str,
        entry: &T,
    ) -> Result<(), EvaluationError> {
        let path = self.path(content);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(at(&path))?;
        serde_json::to_writer(&mut file, entry)?;
        file.flush().map_err(at(&path))?;
        file.persist(&path)
            .map_err(|error| at(&path)(error.error))?;
        Ok(())
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> EvaluationError {
    let path = path.to_owned();
    move |source| EvaluationError::File {
        path: path.clone(),
        source,
    }
}

/// Size and time of change, so that another library is another receipt.
fn stamp(path: &Path) -> Option<(u64, u64)> {
    let facts = fs::metadata(path).ok()?;
    let changed = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((facts.len(), changed.as_secs()))
}

/// The manifests, which hold the hashes of all other files, of the models and of every finder.
fn bundles(config: &Config, models: &[String]) -> Result<Vec<(String, String)>, EvaluationError> {
    let found = registry::find(&config.models.dirs).map_err(AnalyzeError::from)?;
    let mut texts = Vec::new();
    for (name, folder) in found {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        if models.contains(&name) || text.contains("[finder]") {
            texts.push((name, text));
        }
    }
    Ok(texts)
}
