#!/usr/bin/env python3
"""Write the tiny ONNX models of the tests, whose answers can be worked out by hand.

Usage: make.py [FOLDER]     (default: the folder of this script)

All take a batch of 2x2 pictures, or of windows of three of them, except open.onnx and painted.onnx. `m` is the mean of
the picture's values as the graph sees them, `r`, `g`, `b` the means of its channels; in a window
`r_t`, … are those of picture t = 0, 1, 2.

| file | input | output |
| --- | --- | --- |
| logit_nchw.onnx | x float32 [batch, 3, 2, 2] | logit [batch] = r + 2g + 4b |
| logit_nhwc.onnx | x float32 [batch, 2, 2, 3] | logit [batch, 1] = r + 2g + 4b |
| probability_uint8.onnx | x uint8 [batch, 2, 2, 3] | probability [batch, 1] = m / 255 |
| softmax.onnx | x float32 [batch, 3, 2, 2] | scores [batch, 3] = (r, g, b) |
| tokens.onnx | x float32 [batch, 3, 2, 2] | tokens [batch, 2, 3] = (r, g, b), (2r, 0, 0) |
| single.onnx | x float32 [1, 3, 2, 2] | logit [1] = r + 2g + 4b |
| nan.onnx | x float32 [batch, 3, 2, 2] | logit [batch] = log(−1 − |m|), which is NaN |
| heads.onnx | x float32 [batch, 3, 2, 2] | logit, scores and tokens as above; probability [batch, 1] = m / 255; doubtful [batch] = log(200 − m), NaN for bright pictures |
| partly.onnx | x float32 [batch, 3, 2, 2] | logit [batch] = r + 2g + 4b + the sum of the determinants of the channels; OpenVINO has no `Det` |
| half.onnx | x float16 [batch, 3, 2, 2] | logit float32 [batch] = r + 2g + 4b; rounded float16 [batch, 1], the same |
| window_ncthw.onnx | x float32 [batch, 3, 3, 2, 2] | logit [batch] = Σ (t + 1)(r_t + 2g_t + 4b_t) |
| window_ntchw.onnx | the same, [batch, time, channels, 2, 2] | the same |
| window_uint8.onnx | x uint8, otherwise as window_ntchw.onnx | the same |
| open.onnx | x float32 [1, 3, height, width] | grey [1, 1, height, width] = mean of the channels; once, twice, minus = x, 2x, −x |
| painted.onnx | x float32 [1, 3, height, width] | a finder's as CenterFace's: heat, scale, offset, landmarks; a cell of 4x4 pixels whose means are (r, g, b) is a face of confidence r / 255 and a side of max(g, 1) pixels, in the cell's middle, its landmarks at fixed places of the box |
| external.onnx, external.data | as slow.onnx | as slow.onnx, its weights in the second file |
| slow.onnx | x float32 [batch, 3, 2, 2] | logit [batch], the sum of 64 chained products |

Those named import_… have the borders of exports that `jaga models import` meets, and open sides.

| file | input | output |
| --- | --- | --- |
| import_logits.onnx | pixel_values float32, all axes named | logits [batch, 2] = (r + 2g + 4b, 0) |
| import_softmax.onnx | pixels float32 [1, 8, 8, 3] | scores [1, 2], the softmax of the same |
| import_sigmoid.onnx | pixel_values float32 [batch, 3, h, w] | probability [batch, 1], the sigmoid of its first |
| import_number.onnx | pixel_values float32 [batch, 3, h, w] | logits [batch, 1], its first |
| import_uint8.onnx | pixel_values uint8 [batch, 3, 8, 8] | logits [batch, 2] |
| import_half.onnx | pixel_values float16 [batch, 3, 8, 8] | logits float16 [batch, 2] |
| import_quantised.onnx | pixel_values float32 [batch, 3, 8, 8] | logits [batch, 2], quantised at run time |
| import_two_inputs.onnx | pixel_values, input_ids | logits [batch, 2] |
| import_clip.onnx | pixel_values float32 [batch, 3, 8, 8] | logits [batch, 2], clipped to 0..1 |
| import_external.onnx, import_external.data | as import_logits.onnx | its weights in the second file |
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
FLOAT, FLOAT16, UINT8 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def save(folder, name, nodes, constants, x, *outputs):
    """`x` and each of `outputs` are (name, element type, shape)."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*x)],
        [helper.make_tensor_value_info(*y) for y in outputs],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="jaga", ir_version=8
    )
    onnx.checker.check_model(model)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def channel_means(layout="NCHW"):
    """Nodes that make `rgb` [batch, 3] out of `x`."""
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    return [helper.make_node("ReduceMean", ["x"], ["rgb"], axes=axes, keepdims=0)]


WEIGHTS = constant("weights", [[1.0], [2.0], [4.0]])
SQUEEZE = constant("one", [1], np.int64)


def logit_models(folder):
    product = helper.make_node("MatMul", ["rgb", "weights"], ["column"])
    squeeze = helper.make_node("Squeeze", ["column", "one"], ["logit"])
    nchw = [*channel_means(), product, squeeze]
    save(folder, "logit_nchw", nchw, [WEIGHTS, SQUEEZE],
         ("x", FLOAT, ["batch", 3, 2, 2]), ("logit", FLOAT, ["batch"]))
    save(folder, "single", nchw, [WEIGHTS, SQUEEZE],
         ("x", FLOAT, [1, 3, 2, 2]), ("logit", FLOAT, [1]))
    nhwc = [*channel_means("NHWC"), helper.make_node("MatMul", ["rgb", "weights"], ["logit"])]
    save(folder, "logit_nhwc", nhwc, [WEIGHTS],
         ("x", FLOAT, ["batch", 2, 2, 3]), ("logit", FLOAT, ["batch", 1]))


def partly_model(folder):
    nodes = [
        *channel_means(),
        helper.make_node("MatMul", ["rgb", "weights"], ["column"]),
        helper.make_node("Squeeze", ["column", "one"], ["plain"]),
        helper.make_node("Det", ["x"], ["determinants"]),
        helper.make_node("ReduceSum", ["determinants", "one"], ["sum"], keepdims=0),
        helper.make_node("Add", ["plain", "sum"], ["logit"]),
    ]
    save(folder, "partly", nodes, [WEIGHTS, SQUEEZE],
         ("x", FLOAT, ["batch", 3, 2, 2]), ("logit", FLOAT, ["batch"]))


def probability_model(folder):
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Div", ["column", "full"], ["probability"]),
    ]
    save(folder, "probability_uint8", nodes, [SQUEEZE, constant("full", [255.0])],
         ("x", UINT8, ["batch", 2, 2, 3]), ("probability", FLOAT, ["batch", 1]))


def softmax_model(folder):
    nodes = [helper.make_node("ReduceMean", ["x"], ["scores"], axes=[2, 3], keepdims=0)]
    save(folder, "softmax", nodes, [],
         ("x", FLOAT, ["batch", 3, 2, 2]), ("scores", FLOAT, ["batch", 3]))


def tokens_model(folder):
    nodes = [
        *channel_means(),
        helper.make_node("Mul", ["rgb", "only_red"], ["red"]),
        helper.make_node("Unsqueeze", ["rgb", "one"], ["first"]),
        helper.make_node("Unsqueeze", ["red", "one"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["tokens"], axis=1),
    ]
    save(folder, "tokens", nodes, [SQUEEZE, constant("only_red", [2.0, 0.0, 0.0])],
         ("x", FLOAT, ["batch", 3, 2, 2]), ("tokens", FLOAT, ["batch", 2, 3]))


def nan_model(folder):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Abs", ["mean"], ["size"]),
        helper.make_node("Neg", ["size"], ["negative"]),
        helper.make_node("Sub", ["negative", "unit"], ["below"]),
        helper.make_node("Log", ["below"], ["logit"]),
    ]
    save(folder, "nan", nodes, [constant("unit", [1.0])],
         ("x", FLOAT, ["batch", 3, 2, 2]), ("logit", FLOAT, ["batch"]))


def heads_model(folder):
    nodes = [
        *channel_means(),
        helper.make_node("Identity", ["rgb"], ["scores"]),
        helper.make_node("MatMul", ["rgb", "weights"], ["column"]),
        helper.make_node("Squeeze", ["column", "one"], ["logit"]),
        helper.make_node("Mul", ["rgb", "only_red"], ["red"]),
        helper.make_node("Unsqueeze", ["rgb", "one"], ["first"]),
        helper.make_node("Unsqueeze", ["red", "one"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["tokens"], axis=1),
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["means"]),
        helper.make_node("Div", ["means", "full"], ["probability"]),
        helper.make_node("Sub", ["bright", "mean"], ["left"]),
        helper.make_node("Log", ["left"], ["doubtful"]),
    ]
    constants = [WEIGHTS, SQUEEZE, constant("only_red", [2.0, 0.0, 0.0]),
                 constant("full", [255.0]), constant("bright", [200.0])]
    save(folder, "heads", nodes, constants, ("x", FLOAT, ["batch", 3, 2, 2]),
         ("logit", FLOAT, ["batch"]), ("scores", FLOAT, ["batch", 3]),
         ("tokens", FLOAT, ["batch", 2, 3]), ("probability", FLOAT, ["batch", 1]),
         ("doubtful", FLOAT, ["batch"]))


def half_model(folder):
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=FLOAT),
        helper.make_node("ReduceMean", ["float"], ["rgb"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["rgb", "weights"], ["column"]),
        helper.make_node("Squeeze", ["column", "one"], ["logit"]),
        helper.make_node("Cast", ["column"], ["rounded"], to=FLOAT16),
    ]
    save(folder, "half", nodes, [WEIGHTS, SQUEEZE], ("x", FLOAT16, ["batch", 3, 2, 2]),
         ("logit", FLOAT, ["batch"]), ("rounded", FLOAT16, ["batch", 1]))


def window_models(folder):
    """The weight of channel c at time t is (t + 1) · 2^c."""
    weights = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    sums = [
        helper.make_node("ReduceMean", ["float"], ["means"], axes=[3, 4], keepdims=0),
        helper.make_node("Mul", ["means", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "both"], ["logit"], keepdims=0),
    ]
    for name, dtype, table in (("ncthw", FLOAT, weights.T), ("ntchw", FLOAT, weights),
                               ("uint8", UINT8, weights)):
        nodes = [helper.make_node("Cast", ["x"], ["float"], to=FLOAT), *sums]
        save(folder, f"window_{name}", nodes,
             [constant("weights", table), constant("both", [1, 2], np.int64)],
             ("x", dtype, ["batch", 3, 3, 2, 2]), ("logit", FLOAT, ["batch"]))


def open_model(folder):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Identity", ["x"], ["once"]),
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Neg", ["x"], ["minus"]),
    ]
    shape = [1, 3, "height", "width"]
    save(folder, "open", nodes, [], ("x", FLOAT, shape),
         ("grey", FLOAT, [1, 1, "height", "width"]),
         *((name, FLOAT, shape) for name in ("once", "twice", "minus")))


def painted_model(folder):
    """A finder of what is painted into the picture: red is the confidence, green the side."""
    # (y, x) of eyes, nose and corners of the mouth, as parts of the box.
    places = [0.4, 0.3, 0.4, 0.7, 0.6, 0.5, 0.8, 0.3, 0.8, 0.7]
    conv = [("red", np.reshape([1 / 255, 0, 0], (1, 3, 1, 1)), [0.0]),
            ("green", np.reshape([0, 1, 0] * 2, (2, 3, 1, 1)), [0.0] * 2),
            ("offset", np.zeros((2, 3, 1, 1)), [0.0] * 2),
            ("landmarks", np.zeros((10, 3, 1, 1)), places)]
    nodes = [helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[4, 4], strides=[4, 4])]
    constants = [constant("zero", 0.0), constant("one", 1.0), constant("stride", 4.0)]
    for name, weight, bias in conv:
        nodes.append(helper.make_node("Conv", ["cells", f"{name}_w", f"{name}_b"], [name]))
        constants += [constant(f"{name}_w", weight), constant(f"{name}_b", bias)]
    nodes += [helper.make_node("Clip", ["red", "zero", "one"], ["heat"]),
              helper.make_node("Max", ["green", "one"], ["side"]),
              helper.make_node("Div", ["side", "stride"], ["cells_a_side"]),
              helper.make_node("Log", ["cells_a_side"], ["scale"])]
    save(folder, "painted", nodes, constants, ("x", FLOAT, [1, 3, "height", "width"]),
         *((name, FLOAT, [1, channels, "rows", "columns"])
           for name, channels in (("heat", 1), ("scale", 2), ("offset", 2), ("landmarks", 10))))


def slow_model(folder):
    """Sums whose order shows in the last bits, for the test of determinism."""
    rng = np.random.default_rng(7)
    side = 24
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1),
             helper.make_node("MatMul", ["flat", "spread"], ["state_0"])]
    for step in range(64):
        nodes.append(helper.make_node("MatMul", [f"state_{step}", "mix"], [f"mixed_{step}"]))
        nodes.append(helper.make_node("Tanh", [f"mixed_{step}"], [f"state_{step + 1}"]))
    nodes.append(helper.make_node("ReduceSum", ["state_64", "one"], ["logit"], keepdims=0))
    constants = [constant("spread", rng.standard_normal((12, side))),
                 constant("mix", rng.standard_normal((side, side)) / 3), SQUEEZE]
    save(folder, "slow", nodes, constants,
         ("x", FLOAT, ["batch", 3, 2, 2]), ("logit", FLOAT, ["batch"]))
    model = onnx.load(folder / "slow.onnx")
    onnx.save_model(model, folder / "external.onnx", save_as_external_data=True,
                    location="external.data", size_threshold=1024)


def import_models(folder):
    weights = constant("weights", [[1.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    first = constant("weights", [[1.0], [2.0], [4.0]])
    half = constant("weights", [[1.0, 0.0], [2.0, 0.0], [4.0, 0.0]], np.float16)
    open_sides, fixed = ["batch", 3, "h", "w"], ["batch", 3, 8, 8]

    def write(name, shape, out, tail=(), *, x="pixel_values", y="logits", kind=FLOAT, layout="NCHW",
              values=weights, more=()):
        axes = [2, 3] if layout == "NCHW" else [1, 2]
        floats = kind if kind != UINT8 else FLOAT
        nodes = [helper.make_node("Cast", [x], ["float"], to=FLOAT)] if kind == UINT8 else []
        nodes.append(helper.make_node("ReduceMean", ["float" if nodes else x], ["rgb"], axes=axes, keepdims=0))
        scores = f"{y}_scores" if tail else y
        nodes.append(helper.make_node("MatMul", ["rgb", "weights"], [scores]))
        nodes.extend(helper.make_node(kind_of, [scores], [y], **more_of) for kind_of, more_of in tail)
        inputs = [helper.make_tensor_value_info(x, kind, shape), *more]
        graph = helper.make_graph(nodes, name, inputs,
                                  [helper.make_tensor_value_info(y, floats, out)], [values])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  producer_name="jaga", ir_version=8)
        onnx.checker.check_model(model)
        (folder / f"import_{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        return model

    names = ["batch_size", "num_channels", "height", "width"]
    logits = write("logits", names, ["batch_size", 2])
    write("softmax", [1, 8, 8, 3], [1, 2], [("Softmax", {"axis": -1})], x="pixels", y="scores",
          layout="NHWC")
    write("sigmoid", open_sides, ["batch", 1], [("Sigmoid", {})], y="probability", values=first)
    write("number", open_sides, ["batch", 1], values=first)
    write("uint8", fixed, ["batch", 2], kind=UINT8)
    write("half", fixed, ["batch", 2], kind=TensorProto.FLOAT16, values=half)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    write("two_inputs", open_sides, ["batch", 2], more=[ids])
    write("clip", fixed, ["batch", 2], [("Clip", {})])
    quantised_import(folder, fixed)
    onnx.save_model(logits, folder / "import_external.onnx", save_as_external_data=True,
                    location="import_external.data", size_threshold=0)


def quantised_import(folder, shape):
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["rgb"], axes=[2, 3], keepdims=0),
        helper.make_node("DynamicQuantizeLinear", ["rgb"], ["quantised", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["quantised", "weights", "zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["float"], to=FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["logits"]),
    ]
    save(folder, "import_quantised", nodes, [constant("weights", [[1, 0], [2, 0], [4, 0]], np.int8)],
         ("pixel_values", FLOAT, shape), ("logits", FLOAT, ["batch", 2]))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    # Saving appends to weights that are there.
    for name in ("external.data", "import_external.data"):
        (folder / name).unlink(missing_ok=True)
    for make in (logit_models, partly_model, probability_model, softmax_model, tokens_model, nan_model, slow_model,
                 heads_model, half_model, window_models, open_model, painted_model,
                 import_models):
        make(folder)


if __name__ == "__main__":
    main()
