//! `model.toml` as an import writes it. The loader's own types read it back and check it.

use serde::Serialize;

use super::input::{Dtype, Layout};
use super::output::Kind;
use super::plan::Decided;
use super::preprocessing::{Color, Crop, Resize};

#[derive(Serialize)]
struct Manifest<'a> {
    model: Model<'a>,
    file: &'a [Listed],
    input: Input<'a>,
    output: Output<'a>,
    calibration: Named,
    aggregation: Named,
    runtime: Runtime,
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    version: &'a str,
    status: &'static str,
    question: &'a str,
    license: &'a str,
    card: &'static str,
}

/// A `[[file]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Listed {
    pub(super) path: String,
    /// Lower-case hexadecimal.
    pub(super) sha256: String,
}

#[derive(Serialize)]
struct Input<'a> {
    kind: &'static str,
    name: &'a str,
    layout: Layout,
    dtype: Dtype,
    color: Color,
    scale: f64,
    /// In the order of `color`.
    mean: [f64; 3],
    std: [f64; 3],
    resize: Resize,
    #[serde(skip_serializing_if = "Option::is_none")]
    crop: Option<Crop>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<usize>,
}

#[derive(Serialize)]
struct Named {
    kind: &'static str,
}

#[derive(Serialize)]
struct Runtime {
    max_batch: u32,
}

/// The text of `model.toml` for `decided` with these files.
pub(super) fn text(decided: &Decided, files: &[Listed]) -> Result<String, toml::ser::Error> {
    let preprocessing = &decided.preprocessing;
    let channels = |values: [f64; 3]| match preprocessing.color {
        Color::Rgb => values,
        Color::Bgr => [values[2], values[1], values[0]],
    };
    let manifest = Manifest {
        model: Model {
            name: &decided.name,
            version: &decided.version,
            status: "experimental",
            question: &decided.question,
            license: &decided.license,
            card: super::CARD,
        },
        file: files,
        input: Input {
            kind: "frame",
            name: &decided.input.name,
            layout: decided.input.layout,
            dtype: decided.input.dtype,
            color: preprocessing.color,
            scale: preprocessing.scale,
            mean: channels(preprocessing.mean),
            std: channels(preprocessing.std),
            resize: preprocessing.resize,
            crop: preprocessing.crop,
        },
        output: Output {
            name: &decided.output.name,
            kind: decided.output.kind,
            class: decided.output.class,
        },
        calibration: Named { kind: "none" },
        aggregation: Named { kind: "mean_logit" },
        runtime: Runtime {
            max_batch: decided.input.max_batch,
        },
    };
    let text = toml::to_string(&manifest)?;
    Ok(format!(
        "# Written by `jaga models import`; {} says from what.\n\n{text}",
        super::CARD
    ))
}
