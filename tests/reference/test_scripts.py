"""The Python that set-up rests on: derivations, preprocessing."""

import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import derive_model  # noqa: E402
import preprocess  # noqa: E402

WEIGHTS = np.array([[130, 120, 128], [128, 140, 100]], dtype=np.uint8)
ZERO, SCALE = 128, 0.05


def quantised_graph():
    """x·W by dynamic quantisation as onnxruntime's quantiser writes it, then a node to cut off."""
    node = helper.make_node
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["x_quantized", "x_scale", "x_zero"], name="quantize"),
        node("Mul", ["x_scale", "w_scale"], ["scales"], name="scales_mul"),
        node("MatMulInteger", ["x_quantized", "w_quantized", "x_zero", "w_zero"], ["product"],
             name="fc/MatMul_quant"),
        node("Cast", ["product"], ["product_float"], name="cast", to=TensorProto.FLOAT),
        node("Mul", ["product_float", "scales"], ["y"], name="output_scale_mul"),
        node("Relu", ["y"], ["z"], name="beyond"),
    ]
    weights = [
        numpy_helper.from_array(WEIGHTS, "w_quantized"),
        numpy_helper.from_array(np.array(ZERO, dtype=np.uint8), "w_zero"),
        numpy_helper.from_array(np.array(SCALE, dtype=np.float32), "w_scale"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g",
        [value("x", TensorProto.FLOAT, ["batch", 2])], [value("z", TensorProto.FLOAT, ["batch", 3])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)


class Derivations(unittest.TestCase):
    def test_dequantised_product_is_exact(self):
        model = quantised_graph()
        derive_model.prune(model.graph, "y")
        self.assertEqual(derive_model.dequantize(model.graph), 1)
        derive_model.prune(model.graph, "y")
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3]))
        self.assertEqual([node.op_type for node in model.graph.node], ["MatMul"])
        session = onnxruntime.InferenceSession(
            derive_model.finish(model), providers=["CPUExecutionProvider"]
        )
        x = np.array([[0.3, -1.7], [2.0, 0.1]], dtype=np.float32)
        (y,) = session.run(["y"], {"x": x})
        expected = x @ ((WEIGHTS.astype(np.float32) - ZERO) * np.float32(SCALE))
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)

    def test_same_bytes_every_time(self):
        def derived():
            model = onnx.load_model_from_string(quantised_graph().SerializeToString())
            derive_model.prune(model.graph, "z")
            return derive_model.finish(model)

        self.assertEqual(derived(), derived())

    def test_split_weights_give_the_same_answers(self):
        weights = numpy_helper.from_array(np.arange(600, dtype=np.float32).reshape(3, 200), "w")
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 200])],
            [weights],
        )
        opset = [helper.make_opsetid("", 17)]
        whole = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
        split, data = derive_model.split(whole, "g.data")
        self.assertLess(len(split), 1024)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "g.onnx").write_bytes(split)
            (Path(folder) / "g.data").write_bytes(data)
            feed = {"x": np.ones((1, 3), np.float32)}
            answers = [
                onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feed)
                for model in (whole, str(Path(folder) / "g.onnx"))
            ]
        np.testing.assert_array_equal(*answers)

    def test_open_shapes_take_any_size_and_compute_the_same(self):
        weight = np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3) - 13
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2])],
            "g",
            # As older exports have it: the weight is an input too.
            [value("x", TensorProto.FLOAT, [10, 3, 4, 4]), value("w", TensorProto.FLOAT, [1, 3, 3, 3])],
            [value("y", TensorProto.FLOAT, [10, 1, 2, 2])],
            [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(weight, "unused")],
        )
        opset = [helper.make_opsetid("", 9)]
        fixed = helper.make_model(graph, opset_imports=opset, ir_version=4).SerializeToString()
        opened = derive_model.open_shapes(fixed, "")
        self.assertEqual(opened, derive_model.open_shapes(fixed, ""))
        weights = onnx.load_model_from_string(opened).graph.initializer
        self.assertEqual([tensor.name for tensor in weights], ["w"])
        before, after = (
            onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
            for model in (fixed, opened)
        )
        self.assertEqual([(i.name, i.shape) for i in after.get_inputs()],
                         [("x", ["batch", 3, "height", "width"])])
        x = np.random.default_rng(1).normal(size=(10, 3, 4, 4)).astype(np.float32)
        # Other kernels add up in another order.
        want, got = (session.run(None, {"x": x})[0] for session in (before, after))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
        (wide,) = after.run(None, {"x": np.ones((1, 3, 8, 32), np.float32)})
        self.assertEqual(wide.shape, (1, 1, 4, 16))

    def test_shapes_that_a_node_may_hold_are_not_opened(self):
        graph = helper.make_graph(
            [helper.make_node("Flatten", ["x"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        )
        with self.assertRaisesRegex(ValueError, "Flatten"):
            derive_model.open_shapes(helper.make_model(graph).SerializeToString(), "")

    def test_unknown_tensor_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "nowhere"):
            derive_model.prune(quantised_graph().graph, "nowhere")


class Preprocessing(unittest.TestCase):
    def test_shortest_side_and_crop(self):
        section = tomllib.loads((ROOT / "models/genai-clip/model.toml").read_text())["input"]
        image = Image.new("RGB", (1920, 1080), (255, 0, 128))
        self.assertEqual(preprocess.resized(image, section["resize"]).size, (398, 224))
        tensor = preprocess.tensor(image, section)
        self.assertEqual((tensor.shape, tensor.dtype), ((3, 224, 224), np.float32))
        expected = [(1 - section["mean"][0]) / section["std"][0], -section["mean"][1] / section["std"][1]]
        np.testing.assert_allclose(tensor[:2, 100, 100], expected, rtol=1e-6)

    def test_letterbox_leaves_bars(self):
        section = {"mode": "letterbox", "size": [10, 10], "filter": "box", "pad": 7}
        pixels = np.asarray(preprocess.resized(Image.new("RGB", (20, 10), (1, 1, 1)), section))
        self.assertTrue((pixels[2:7] == 1).all())
        self.assertTrue((pixels[:2] == 7).all() and (pixels[7:] == 7).all())


if __name__ == "__main__":
    unittest.main()
