"""Float networks for the benchmarks, with fixed random weights, as bundles. Only their speed counts.

ResNet-18 is that of He et al., "Deep Residual Learning for Image Recognition" (2015), table 1, with batch
normalisation folded into the convolutions as exporters do it: all convolution, which fills a core with one
picture already. AlexNet is that of Krizhevsky, "One weird trick for parallelizing convolutional neural networks"
(2014): nine tenths of its weights are in layers that read each weight once a run, so that a batch shares them.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import clips

STAGES = [(64, 1), (128, 2), (256, 2), (512, 2)]
MANIFEST = """[model]
name = "{name}"
version = "1.0.0"
status = "experimental"
question = "ai_generated"
license = "CC0-1.0"
card = "CARD.md"

[[file]]
path = "network.onnx"
sha256 = "{sha256}"

[input]
kind = "frame"
name = "pixels"
layout = "NCHW"
dtype = "float32"
color = "RGB"
resize = {{ mode = "stretch", size = [224, 224], filter = "bilinear" }}
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]

[output]
name = "logit"
kind = "logit"

[calibration]
kind = "none"

[aggregation]
kind = "mean_logit"

[runtime]
max_batch = 32
"""


class Network:
    """Nodes and weights, in the order in which they were added."""

    def __init__(self):
        self.random, self.nodes, self.weights = np.random.default_rng(18), [], []

    def weight(self, name, shape, scale):
        values = self.random.normal(0, scale, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind, inputs, **attributes):
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolution(self, x, channels, size, stride, pad=None):
        """`channels` is (in, out); half the size is added at each edge unless `pad` says otherwise."""
        name, (before, after) = f"c{len(self.nodes)}", channels
        scale = (2 / (before * size * size)) ** 0.5
        weight = self.weight(name + ".weight", (after, before, size, size), scale)
        bias = self.weight(name + ".bias", (after,), 0.01)
        return self.add("Conv", [x, weight, bias], kernel_shape=[size] * 2, strides=[stride] * 2,
                        pads=[size // 2 if pad is None else pad] * 4)

    def dense(self, x, before, after):
        name = f"d{len(self.nodes)}"
        weight = self.weight(name + ".weight", (before, after), (2 / before) ** 0.5)
        return self.add("Gemm", [x, weight, self.weight(name + ".bias", (after,), 0.01)])

    def pooled(self, x, **attributes):
        return self.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], **attributes)

    def model(self, logit):
        """The whole, with the output `logit` of one number a picture."""
        value = helper.make_tensor_value_info
        self.nodes.append(helper.make_node("Identity", [logit], ["logit"]))
        graph = helper.make_graph(
            self.nodes, "network", [value("pixels", TensorProto.FLOAT, ["batch", 3, 224, 224])],
            [value("logit", TensorProto.FLOAT, ["batch", 1])], self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def block(self, x, channels, stride):
        before, after = channels
        y = self.add("Relu", [self.convolution(x, channels, 3, stride)])
        y = self.convolution(y, (after, after), 3, 1)
        if stride > 1 or before != after:
            x = self.convolution(x, channels, 1, stride)
        return self.add("Relu", [self.add("Add", [y, x])])


def resnet_18():
    net = Network()
    x = net.add("Relu", [net.convolution("pixels", (3, 64), 7, 2)])
    x = net.pooled(x, pads=[1] * 4)
    before = 64
    for channels, stride in STAGES:
        x = net.block(x, (before, channels), stride)
        x = net.block(x, (channels, channels), 1)
        before = channels
    x = net.add("Flatten", [net.add("GlobalAveragePool", [x])])
    return net.model(net.dense(x, before, 1))


def alexnet():
    net = Network()
    x = net.pooled(net.add("Relu", [net.convolution("pixels", (3, 64), 11, 4, 2)]))
    x = net.pooled(net.add("Relu", [net.convolution(x, (64, 192), 5, 1)]))
    for channels in ((192, 384), (384, 256), (256, 256)):
        x = net.add("Relu", [net.convolution(x, channels, 3, 1)])
    x = net.add("Flatten", [net.pooled(x)])
    for before, after in ((256 * 6 * 6, 4096), (4096, 4096)):
        x = net.add("Relu", [net.dense(x, before, after)])
    return net.model(net.dense(x, 4096, 1))


NETWORKS = {"resnet18": resnet_18, "alexnet": alexnet}


def write(folder, name):
    """The bundle `folder/name` of the network of that name."""
    bundle = folder / name
    bundle.mkdir(parents=True, exist_ok=True)
    onnx.save(NETWORKS[name](), bundle / "network.onnx")
    digest = clips.sha256(bundle / "network.onnx")
    (bundle / "model.toml").write_text(MANIFEST.format(name=name, sha256=digest), encoding="utf-8")
    (bundle / "CARD.md").write_text("Random weights, for benchmarks.\n", encoding="utf-8")
    return name
