//! The graphs of `tests/models/make.py`, read.

use std::path::Path;

use super::super::input::{Dtype, Layout, input};
use super::super::preprocessing::{Color, Filter, Preprocessing, Resize};
use super::*;

macro_rules! model {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/models/", $name, ".onnx"))
    };
}

fn open(name: &str) -> Axis {
    Axis::Open(name.to_owned())
}

fn port(name: &str, element: u64, axes: &[Axis]) -> Port {
    Port {
        name: name.to_owned(),
        element,
        axes: axes.to_vec(),
    }
}

/// What makes values of 8x8 pixels.
fn eight() -> Preprocessing {
    Preprocessing {
        processor: "ViTImageProcessor".to_owned(),
        resize: Resize::stretch([8, 8], Filter::Bilinear),
        crop: None,
        color: Color::Rgb,
        scale: 1.0 / 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        notes: Vec::new(),
    }
}

#[test]
fn borders_are_read() {
    let graph = borders(model!("import_logits")).unwrap();
    let axes = ["batch_size", "num_channels", "height", "width"].map(open);
    assert_eq!(graph.inputs, [port("pixel_values", 1, &axes)]);
    let axes = [open("batch_size"), Axis::Fixed(2)];
    assert_eq!(graph.outputs, [port("logits", 1, &axes)]);
    assert!(!graph.quantises);
    assert!(borders(model!("import_quantised")).unwrap().quantises);
    let two = borders(model!("import_two_inputs")).unwrap();
    assert_eq!(two.inputs.len(), 2);
}

#[test]
fn weights_that_are_listed_as_inputs_are_none() {
    // As IR version 3 demanded: the weights' own ValueInfo (name 1) among the inputs (field 11).
    let model = model!("import_logits");
    let graph = main_graph(model).unwrap();
    let listed = [graph, b"\x5a\x09\x0a\x07weights"].concat();
    let mut whole = vec![7 << 3 | 2];
    let length = listed.len();
    whole.extend([
        u8::try_from(length & 0x7f | 0x80).unwrap(),
        u8::try_from(length >> 7).unwrap(),
    ]);
    whole.extend(listed);
    let read = borders(&whole).unwrap();
    assert_eq!(read.inputs, borders(model).unwrap().inputs);
}

#[test]
fn the_operator_that_makes_the_numbers_is_found() {
    for (model, output, operator) in [
        (&model!("import_logits")[..], "logits", "MatMul"),
        (model!("import_softmax"), "scores", "Softmax"),
        (model!("import_sigmoid"), "probability", "Sigmoid"),
        (model!("import_quantised"), "logits", "Mul"),
        (model!("import_clip"), "logits", "Clip"),
        // Past a Squeeze.
        (model!("single"), "logit", "MatMul"),
    ] {
        assert_eq!(origin(model, output).unwrap().as_deref(), Some(operator));
    }
    assert_eq!(origin(model!("single"), "nothing").unwrap(), None);
}

#[test]
fn inputs_have_a_layout_a_type_and_a_batch() {
    let read = |model: &[u8]| input(Path::new("model.onnx"), &borders(model).unwrap(), &eight());
    let half = read(model!("import_half")).unwrap();
    assert_eq!(
        (half.dtype, half.layout, half.max_batch),
        (Dtype::Float16, Layout::Nchw, 8)
    );
    let fixed = read(model!("import_softmax")).unwrap();
    assert_eq!(
        (fixed.dtype, fixed.layout, fixed.max_batch),
        (Dtype::Float32, Layout::Nhwc, 1)
    );
    assert_eq!(read(model!("import_quantised")).unwrap().max_batch, 1);
}

#[test]
fn axes_that_do_not_fit_are_refused() {
    let fixed = Axis::Fixed;
    for axes in [
        vec![],
        vec![open("batch"), fixed(3), fixed(8)],
        vec![open("batch"), fixed(1), fixed(8), fixed(8)],
        vec![open("batch"), fixed(3), fixed(8), fixed(3)],
        vec![open("batch"), open("a"), open("b"), open("c")],
        vec![open("batch"), fixed(3), fixed(8), fixed(9)],
        vec![open("batch"), fixed(8), fixed(9), fixed(3)],
        vec![fixed(4), fixed(3), fixed(8), fixed(8)],
        vec![open("batch"), fixed(3), fixed(8), fixed(8), fixed(1)],
    ] {
        let graph = Graph {
            inputs: vec![port("x", 1, &axes)],
            outputs: Vec::new(),
            quantises: false,
        };
        let error = input(Path::new("model.onnx"), &graph, &eight())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("model.onnx: input \"x\" must be "),
            "{error}"
        );
    }
    for element in [0, 3, 7, 11, 16] {
        let graph = Graph {
            inputs: vec![port(
                "x",
                element,
                &[open(""), fixed(3), fixed(8), fixed(8)],
            )],
            outputs: Vec::new(),
            quantises: false,
        };
        let error = input(Path::new("model.onnx"), &graph, &eight())
            .unwrap_err()
            .to_string();
        assert!(error.contains("float32, float16 or uint8"), "{error}");
    }
}
