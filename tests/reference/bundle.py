"""A bundle read and run in Python, independently of jaga."""

import json
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime


class Bundle:
    """The model in a folder; files that aren't there are in `<weights_dir>/<name>/`."""

    def __init__(self, folder, weights_dir=None, options=None):
        self.folder, self.weights_dir = Path(folder), weights_dir and Path(weights_dir)
        self.manifest = tomllib.loads((self.folder / "model.toml").read_text())
        self.output = self.manifest["output"]
        (graph,) = [file["path"] for file in self.manifest["file"] if file["path"].endswith(".onnx")]
        self.session = onnxruntime.InferenceSession(
            str(self.path(graph)), options, providers=["CPUExecutionProvider"]
        )
        self.head = None
        if "head" in self.output:
            self.head = json.loads(self.path(self.output["head"]).read_text())

    def path(self, name):
        beside = self.folder / name
        if beside.exists() or self.weights_dir is None:
            return beside
        return self.weights_dir / self.folder.resolve().name / name

    @property
    def max_batch(self):
        return self.manifest.get("runtime", {}).get("max_batch", 1)

    def logits(self, tensors):
        """Log-odds of each of a list of tensors, run in batches of at most `max_batch`."""
        result = []
        for start in range(0, len(tensors), self.max_batch):
            batch = np.stack(tensors[start : start + self.max_batch])
            (values,) = self.session.run(
                [self.output["name"]], {self.manifest["input"]["name"]: batch}
            )
            result.extend(self.readout(value) for value in values.astype(np.float64))
        return result

    def readout(self, value):
        """Log-odds from what the graph says about one picture."""
        kind = self.output["kind"]
        if kind == "embedding":
            return self.linear(value)
        if kind == "softmax":
            own = value.ravel()[self.output["class"]]
            others = np.delete(value.ravel(), self.output["class"])
            return float(own - np.logaddexp.reduce(others))
        number = float(value.ravel()[self.output.get("class", 0)])
        return number if kind == "logit" else float(np.log(number) - np.log1p(-number))

    def linear(self, value):
        pool = self.output.get("pool", "none")
        embedding = {"none": lambda: value, "cls": lambda: value[0], "mean": lambda: value.mean(0)}[pool]()
        embedding = embedding / np.linalg.norm(embedding)
        return float(embedding @ np.array(self.head["weights"]) + self.head["bias"])

    def probability(self, logit):
        """The calibrated probability of a frame's or a clip's log-odds."""
        section = self.manifest["calibration"]
        kind = section["kind"]
        if kind == "platt":
            logit = section["a"] * logit + section["b"]
        elif kind == "temperature":
            logit = logit / section["temperature"]
        elif kind == "isotonic":
            return float(np.interp(logit, section["x"], section["y"]))
        elif kind != "none":
            raise ValueError(f"calibration {kind!r}")
        return float(1.0 / (1.0 + np.exp(-logit)))
