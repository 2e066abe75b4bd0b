//! What `model.toml` may not say, beyond its syntax; what it says, by the kind of bundle.

mod input;
mod sections;

use std::path::{Component, Path};

use super::super::head::Head;
use super::BundleError;
use super::manifest::{
    FileEntry, InputKind, Manifest, ModelSection, OutputKind, OutputSection, Pooling,
};
use super::task::{FinderTask, Identity, Input, Look, Output, Reading, Scorer, Task};

/// Why a bundle is refused.
enum Refusal {
    /// A key's value that is none of those expected.
    Value {
        key: String,
        expected: String,
        found: String,
    },
    /// A file of the bundle's.
    File(BundleError),
}

fn wrong<T>(
    key: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Result<T, Refusal> {
    Err(Refusal::Value {
        key: key.to_owned(),
        expected: expected.into(),
        found: found.into(),
    })
}

impl Refusal {
    /// As the caller gets it; `file` is the path of `model.toml`.
    fn of(self, file: &Path) -> BundleError {
        match self {
            Self::Value {
                key,
                expected,
                found,
            } => BundleError::Value {
                file: file.to_owned(),
                key,
                expected,
                found,
            },
            Self::File(error) => error,
        }
    }
}

/// Checks everything that needs neither the graph nor the weights. `folder` is the name of the
/// bundle's folder, `file` the path of its `model.toml`; `head` reads a listed file as a head.
pub(super) fn check(
    file: &Path,
    folder: &str,
    manifest: &Manifest,
    head: &dyn Fn(&FileEntry) -> Result<Head, BundleError>,
) -> Result<(Identity, Task), BundleError> {
    identity(folder, &manifest.model)
        .and_then(|identity| {
            files(manifest)?;
            Ok((identity, task(manifest, head)?))
        })
        .map_err(|refusal| refusal.of(file))
}

/// The `[input]` of a scorer.
pub(super) fn input_alone(file: &Path, manifest: &Manifest) -> Result<Input, BundleError> {
    input::fixed(&manifest.input).map_err(|refusal| refusal.of(file))
}

fn identity(folder: &str, section: &ModelSection) -> Result<Identity, Refusal> {
    if section.name != folder {
        return wrong(
            "model.name",
            format!("the folder's name, {folder:?}"),
            quoted(&section.name),
        );
    }
    some_text("model.version", &section.version)?;
    some_text("model.license", &section.license)?;
    if !stays_inside(&section.card) {
        return wrong("model.card", RELATIVE, quoted(&section.card));
    }
    Ok(Identity {
        name: section.name.clone(),
        version: section.version.clone(),
        status: section.status,
        license: section.license.clone(),
        card: section.card.clone(),
    })
}

fn some_text(key: &str, value: &str) -> Result<(), Refusal> {
    if value.trim().is_empty() {
        return wrong(key, "some text", quoted(value));
    }
    Ok(())
}

const RELATIVE: &str = "a relative path that stays in the folder";

fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

fn files(manifest: &Manifest) -> Result<(), Refusal> {
    for (index, entry) in manifest.file.iter().enumerate() {
        if !stays_inside(&entry.path) {
            return wrong(
                &format!("file[{index}].path"),
                RELATIVE,
                quoted(&entry.path),
            );
        }
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if entry.sha256.len() != 64 || !entry.sha256.bytes().all(hexadecimal) {
            let key = format!("file[{index}].sha256");
            return wrong(
                &key,
                "64 lower-case hexadecimal digits",
                quoted(&entry.sha256),
            );
        }
        if manifest
            .file
            .iter()
            .take(index)
            .any(|e| e.path == entry.path)
        {
            return wrong(
                &format!("file[{index}].path"),
                "each file once",
                quoted(&entry.path),
            );
        }
    }
    let graphs = manifest.file.iter().filter(|e| is_graph(&e.path)).count();
    if graphs != 1 {
        return wrong(
            "file",
            "exactly one whose path ends in .onnx",
            graphs.to_string(),
        );
    }
    Ok(())
}

/// Whether a listed file is the model's graph.
pub(super) fn is_graph(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|e| e == "onnx")
}

fn task(
    manifest: &Manifest,
    head: &dyn Fn(&FileEntry) -> Result<Head, BundleError>,
) -> Result<Task, Refusal> {
    if manifest.input.kind == InputKind::Finder {
        return finder(manifest).map(Task::Finder);
    }
    scorer(manifest, head).map(Task::Scorer)
}

fn finder(manifest: &Manifest) -> Result<FinderTask, Refusal> {
    let Manifest {
        model,
        output,
        calibration,
        aggregation,
        verdict,
        scope,
        face,
        window,
        ..
    } = manifest;
    let kind = InputKind::Finder;
    refused(kind, "model.question", model.question.as_ref())?;
    refused(kind, "[output]", output.as_ref())?;
    refused(kind, "[calibration]", calibration.as_ref())?;
    refused(kind, "[aggregation]", aggregation.as_ref())?;
    refused(kind, "[verdict]", verdict.as_ref())?;
    refused(kind, "[scope]", scope.as_ref())?;
    refused(kind, "[face]", face.as_ref())?;
    refused(kind, "[window]", window.as_ref())?;
    let (encoding, filter) = input::open(&manifest.input)?;
    let finder = needed(kind, "[finder]", manifest.finder.as_ref())?;
    if manifest.runtime.max_batch.get() != 1 {
        let found = manifest.runtime.max_batch.to_string();
        return wrong("runtime.max_batch", "1 for a finder", found);
    }
    sections::finder(finder)?;
    Ok(FinderTask {
        encoding,
        filter,
        finder: finder.clone(),
    })
}

fn scorer(
    manifest: &Manifest,
    head: &dyn Fn(&FileEntry) -> Result<Head, BundleError>,
) -> Result<Scorer, Refusal> {
    let kind = manifest.input.kind;
    let question = needed(kind, "model.question", manifest.model.question.as_ref())?;
    some_text("model.question", question)?;
    let scorer = Scorer {
        question: question.clone(),
        look: look(manifest)?,
        input: input::fixed(&manifest.input)?,
        output: output(manifest, head)?,
        calibration: needed(kind, "[calibration]", manifest.calibration.as_ref())?.clone(),
        aggregation: *needed(kind, "[aggregation]", manifest.aggregation.as_ref())?,
        verdict: manifest.verdict.unwrap_or_default(),
        scope: manifest.scope.unwrap_or_default(),
    };
    scores(&scorer)?;
    sections::scope(&scorer.scope)?;
    Ok(scorer)
}

/// A value that this kind of bundle must have.
fn needed<'a, T>(kind: InputKind, key: &str, value: Option<&'a T>) -> Result<&'a T, Refusal> {
    value.map_or_else(
        || {
            wrong(
                key,
                format!("given with input.kind {:?}", kind.name()),
                "absent",
            )
        },
        Ok,
    )
}

/// A value that this kind of bundle can't have.
fn refused<T>(kind: InputKind, key: &str, value: Option<&T>) -> Result<(), Refusal> {
    let expected = || format!("absent with input.kind {:?}", kind.name());
    value.map_or(Ok(()), |_| wrong(key, expected(), "given"))
}

fn look(manifest: &Manifest) -> Result<Look, Refusal> {
    let kind = manifest.input.kind;
    refused(kind, "[finder]", manifest.finder.as_ref())?;
    let (face, window) = (manifest.face.as_ref(), manifest.window.as_ref());
    if let Some(face) = face {
        sections::face(face)?;
    }
    match kind {
        InputKind::Frame | InputKind::Finder => {
            refused(kind, "[face]", face)?;
            refused(kind, "[window]", window)?;
            Ok(Look::Frame)
        }
        InputKind::Face => {
            refused(kind, "[window]", window)?;
            Ok(Look::Face(needed(kind, "[face]", face)?.clone()))
        }
        InputKind::Window => Ok(Look::Window {
            window: sections::window(needed(kind, "[window]", window)?)?,
            face: face.cloned(),
        }),
    }
}

fn output(
    manifest: &Manifest,
    head: &dyn Fn(&FileEntry) -> Result<Head, BundleError>,
) -> Result<Output, Refusal> {
    let section = needed(manifest.input.kind, "[output]", manifest.output.as_ref())?;
    let reading = if section.kind == OutputKind::Embedding {
        embedding(section, &manifest.file, head)?
    } else {
        number(section)?
    };
    Ok(Output {
        name: section.name.clone(),
        reading,
    })
}

fn embedding(
    section: &OutputSection,
    files: &[FileEntry],
    head: &dyn Fn(&FileEntry) -> Result<Head, BundleError>,
) -> Result<Reading, Refusal> {
    if let Some(class) = section.class {
        let expected = "no class for kind embedding";
        return wrong("output.class", expected, class.to_string());
    }
    let Some(name) = &section.head else {
        return wrong("output.head", "a head for kind embedding", "none");
    };
    let Some(entry) = files.iter().find(|entry| entry.path == *name) else {
        return wrong("output.head", "the path of a [[file]]", quoted(name));
    };
    let head = head(entry).map_err(Refusal::File)?;
    Ok(Reading::Embedding(section.pool, head))
}

fn number(section: &OutputSection) -> Result<Reading, Refusal> {
    if let Some(head) = &section.head {
        let expected = "no head unless kind is embedding";
        return wrong("output.head", expected, quoted(head));
    }
    if section.pool != Pooling::None {
        let expected = "none unless kind is embedding";
        return wrong("output.pool", expected, format!("{:?}", section.pool));
    }
    match (section.kind, section.class) {
        (OutputKind::Softmax, None) => wrong("output.class", "a class for kind softmax", "none"),
        (OutputKind::Softmax, Some(class)) => Ok(Reading::Softmax(class)),
        (OutputKind::Probability, class) => Ok(Reading::Probability(class)),
        (OutputKind::Logit | OutputKind::Embedding, class) => Ok(Reading::Logit(class)),
    }
}

fn scores(scorer: &Scorer) -> Result<(), Refusal> {
    if let Err(error) = scorer.calibration.validate() {
        return wrong("calibration", error.to_string(), "other values");
    }
    if let Err(error) = scorer.aggregation.validate() {
        return wrong("aggregation", error.to_string(), "another value");
    }
    let verdict = scorer.verdict;
    if verdict.validate().is_err() {
        let expected = format!(
            "at most substantial_evidence, {}",
            verdict.substantial_evidence.get()
        );
        let found = verdict.little_evidence.get().to_string();
        return wrong("verdict.little_evidence", expected, found);
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}
