//! A graph's declared inputs and outputs against what its bundle says.

use ort::value::{Outlet, TensorElementType, ValueType};

use super::super::bundle::manifest::Dtype;
use super::super::bundle::{Bundle, BundleError};
use super::InputSlot;

pub(super) fn wrong<T>(
    bundle: &Bundle<T>,
    key: &str,
    expected: &str,
    found: String,
) -> BundleError {
    BundleError::Value {
        file: bundle.manifest_path.clone(),
        key: key.to_owned(),
        expected: format!("{expected} as in {}", bundle.graph.path.display()),
        found,
    }
}

/// Checks the graph's declared input against the bundle.
pub(super) fn check_input<T>(
    bundle: &Bundle<T>,
    inputs: &[Outlet],
    slot: InputSlot<'_>,
) -> Result<(), BundleError> {
    let name = &slot.encoding.name;
    let wrong = |key, expected: String, found| Err(wrong(bundle, key, &expected, found));
    let [input] = inputs else {
        let expected = format!("the only input of the graph, which has {}", names(inputs));
        return wrong("input.name", expected, format!("{name:?}"));
    };
    if input.name() != name {
        return wrong("input.name", names(inputs), format!("{name:?}"));
    }
    let dtype = match slot.encoding.dtype {
        Dtype::Float32 => TensorElementType::Float32,
        Dtype::Float16 => TensorElementType::Float16,
        Dtype::Uint8 => TensorElementType::Uint8,
    };
    let (element, dims) = tensor_of(input);
    if element != Some(dtype) {
        return wrong("input.dtype", describe(input), format!("{dtype:?}"));
    }
    if !takes(dims, slot.shape, slot.max_batch) {
        let side = |side: &Option<usize>| side.map_or_else(|| "any".to_owned(), |s| s.to_string());
        let shape: Vec<String> = slot.shape.iter().map(side).collect();
        let found = format!(
            "[{}] (layout, resize, crop and window) with runtime.max_batch {}",
            shape.join(", "),
            slot.max_batch
        );
        return wrong("input", describe(input), found);
    }
    Ok(())
}

/// Whether an input declared as `dims` takes batches of up to `max_batch` of `shape`.
fn takes(dims: &[i64], shape: &[Option<usize>], max_batch: usize) -> bool {
    let is = |dim: i64, wanted: Option<usize>| {
        dim < 0 || wanted.is_some_and(|wanted| usize::try_from(dim) == Ok(wanted))
    };
    let ([batch, rest @ ..], [_, wanted @ ..]) = (dims, shape) else {
        return false;
    };
    (*batch < 0 || (*batch == 1 && max_batch == 1))
        && rest.len() == wanted.len()
        && rest.iter().zip(wanted).all(|(dim, side)| is(*dim, *side))
}

pub(super) fn tensor_of(outlet: &Outlet) -> (Option<TensorElementType>, &[i64]) {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => (Some(*ty), shape),
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => (None, &[]),
    }
}

pub(super) fn describe(outlet: &Outlet) -> String {
    match tensor_of(outlet) {
        (Some(element), dims) => format!("{element:?} {dims:?} (-1 is open)"),
        (None, _) => "a tensor, which the graph's isn't".to_owned(),
    }
}

pub(super) fn names(outlets: &[Outlet]) -> String {
    let quoted: Vec<String> = outlets.iter().map(|o| format!("{:?}", o.name())).collect();
    quoted.join(", ")
}
