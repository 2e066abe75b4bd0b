"""What both Python servers of the comparison do with an upload: decode, resize, run, average."""

import sys
from pathlib import Path

import onnxruntime
from sampling import DECODERS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reference"))
import preprocess  # noqa: E402
from bundle import Bundle  # noqa: E402


class Scorer:
    """A bundle behind one session. Any number of threads may call `score`."""

    def __init__(self, arguments, threads=0):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.model = Bundle(arguments.bundle, arguments.weights_dir, options)
        self.frames, self.sampling = arguments.frames, arguments.sampling
        if self.model.max_batch > 1:
            self.model.manifest["runtime"]["max_batch"] = arguments.frames  # all of a clip in one run

    def score(self, path):
        section = self.model.manifest["input"]
        images = DECODERS["av"](path, self.frames, self.sampling)
        logits = self.model.logits([preprocess.tensor(image, section) for image in images])
        return {"score": self.model.probability(sum(logits) / len(logits)), "frames": len(logits)}


def add_arguments(parser):
    parser.add_argument("--bundle", type=Path, default=ROOT / "models" / "genai-clip")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--sampling", choices=["uniform", "keyframe"], default="keyframe")
    parser.add_argument("--port", type=int, required=True)
