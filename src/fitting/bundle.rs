//! The new bundle: a pattern's graph and preprocessing with a head, a calibration and a card of its
//! own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::card::card;
use super::clips::Clips;
use super::cross::{Fitted, Plan};
use super::error::FitError;
use super::figures::Figures;
use super::solver::Linear;
use crate::inference::Bundle;
use crate::inference::bundle::MANIFEST;

/// What a bundle is made of, besides the fit.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// Folder of the bundle whose graph and preprocessing made the embeddings.
    pub pattern: &'a Path,
    /// Where files that are too big for version control lie.
    pub weights_dir: &'a Path,
    /// The new folder; its last part is the bundle's name.
    pub out: &'a Path,
    /// The arrays of the clips.
    pub arrays: &'a [String],
    /// For each array the graph's output that it is of; the pattern's where there is none.
    pub outputs: &'a [Option<String>],
    /// How the head was fitted.
    pub plan: &'a Plan,
}

impl Recipe<'_> {
    /// The bundle's name.
    pub(super) fn name(&self) -> &str {
        let name = self.out.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default()
    }

    /// Refuses a folder without a name or one that is there already, and a pattern that is broken;
    /// what a fit of minutes should not end with.
    pub fn check(&self) -> Result<(), FitError> {
        if self.name().is_empty() {
            return Err(bad(self.out, "a bundle's folder needs a name"));
        }
        if self.out.exists() {
            return Err(bad(self.out, "it is there already"));
        }
        self.pattern_manifest().map(drop)
    }

    /// Writes the bundle, whole or not at all. `clips` are the sets that it was fitted to. The big
    /// files are linked where that is possible and copied elsewhere.
    pub fn write(
        &self,
        clips: &[&Clips],
        fitted: &Fitted,
        figures: &Figures,
    ) -> Result<(), FitError> {
        self.check()?;
        let head = head_json(&fitted.head);
        let output = self
            .outputs
            .get(fitted.settled.choice.array)
            .and_then(Option::as_ref);
        let mut json = serde_json::to_string_pretty(figures)
            .map_err(|error| bad(self.out, &error.to_string()))?;
        json.push('\n');
        let mut manifest = self.manifest(figures, &head)?;
        if let Some(output) = output
            && let Some(section) = manifest.get_mut("output").and_then(Value::as_table_mut)
        {
            section.insert("name".to_owned(), Value::from(output.as_str()));
        }
        let manifest =
            toml::to_string(&manifest).map_err(|error| bad(self.pattern, &error.to_string()))?;
        let card = card(self, clips, fitted, figures);
        let texts = [
            ("head.json", head),
            ("figures.json", json),
            ("CARD.md", card),
            (MANIFEST, manifest),
        ];
        place((self.pattern, self.weights_dir, self.out), &texts, false)
    }

    fn pattern_manifest(&self) -> Result<Table, FitError> {
        let path = self.pattern.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| bad(&path, &error.to_string()))?;
        let kind = table.get("output").and_then(|output| output.get("kind"));
        if kind.and_then(Value::as_str) != Some("embedding") {
            return Err(bad(&path, "its output is no embedding"));
        }
        let kind = table.get("input").and_then(|input| input.get("kind"));
        if kind.and_then(Value::as_str) != Some("frame") {
            return Err(bad(&path, "it doesn't look at whole frames"));
        }
        Ok(table)
    }

    /// The pattern's manifest with another identity, head and calibration. Its golden value belongs
    /// to its own head and goes.
    fn manifest(&self, figures: &Figures, head: &str) -> Result<Table, FitError> {
        let mut table = self.pattern_manifest()?;
        if let Some(output) = table.get_mut("output").and_then(Value::as_table_mut) {
            output.insert("head".to_owned(), "head.json".into());
        }
        table.remove("golden");
        if let Some(model) = table.get_mut("model").and_then(Value::as_table_mut) {
            for (key, value) in [
                ("name", self.name()),
                ("version", "1.0.0"),
                ("status", "experimental"),
                ("card", "CARD.md"),
            ] {
                model.insert(key.to_owned(), value.into());
            }
        }
        if let Some(files) = table.get_mut("file").and_then(Value::as_array_mut) {
            files.retain(is_of_the_graph);
            files.push(listed("head.json", head));
        }
        let failed = |error: toml::ser::Error| bad(self.pattern, &error.to_string());
        let calibration = Value::try_from(&figures.calibration).map_err(failed)?;
        table.insert("calibration".to_owned(), calibration);
        let verdict = Value::try_from(figures.thresholds).map_err(failed)?;
        table.insert("verdict".to_owned(), verdict);
        let aggregation = Table::from_iter([("kind".to_owned(), Value::from("mean_logit"))]);
        table.insert("aggregation".to_owned(), aggregation.into());
        Ok(table)
    }
}

/// Whether a `[[file]]` is the graph or weights of it, not the head or the golden picture.
fn is_of_the_graph(entry: &Value) -> bool {
    let path = entry.get("path").and_then(Value::as_str);
    let extension = Path::new(path.unwrap_or_default()).extension();
    extension.is_none_or(|extension| extension != "json" && extension != "ppm")
}

fn listed(path: &str, content: &str) -> Value {
    let mut sha256 = String::new();
    for byte in &Sha256::digest(content.as_bytes()) {
        // Writing to a String can't fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    let entry = [("path", path), ("sha256", &sha256)];
    let entry = entry.map(|(key, value)| (key.to_owned(), Value::from(value)));
    Value::Table(Table::from_iter(entry))
}

/// Seven digits, so that the last bits of another processor's arithmetic don't show.
fn head_json(head: &Linear) -> String {
    let seven = |value: f64| format!("{value:.6e}").parse().unwrap_or(value);
    let weights: Vec<f64> = head.weights.iter().map(|weight| seven(*weight)).collect();
    let document = json!({
        "schema": "jaga.head/1",
        "kind": "linear",
        "dim": weights.len(),
        "bias": seven(head.bias),
        "weights": weights,
    });
    format!("{document}\n")
}

/// Writes the bundle `out`, whole or not at all, with these texts and the graph and weights of the
/// bundle `from`; with `all` its other listed files too. Big files are linked where that is possible.
pub(super) fn place(
    (from, weights_dir, out): (&Path, &Path, &Path),
    texts: &[(&str, String)],
    all: bool,
) -> Result<(), FitError> {
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let stage = tempfile::Builder::new()
        .prefix(".fit-")
        .tempdir_in(parent)
        .map_err(at(parent))?;
    let folder = stage.path().join(out.file_name().unwrap_or_default());
    fs::create_dir(&folder).map_err(at(&folder))?;
    let bundle = Bundle::open(from, weights_dir).map_err(|error| bad(from, &error.to_string()))?;
    let big = std::iter::once(&bundle.graph).chain(&bundle.weights);
    let mut files: Vec<(String, PathBuf)> = big
        .map(|file| (file.name.clone(), file.path.clone()))
        .collect();
    for entry in bundle.files.iter().filter(|_| all) {
        if !files.iter().any(|(name, _)| *name == entry.path) {
            let own = Some(from.join(&entry.path)).filter(|path| path.exists());
            let path = own.unwrap_or_else(|| weights_dir.join(bundle.name()).join(&entry.path));
            files.push((entry.path.clone(), path));
        }
    }
    for (name, path) in files {
        let to = folder.join(name);
        fs::hard_link(&path, &to)
            .or_else(|_| fs::copy(&path, &to).map(drop))
            .map_err(at(&to))?;
    }
    for (file, text) in texts {
        let to = folder.join(file);
        fs::write(&to, text).map_err(at(&to))?;
    }
    Bundle::open(&folder, weights_dir).map_err(|error| bad(out, &error.to_string()))?;
    fs::rename(&folder, out).map_err(at(out))
}

pub(super) fn bad(path: &Path, reason: &str) -> FitError {
    FitError::Bundle {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

pub(super) fn at(path: &Path) -> impl Fn(std::io::Error) -> FitError {
    let path = path.to_owned();
    move |source| FitError::File {
        path: path.clone(),
        source,
    }
}
