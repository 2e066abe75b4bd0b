//! What `model.toml` may not say, beyond its syntax.

use std::path::{Component, Path};

use super::BundleError;
use super::manifest::{
    Dtype, InputKind, InputSection, Layout, Manifest, OutputKind, Pooling, ResizeMode, Rounding,
    Size,
};

/// Largest side of a model's input, in pixels.
const MAX_SIDE: u32 = 4096;

/// A key's value that is none of those expected.
struct Wrong {
    key: String,
    expected: String,
    found: String,
}

fn wrong<T>(key: &str, expected: impl Into<String>, found: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        key: key.to_owned(),
        expected: expected.into(),
        found: found.into(),
    })
}

/// Checks everything that needs neither the files nor the graph. `folder` is the name of the
/// bundle's folder, `file` the path of its `model.toml`.
pub(super) fn check(file: &Path, folder: &str, manifest: &Manifest) -> Result<(), BundleError> {
    model(folder, manifest)
        .and_then(|()| files(manifest))
        .and_then(|()| input(&manifest.input))
        .and_then(|()| geometry(&manifest.input))
        .and_then(|()| output(manifest))
        .and_then(|()| scores(manifest))
        .map_err(
            |Wrong {
                 key,
                 expected,
                 found,
             }| BundleError::Value {
                file: file.to_owned(),
                key,
                expected,
                found,
            },
        )
}

fn model(folder: &str, manifest: &Manifest) -> Result<(), Wrong> {
    let section = &manifest.model;
    if section.name != folder {
        return wrong(
            "model.name",
            format!("the folder's name, {folder:?}"),
            quoted(&section.name),
        );
    }
    for (key, value) in [
        ("model.version", &section.version),
        ("model.question", &section.question),
        ("model.license", &section.license),
    ] {
        if value.trim().is_empty() {
            return wrong(key, "some text", quoted(value));
        }
    }
    if !stays_inside(&section.card) {
        return wrong("model.card", RELATIVE, quoted(&section.card));
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

fn files(manifest: &Manifest) -> Result<(), Wrong> {
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

fn input(section: &InputSection) -> Result<(), Wrong> {
    let later = "another value; this one is not supported yet";
    match section.kind {
        InputKind::Frame => {}
        InputKind::Face => return wrong("input.kind", later, "\"face\""),
        InputKind::Window => return wrong("input.kind", later, "\"window\""),
        InputKind::Finder => return wrong("input.kind", later, "\"finder\""),
    }
    match section.layout {
        Layout::Nchw | Layout::Nhwc => {}
        Layout::Ncthw => return wrong("input.layout", later, "\"NCTHW\""),
        Layout::Ntchw => return wrong("input.layout", later, "\"NTCHW\""),
    }
    let is = |value: f64, wanted: f64| value.to_bits() == wanted.to_bits();
    let untouched = is(section.scale, 1.0)
        && section.mean.iter().all(|v| is(*v, 0.0))
        && section.std.iter().all(|v| is(*v, 1.0));
    match section.dtype {
        Dtype::Float16 => return wrong("input.dtype", later, "\"float16\""),
        Dtype::Uint8 if !untouched => {
            return wrong(
                "input.scale",
                "no scale, mean or std with dtype uint8",
                section.scale.to_string(),
            );
        }
        Dtype::Float32 | Dtype::Uint8 => {}
    }
    if !section.scale.is_finite() || section.scale == 0.0 {
        return wrong(
            "input.scale",
            "a finite number other than 0",
            section.scale.to_string(),
        );
    }
    if !section.mean.iter().all(|v| v.is_finite()) {
        return wrong(
            "input.mean",
            "finite numbers",
            format!("{:?}", section.mean),
        );
    }
    if !section.std.iter().all(|v| v.is_finite() && *v > 0.0) {
        return wrong(
            "input.std",
            "positive numbers",
            format!("{:?}", section.std),
        );
    }
    Ok(())
}

fn geometry(section: &InputSection) -> Result<(), Wrong> {
    let sides = |key, size: Size| {
        if size
            .sides()
            .iter()
            .all(|side| (1..=MAX_SIDE).contains(side))
        {
            Ok(size.sides())
        } else {
            wrong(
                key,
                format!("sides of 1..={MAX_SIDE} pixels"),
                format!("{:?}", size.sides()),
            )
        }
    };
    let resized = sides("input.resize.size", section.resize.size)?;
    if section.resize.mode == ResizeMode::ShortestSide {
        if let Size::Two(two) = section.resize.size {
            return wrong(
                "input.resize.size",
                "one number with shortest_side",
                format!("{two:?}"),
            );
        }
        if section.crop.is_none() {
            return wrong(
                "input.crop",
                "a crop, as shortest_side gives any width",
                "none",
            );
        }
    }
    if section.resize.mode != ResizeMode::ShortestSide && section.resize.rounding == Rounding::Down
    {
        return wrong(
            "input.resize.rounding",
            "half_even unless mode is shortest_side",
            "\"down\"",
        );
    }
    if let Some(crop) = section.crop {
        let cropped = sides("input.crop.size", crop.size)?;
        if cropped.iter().zip(resized).any(|(crop, side)| *crop > side) {
            let expected = format!("at most the resized {resized:?}");
            return wrong("input.crop.size", expected, format!("{cropped:?}"));
        }
    }
    Ok(())
}

fn output(manifest: &Manifest) -> Result<(), Wrong> {
    let section = &manifest.output;
    let embedding = section.kind == OutputKind::Embedding;
    match (&section.head, embedding) {
        (Some(head), true) if !manifest.file.iter().any(|e| e.path == *head) => {
            return wrong("output.head", "the path of a [[file]]", quoted(head));
        }
        (Some(head), false) => {
            return wrong(
                "output.head",
                "no head unless kind is embedding",
                quoted(head),
            );
        }
        (None, true) => return wrong("output.head", "a head for kind embedding", "none"),
        (Some(_), true) | (None, false) => {}
    }
    if !embedding && section.pool != Pooling::None {
        return wrong(
            "output.pool",
            "none unless kind is embedding",
            format!("{:?}", section.pool),
        );
    }
    match (section.kind, section.class) {
        (OutputKind::Softmax, None) => wrong("output.class", "a class for kind softmax", "none"),
        (OutputKind::Embedding, Some(class)) => wrong(
            "output.class",
            "no class for kind embedding",
            class.to_string(),
        ),
        _ => Ok(()),
    }
}

fn scores(manifest: &Manifest) -> Result<(), Wrong> {
    if let Err(error) = manifest.calibration.validate() {
        return wrong("calibration", error.to_string(), "other values");
    }
    if let Err(error) = manifest.aggregation.validate() {
        return wrong("aggregation", error.to_string(), "another value");
    }
    let verdict = manifest.verdict;
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
