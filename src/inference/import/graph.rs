//! What an ONNX graph says about itself, read without ONNX Runtime. Pure.
//!
//! Fields of `onnx.proto3`: `ModelProto` graph 7, functions 25; `GraphProto` node 1, initializer 5,
//! input 11, output 12; `NodeProto` input 1, output 2, `op_type` 4, attribute 5; `ValueInfoProto`
//! name 1, type 2; `TypeProto` `tensor_type` 1; `TypeProto.Tensor` `elem_type` 1, shape 2;
//! `TensorShapeProto` dim 1; `Dimension` `dim_value` 1, `dim_param` 2.

use crate::inference::bundle::MAX_DEPTH;
use crate::inference::protobuf::{Fields, NotOnnx, Value, fields, text};

/// Most inputs or outputs that are read; old exports list every weight as an input.
const MAX_PORTS: usize = 1 << 16;

/// Most nodes that are walked back from an output to the one that makes its numbers.
const MAX_STEPS: usize = 16;

/// Nodes that move numbers and don't change them: what makes an output's numbers is before them.
const CARRIERS: [&str; 7] = [
    "Identity",
    "Cast",
    "Squeeze",
    "Unsqueeze",
    "Reshape",
    "Flatten",
    "Dropout",
];

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    /// `TensorProto.DataType`; 0 for what is no tensor.
    pub(super) element: u64,
    /// Its axes; none when the graph doesn't say.
    pub(super) axes: Vec<Axis>,
}

/// How long an axis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Axis {
    Fixed(u64),
    /// Open, by a name that may be empty.
    Open(String),
}

/// A graph's borders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Graph {
    /// Without those that are weights.
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    /// Whether activations are quantised by what else is in the tensor.
    pub(super) quantises: bool,
}

/// Reads the borders of the graph in `model`, a whole ONNX file.
pub(super) fn borders(model: &[u8]) -> Result<Graph, NotOnnx> {
    let graph = main_graph(model)?;
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for item in fields(graph) {
        match item? {
            (11, Value::Bytes(port)) => inputs.push(read_port(port)?),
            (12, Value::Bytes(port)) => outputs.push(read_port(port)?),
            _ => {}
        }
        if inputs.len().max(outputs.len()) > MAX_PORTS {
            return Err(NotOnnx { at: 0 });
        }
    }
    remove_weights(graph, &mut inputs)?;
    Ok(Graph {
        inputs,
        outputs,
        quantises: quantises(model)?,
    })
}

/// The operator that makes the numbers of the output `name`, past those that only move them; `None`
/// when there is none, as for an input that is passed on.
pub(super) fn origin(model: &[u8], name: &str) -> Result<Option<String>, NotOnnx> {
    let graph = main_graph(model)?;
    let mut wanted = name.to_owned();
    let mut last = None;
    for _ in 0..MAX_STEPS {
        let Some(node) = producer(graph, &wanted)? else {
            return Ok(last);
        };
        let carries = CARRIERS.contains(&node.operator.as_str());
        last = Some(node.operator);
        match node.input {
            Some(input) if carries => wanted = input,
            _ => return Ok(last),
        }
    }
    Ok(last)
}

/// The graph's message; two of them, which protobuf would merge, are refused.
fn main_graph(model: &[u8]) -> Result<&[u8], NotOnnx> {
    let mut found = None;
    for item in fields(model) {
        if let (7, Value::Bytes(graph)) = item?
            && found.replace(graph).is_some()
        {
            return Err(NotOnnx { at: 0 });
        }
    }
    found.ok_or(NotOnnx { at: model.len() })
}

fn read_port(port: &[u8]) -> Result<Port, NotOnnx> {
    let mut read = Port {
        name: String::new(),
        element: 0,
        axes: Vec::new(),
    };
    for item in fields(port) {
        match item? {
            (1, Value::Bytes(name)) => read.name = text(name),
            (2, Value::Bytes(kind)) => read_type(kind, &mut read)?,
            _ => {}
        }
    }
    Ok(read)
}

fn read_type(kind: &[u8], port: &mut Port) -> Result<(), NotOnnx> {
    for tensor in messages(kind, 1) {
        for item in fields(tensor?) {
            match item? {
                (1, Value::Number(element)) => port.element = element,
                (2, Value::Bytes(shape)) => {
                    for axis in messages(shape, 1) {
                        port.axes.push(read_axis(axis?)?);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn read_axis(axis: &[u8]) -> Result<Axis, NotOnnx> {
    let mut read = Axis::Open(String::new());
    for item in fields(axis) {
        match item? {
            // Some exporters write open axes as 0 or -1.
            (1, Value::Number(length)) if length.cast_signed() > 0 => read = Axis::Fixed(length),
            (2, Value::Bytes(name)) => read = Axis::Open(text(name)),
            _ => {}
        }
    }
    Ok(read)
}

/// Takes out of `inputs` those that the graph has values for. `TensorProto` name 8.
fn remove_weights(graph: &[u8], inputs: &mut Vec<Port>) -> Result<(), NotOnnx> {
    for tensor in messages(graph, 5) {
        if inputs.len() < 2 {
            return Ok(());
        }
        for item in fields(tensor?) {
            if let (8, Value::Bytes(name)) = item? {
                inputs.retain(|input| input.name.as_bytes() != name);
            }
        }
    }
    Ok(())
}

struct Node {
    operator: String,
    /// The first.
    input: Option<String>,
}

/// The node that has an output of this name.
fn producer(graph: &[u8], name: &str) -> Result<Option<Node>, NotOnnx> {
    for node in messages(graph, 1) {
        let (mut found, mut operator, mut input) = (false, String::new(), None);
        for item in fields(node?) {
            match item? {
                (1, Value::Bytes(first)) if input.is_none() => input = Some(text(first)),
                (2, Value::Bytes(output)) => found |= output == name.as_bytes(),
                (4, Value::Bytes(kind)) => operator = text(kind),
                _ => {}
            }
        }
        if found {
            return Ok(Some(Node { operator, input }));
        }
    }
    Ok(None)
}

/// Whether some operator, in whatever subgraph or function, quantises by the tensor at hand.
fn quantises(model: &[u8]) -> Result<bool, NotOnnx> {
    for item in fields(model) {
        let found = match item? {
            (7, Value::Bytes(graph)) => nodes_quantise(graph, 1, 0)?,
            (25, Value::Bytes(function)) => nodes_quantise(function, 7, 0)?,
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `AttributeProto`: `g` 6, `graphs` 11.
fn nodes_quantise(graph: &[u8], nodes: u64, depth: usize) -> Result<bool, NotOnnx> {
    if depth > MAX_DEPTH {
        return Err(NotOnnx { at: 0 });
    }
    for node in messages(graph, nodes) {
        for item in fields(node?) {
            match item? {
                (4, Value::Bytes(operator)) if operator.starts_with(b"DynamicQuantize") => {
                    return Ok(true);
                }
                (5, Value::Bytes(attribute)) => {
                    for item in fields(attribute) {
                        if let (6 | 11, Value::Bytes(graph)) = item?
                            && nodes_quantise(graph, 1, depth + 1)?
                        {
                            return Ok(true);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok(false)
}

/// The messages of one field.
fn messages(message: &[u8], wanted: u64) -> impl Iterator<Item = Result<&[u8], NotOnnx>> {
    let all: Fields<'_> = fields(message);
    all.filter_map(move |item| match item {
        Ok((field, Value::Bytes(bytes))) if field == wanted => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

#[cfg(test)]
mod tests;
