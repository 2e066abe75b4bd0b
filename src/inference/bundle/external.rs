//! Which weights of an ONNX graph lie in other files.
//!
//! Reads the few fields of the protobuf encoding that say so (`onnx.proto3`: `ModelProto.graph` 7,
//! `functions` 25, `GraphProto.initializer` 5, `TensorProto`), for two reasons: a graph may name
//! only files that its bundle lists, hashes and all, and sessions can share weights that they don't
//! have to load themselves. Subgraphs (bodies of `If` and `Loop`) and functions are searched too.

use std::ops::Range;

use crate::inference::protobuf::{NotOnnx, Value, fields, text, varint};

/// A tensor whose values lie in another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalTensor {
    /// Name in the graph.
    pub name: String,
    /// Its shape.
    pub dims: Vec<i64>,
    /// `TensorProto.DataType`; 1 is float32.
    pub data_type: u64,
    /// The file, relative to the graph's.
    pub location: String,
    /// Where its bytes lie in that file; to the end of it when the graph states no length.
    pub bytes: Range<Option<u64>>,
    /// Whether it is an initializer of the main graph.
    pub is_initializer: bool,
}

/// All external tensors of an ONNX file.
pub(in crate::inference) fn external_tensors(model: &[u8]) -> Result<Vec<ExternalTensor>, NotOnnx> {
    let mut found = Vec::new();
    for item in fields(model) {
        let (field, value) = item?;
        match (field, value) {
            (7, Value::Bytes(graph)) => search_graph(graph, true, 0, &mut found)?,
            (25, Value::Bytes(function)) => search_function(function, &mut found)?,
            _ => {}
        }
    }
    Ok(found)
}

/// ONNX Runtime takes the offset of a weight with this in its location for an address in memory.
pub(in crate::inference) const MEMORY_TAG: &str = "_ORT_MEM_ADDR_";

/// Deepest nesting of subgraphs that is searched; deeper ones are refused.
pub(in crate::inference) const MAX_DEPTH: usize = 16;

fn search_graph(
    graph: &[u8],
    main: bool,
    depth: usize,
    found: &mut Vec<ExternalTensor>,
) -> Result<(), NotOnnx> {
    if depth > MAX_DEPTH {
        return Err(NotOnnx { at: 0 });
    }
    for item in fields(graph) {
        let (field, value) = item?;
        match (field, value) {
            (1, Value::Bytes(node)) => search_node(node, depth, found)?,
            (5, Value::Bytes(tensor)) => found.extend(external(tensor, main)?),
            // sparse_initializer: values 1, indices 2.
            (15, Value::Bytes(sparse)) => search_tensors(sparse, &[1, 2], found)?,
            _ => {}
        }
    }
    Ok(())
}

/// `FunctionProto.node` 7.
fn search_function(function: &[u8], found: &mut Vec<ExternalTensor>) -> Result<(), NotOnnx> {
    for item in fields(function) {
        if let (7, Value::Bytes(node)) = item? {
            search_node(node, 0, found)?;
        }
    }
    Ok(())
}

/// `NodeProto.attribute` 5; of an attribute `t` 5, `g` 6, `tensors` 10, `graphs` 11.
fn search_node(node: &[u8], depth: usize, found: &mut Vec<ExternalTensor>) -> Result<(), NotOnnx> {
    for item in fields(node) {
        let (field, value) = item?;
        let (5, Value::Bytes(attribute)) = (field, value) else {
            continue;
        };
        search_tensors(attribute, &[5, 10], found)?;
        for item in fields(attribute) {
            let (field, value) = item?;
            if let (6 | 11, Value::Bytes(graph)) = (field, value) {
                search_graph(graph, false, depth + 1, found)?;
            }
        }
    }
    Ok(())
}

fn search_tensors(
    message: &[u8],
    wanted: &[u64],
    found: &mut Vec<ExternalTensor>,
) -> Result<(), NotOnnx> {
    for item in fields(message) {
        let (field, value) = item?;
        if let Value::Bytes(tensor) = value
            && wanted.contains(&field)
        {
            found.extend(external(tensor, false)?);
        }
    }
    Ok(())
}

/// `TensorProto`: `dims` 1, `data_type` 2, `name` 8, `external_data` 13, `data_location` 14 (1 is
/// external).
fn external(tensor: &[u8], is_initializer: bool) -> Result<Option<ExternalTensor>, NotOnnx> {
    let mut found = ExternalTensor {
        name: String::new(),
        dims: Vec::new(),
        data_type: 0,
        location: String::new(),
        bytes: Some(0)..None,
        is_initializer,
    };
    let (mut outside, mut length) = (false, None);
    for item in fields(tensor) {
        let (field, value) = item?;
        match (field, value) {
            (1, Value::Number(dim)) => found.dims.push(dim.cast_signed()),
            (1, Value::Bytes(packed)) => found.dims.extend(packed_numbers(packed)?),
            (2, Value::Number(kind)) => found.data_type = kind,
            (8, Value::Bytes(name)) => found.name = text(name),
            (13, Value::Bytes(entry)) => match key_and_value(entry)? {
                (key, value) if key == "location" => found.location = value,
                (key, value) if key == "offset" => found.bytes.start = value.parse().ok(),
                (key, value) if key == "length" => length = value.parse::<u64>().ok(),
                _ => {}
            },
            (14, Value::Number(place)) => outside = place == 1,
            _ => {}
        }
    }
    found.bytes.end = match (found.bytes.start, length) {
        (Some(start), Some(length)) => start.checked_add(length),
        _ => None,
    };
    Ok(outside.then_some(found))
}

fn key_and_value(entry: &[u8]) -> Result<(String, String), NotOnnx> {
    let (mut key, mut value) = (String::new(), String::new());
    for item in fields(entry) {
        let (field, content) = item?;
        match (field, content) {
            (1, Value::Bytes(bytes)) => key = text(bytes),
            (2, Value::Bytes(bytes)) => value = text(bytes),
            _ => {}
        }
    }
    Ok((key, value))
}

fn packed_numbers(mut packed: &[u8]) -> Result<Vec<i64>, NotOnnx> {
    let mut numbers = Vec::new();
    while !packed.is_empty() {
        numbers.push(varint(&mut packed).ok_or(NotOnnx { at: 0 })?.cast_signed());
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(field: u8, content: &[u8]) -> Vec<u8> {
        [
            &[field << 3 | 2, u8::try_from(content.len()).unwrap()],
            content,
        ]
        .concat()
    }

    fn entry(key: &str, value: &str) -> Vec<u8> {
        message(
            13,
            &[message(1, key.as_bytes()), message(2, value.as_bytes())].concat(),
        )
    }

    fn tensor() -> Vec<u8> {
        [
            vec![1 << 3, 2, 1 << 3, 3],
            vec![2 << 3, 1],
            message(8, b"w"),
            entry("location", "w.data"),
            entry("offset", "16"),
            entry("length", "24"),
            vec![14 << 3, 1],
        ]
        .concat()
    }

    #[test]
    fn an_external_weight_is_found() {
        let model = message(7, &message(5, &tensor()));
        let found = external_tensors(&model).unwrap();
        let want = ExternalTensor {
            name: "w".to_owned(),
            dims: vec![2, 3],
            data_type: 1,
            location: "w.data".to_owned(),
            bytes: Some(16)..Some(40),
            is_initializer: true,
        };
        assert_eq!(found, [want]);
    }

    #[test]
    fn a_constant_in_a_branch_is_found() {
        let branch = message(1, &message(5, &message(5, &tensor())));
        let node = message(1, &message(5, &message(6, &branch)));
        let found = external_tensors(&message(7, &node)).unwrap();
        assert_eq!(found.len(), 1);
        assert!(!found[0].is_initializer);
    }

    #[test]
    fn a_constant_in_a_function_is_found() {
        let node = message(7, &message(5, &message(5, &tensor())));
        // Field 25 takes a tag of two bytes.
        let model = [&[0xca, 0x01, u8::try_from(node.len()).unwrap()], &node[..]].concat();
        assert_eq!(external_tensors(&model).unwrap().len(), 1);
    }

    #[test]
    fn broken_bytes_are_an_error() {
        let model = message(7, &message(5, &tensor()));
        assert!(external_tensors(&model[..model.len() - 1]).is_err());
        assert!(external_tensors(&[0xff; 40]).is_err());
        assert_eq!(external_tensors(&[]).unwrap(), []);
    }
}
