#!/usr/bin/env python3
"""Time decoding and resizing of sampled frames in Python; prints {"median_ms": …, "frames": …}."""

import argparse
import json
import statistics
import sys
import time
import tomllib
from pathlib import Path

from sampling import DECODERS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reference"))
import preprocess  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--decoder", choices=sorted(DECODERS), default="av")
    parser.add_argument("--sampling", choices=["uniform", "keyframe"], default="uniform")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    section = tomllib.loads((ROOT / "models/genai-clip/model.toml").read_text())["input"]

    def once():
        images = DECODERS[arguments.decoder](arguments.file, arguments.frames, arguments.sampling)
        return [preprocess.cropped(preprocess.resized(image, section["resize"]), section["crop"])
                for image in images]

    once()  # imports and caches
    times = []
    for _ in range(arguments.repeat):
        begin = time.perf_counter()
        images = once()
        times.append((time.perf_counter() - begin) * 1e3)
    print(json.dumps({"median_ms": round(statistics.median(times), 2), "frames": len(images)}))


if __name__ == "__main__":
    main()
