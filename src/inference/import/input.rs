//! The graph's input, beside what the processor makes. Pure.

use std::path::Path;

use serde::Serialize;

use super::error::ImportError;
use super::graph::{Axis, Graph, Port};
use super::preprocessing::Preprocessing;

/// Pictures a run where the graph takes any number and none depends on the others.
const MAX_BATCH: u32 = 8;

/// `[input]` as far as the graph decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) layout: Layout,
    pub(super) dtype: Dtype,
    pub(super) max_batch: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Layout {
    Nchw,
    Nhwc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dtype {
    Float32,
    Float16,
    Uint8,
}

/// The input of the graph in `file` for pictures that `preprocessing` prepared.
pub(super) fn input(
    file: &Path,
    graph: &Graph,
    preprocessing: &Preprocessing,
) -> Result<Input, ImportError> {
    let wrong = |key: String, expected: &str, found: String| ImportError::Value {
        file: file.to_owned(),
        key,
        expected: expected.to_owned(),
        found,
    };
    let [port] = graph.inputs.as_slice() else {
        let names: Vec<String> = graph
            .inputs
            .iter()
            .map(|p| format!("{:?}", p.name))
            .collect();
        let found = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return Err(wrong(
            "the graph's inputs".to_owned(),
            "one, the picture",
            found,
        ));
    };
    let key = format!("input {:?}", port.name);
    let dtype = match port.element {
        1 => Dtype::Float32,
        2 => Dtype::Uint8,
        10 => Dtype::Float16,
        other => {
            let expected = "of float32, float16 or uint8 (ONNX types 1, 10 and 2)";
            return Err(wrong(key, expected, format!("of type {other}")));
        }
    };
    let shape = shape(port);
    let Some((layout, batch, sides)) = read(port) else {
        let expected = "of 4 axes with the 3 channels, or one named so, at axis 1 or 3";
        return Err(wrong(key, expected, shape));
    };
    let single = match batch {
        Axis::Open(_) => false,
        Axis::Fixed(1) => true,
        Axis::Fixed(_) => return Err(wrong(key, "a batch of 1 or an open one", shape)),
    };
    let [width, height] = preprocessing.output_size();
    let fits = |axis: &Axis, side: u32| match axis {
        Axis::Open(_) => true,
        Axis::Fixed(length) => *length == u64::from(side),
    };
    if !(fits(sides[0], height) && fits(sides[1], width)) {
        let expected = format!(
            "for pictures of {width}x{height}, which {} makes",
            preprocessing.processor
        );
        return Err(wrong(key, &expected, shape));
    }
    if dtype == Dtype::Uint8 && !preprocessing.leaves_values() {
        let expected = "float32 or float16 where the processor scales or normalizes (do_rescale, \
                        do_normalize)";
        return Err(wrong(key, expected, "of uint8".to_owned()));
    }
    Ok(Input {
        name: port.name.clone(),
        layout,
        dtype,
        max_batch: if single || graph.quantises {
            1
        } else {
            MAX_BATCH
        },
    })
}

/// Layout, batch axis, and height and width.
fn read(port: &Port) -> Option<(Layout, &Axis, [&Axis; 2])> {
    let [batch, a, b, c] = port.axes.as_slice() else {
        return None;
    };
    let fixed = |axis: &Axis| *axis == Axis::Fixed(3);
    let named = |axis: &Axis| match axis {
        Axis::Open(name) => name.to_lowercase().contains("channel"),
        Axis::Fixed(_) => false,
    };
    match ((fixed(a), fixed(c)), (named(a), named(c))) {
        ((true, false), _) | ((false, false), (true, false)) => Some((Layout::Nchw, batch, [b, c])),
        ((false, true), _) | ((false, false), (false, true)) => Some((Layout::Nhwc, batch, [a, b])),
        _ => None,
    }
}

/// A port's axes in words.
pub(super) fn shape(port: &Port) -> String {
    let axes: Vec<String> = port
        .axes
        .iter()
        .map(|axis| match axis {
            Axis::Fixed(length) => length.to_string(),
            Axis::Open(name) if name.is_empty() => "open".to_owned(),
            Axis::Open(name) => format!("{name:?}"),
        })
        .collect();
    format!("[{}]", axes.join(", "))
}
