#!/usr/bin/env python3
"""Score clips with a bundle as a plain Python script would: decode, resize, run, a JSON line a clip."""

import argparse
import json
import sys
from pathlib import Path

from sampling import DECODERS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reference"))
import preprocess  # noqa: E402
from bundle import Bundle  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="+")
    parser.add_argument("--bundle", type=Path, default=ROOT / "models" / "genai-clip")
    parser.add_argument("--weights-dir", type=Path, default=ROOT / ".jaga" / "weights")
    parser.add_argument("--decoder", choices=sorted(DECODERS), default="av")
    parser.add_argument("--sampling", choices=["uniform", "keyframe"], default="uniform")
    parser.add_argument("--frames", type=int, default=16)
    arguments = parser.parse_args()
    model = Bundle(arguments.bundle, arguments.weights_dir)
    if model.max_batch > 1:
        model.manifest["runtime"]["max_batch"] = arguments.frames  # all of a clip in one run
    for path in arguments.file:
        images = DECODERS[arguments.decoder](path, arguments.frames, arguments.sampling)
        section = model.manifest["input"]
        logits = model.logits([preprocess.tensor(image, section) for image in images])
        score = model.probability(sum(logits) / len(logits))
        print(json.dumps({"path": path, "score": score, "frames": len(logits)}), flush=True)


if __name__ == "__main__":
    main()
