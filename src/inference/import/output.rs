//! The graph's output: what its numbers are, and which of them counts. Pure.

use std::path::Path;

use serde::Serialize;

use super::error::ImportError;
use super::graph::{Axis, Graph, Port};
use super::input::shape;
use super::json::Object;
use super::labels::Labels;

/// Operators whose results are class scores, not bounded by anything.
const LINEAR: [&str; 20] = [
    "Gemm",
    "MatMul",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Sum",
    "Conv",
    "Einsum",
    "BatchNormalization",
    "GlobalAveragePool",
    "ReduceMean",
    "DequantizeLinear",
    "FusedGemm",
    "FusedMatMul",
    "FusedConv",
    "MatMulNBits",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "QGemm",
];

/// `[output]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The class that means synthetic, of several.
    pub(super) class: Option<usize>,
    /// Classes that the graph tells apart; 1 for a single number.
    pub(super) count: usize,
    /// The label that the score stands for, if it has one.
    pub(super) label: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Probability,
    Logit,
    Softmax,
}

/// What the configuration says about the output.
pub(super) struct Classes<'a> {
    pub(super) config: &'a Object<'a>,
    pub(super) labels: &'a Labels,
    /// `--synthetic-label`
    pub(super) choice: Option<&'a str>,
}

/// The output that is read: the one named `logits`, else the only one.
pub(super) fn port<'a>(file: &Path, graph: &'a Graph) -> Result<&'a Port, ImportError> {
    let logits = graph.outputs.iter().find(|port| port.name == "logits");
    let port = match (logits, graph.outputs.as_slice()) {
        (Some(port), _) | (None, [port]) => port,
        (None, several) => {
            let names: Vec<String> = several.iter().map(|p| format!("{:?}", p.name)).collect();
            return Err(ImportError::Value {
                file: file.to_owned(),
                key: "the graph's outputs".to_owned(),
                expected: "one, or one named \"logits\"".to_owned(),
                found: names.join(", "),
            });
        }
    };
    if matches!(port.element, 1 | 10) {
        return Ok(port);
    }
    Err(wrong(
        file,
        port,
        "of float32 or float16 (ONNX types 1 and 10)",
        &format!("of type {}", port.element),
    ))
}

fn wrong(file: &Path, port: &Port, expected: &str, found: &str) -> ImportError {
    ImportError::Value {
        file: file.to_owned(),
        key: format!("output {:?}", port.name),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// What `port` of the graph in `file` tells, its numbers being made by the operator `origin`.
pub(super) fn output(
    file: &Path,
    port: &Port,
    origin: Option<&str>,
    classes: &Classes<'_>,
) -> Result<Output, ImportError> {
    let count = count(file, port, classes)?;
    let kind = kind(file, port, origin, count, classes.config)?;
    let labels = classes.labels;
    let index = if count == 1 {
        single(labels, classes.choice)?
    } else {
        labels.synthetic(count, classes.choice)?
    };
    Ok(Output {
        name: port.name.clone(),
        kind,
        class: (count > 1).then_some(index),
        count,
        label: labels.name(index).map(str::to_owned),
    })
}

/// How many classes there are: as the graph declares, else as many as labels.
fn count(file: &Path, port: &Port, classes: &Classes<'_>) -> Result<usize, ImportError> {
    let labels = classes.labels.count();
    let declared = match port.axes.as_slice() {
        [_] => Some(1),
        [_, Axis::Fixed(count)] => usize::try_from(*count).ok(),
        [_, Axis::Open(_)] => (labels > 0).then_some(labels),
        _ => None,
    };
    let Some(count) = declared else {
        let expected = "[batch], or [batch, classes] with the number of classes or labels for them";
        return Err(wrong(file, port, expected, &shape(port)));
    };
    // A single number can tell two labels apart.
    let fits = labels == 0 || labels == count || (count == 1 && labels == 2);
    if !fits {
        let expected = format!("of {labels} classes, as many as the configuration has labels");
        return Err(wrong(file, port, &expected, &shape(port)));
    }
    Ok(count)
}

/// The label that a single number speaks for: the only one, or the second of two.
fn single(labels: &Labels, choice: Option<&str>) -> Result<usize, ImportError> {
    match labels.count() {
        0 | 1 => labels.synthetic(1, choice),
        count => match labels.synthetic(count, choice)? {
            1 => Ok(1),
            _ => Err(labels.unclear(
                count,
                "the graph has one number, which speaks for label 1; a bundle can't turn it round",
            )),
        },
    }
}

fn kind(
    file: &Path,
    port: &Port,
    origin: Option<&str>,
    count: usize,
    config: &Object<'_>,
) -> Result<Kind, ImportError> {
    let of = |kind| Ok(kind);
    match (origin, count) {
        (Some("Softmax" | "LogSoftmax"), 1) => Err(wrong(
            file,
            port,
            "of two classes or more after a softmax",
            "of one",
        )),
        (Some("Softmax" | "Sigmoid"), _) => of(Kind::Probability),
        // The softmax of log-probabilities is the probabilities.
        (Some("LogSoftmax"), _) => of(Kind::Softmax),
        (Some(operator), _) if LINEAR.contains(&operator) => scores(count, config),
        (other, _) => {
            let expected = format!(
                "made by Softmax, LogSoftmax, Sigmoid or one of {}, so that its kind can be told",
                LINEAR.join(", ")
            );
            let found = other.map_or("the graph's input".to_owned(), |op| format!("made by {op}"));
            Err(wrong(file, port, &expected, &found))
        }
    }
}

/// Class scores by what the model was trained for.
fn scores(count: usize, config: &Object<'_>) -> Result<Kind, ImportError> {
    let problem = config.text("problem_type")?;
    match (problem, count) {
        (None | Some("single_label_classification"), 2..) => Ok(Kind::Softmax),
        (None | Some("single_label_classification" | "multi_label_classification"), 1)
        | (Some("multi_label_classification"), _) => Ok(Kind::Logit),
        _ => {
            let expected = "single_label_classification, multi_label_classification or absent: \
                            what else a model gives is no log-odds";
            Err(config.wrong("problem_type", expected))
        }
    }
}
