#!/usr/bin/env python3
"""What the float32 default model costs in other forms, and how far their answers are off.

Two Markdown tables: one of what computes a frame (inputs in memory, `jaga bench engine`; answers on
frames of the labelled clips), one of how many frames are computed (whole clips, `jaga score`). Each
variant is measured between two runs of the default; the ratio is to their mean. Needs nothing but
Python and a built jaga, and the libraries that `scripts/jaga --runtime cpu` and `--runtime openvino`
set up. Leave the machine alone meanwhile.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = "genai-clip"
# Which the golden self-test would refuse: here it may differ.
BFLOAT16 = json.dumps({"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}})
OPENVINO = {"providers": ["openvino"]}

# Name; model; [runtime] of jaga.toml; sessions and threads of each.
ENGINES = [
    ("one session of two threads", MODEL, {}, (1, 2)),
    ("one session of one thread", MODEL, {}, (1, 1)),
    ("arena", MODEL, {"arena": True}, (2, 1)),
    ("arena, shrinking", MODEL, {"arena": True, "shrink": True}, (2, 1)),
    ("no memory pattern", MODEL, {"memory_pattern": False}, (2, 1)),
    ("optimization off", MODEL, {"optimization": "off"}, (2, 1)),
    ("optimization basic", MODEL, {"optimization": "basic"}, (2, 1)),
    ("optimization extended", MODEL, {"optimization": "extended"}, (2, 1)),
    ("OpenVINO, float32", MODEL, OPENVINO, (2, 1)),
    ("OpenVINO, float32, one of two threads", MODEL, OPENVINO, (1, 2)),
    ("OpenVINO, bfloat16", MODEL,
     OPENVINO | {"options": {"openvino": {"load_config": BFLOAT16, "precision": "ACCURACY"}}}, (2, 1)),
    ("genai-clip-int8", "genai-clip-int8", {}, (2, 1)),
]

# Name; [analysis] of jaga.toml; more arguments.
FRAMES = [
    ("same_within = 2", {"same_within": 2.0}, []),
    ("same_within = 4", {"same_within": 4.0}, []),
    ("adaptive", {}, ["--adaptive"]),
]


def toml(table, prefix=""):
    """A table of plain values and tables as TOML."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
    text = f"[{prefix}]\n" if prefix and plain else ""
    text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items())
    for key, value in table.items():
        if isinstance(value, dict):
            text += toml(value, f"{prefix}.{key}" if prefix else key)
    return text


class Bench:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, Path(folder)
        models = self.folder / "models"
        shutil.copytree(ROOT / "models", models, ignore=shutil.ignore_patterns("training"))
        for manifest in models.glob("*/model.toml"):
            text = manifest.read_text()
            if "[golden]" in text and "\non = " not in text:
                manifest.write_text(text + "on = { openvino = 100.0 }\n")

    def run(self, settings, command):
        """What jaga prints with these settings, and how many seconds that took."""
        openvino = settings.get("runtime", {}).get("providers") == ["openvino"]
        library = self.arguments.openvino if openvino else self.arguments.library
        general = {"models": {"dirs": [str(self.folder / "models")]},
                   "data": {"dir": str(self.folder / "data")}}
        config = self.folder / "jaga.toml"
        config.write_text(toml(general | settings))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JAGA_")}
        environment |= {"JAGA_RUNTIME__LIBRARY": str(library),
                        "JAGA_MODELS__WEIGHTS_DIR": str(self.arguments.weights)}
        begin = time.monotonic()
        done = subprocess.run([self.arguments.jaga, "--config", config, *command], env=environment,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{settings} {command}: {done.stderr.strip()[-400:]}")
        return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - begin

    def engine(self, model, runtime, grid):
        sessions, threads = grid
        command = ["bench", "engine", "--model", model, "--sessions", sessions, "--threads", threads,
                   "--batch", 1, "--arena", json.dumps(runtime.get("arena", False)),
                   "--inputs", self.arguments.inputs]
        (measured, _), _ = self.run({"runtime": runtime}, [str(part) for part in command])
        return measured

    def frames(self, model, settings, count, more=()):
        """By file the model's part of the report, and the seconds."""
        command = ["score", "--format", "jsonl", "--frame-scores", "--frames", count, "--model", model,
                   *more, *self.arguments.clips]
        items, seconds = self.run(settings, [str(part) for part in command])
        return {item["file"]: item["report"]["models"][0] for item in items}, seconds


def differences(one, other):
    """Largest and mean difference of the frames' probabilities, and how many there are."""
    def scores(models):
        return {(file, frame["time_s"]): frame["score"]
                for file, model in models.items() for frame in model["frames"]}
    left, right = scores(one), scores(other)
    both = [(left[key], right[key]) for key in left.keys() & right.keys()]
    found = [abs(a - b) for a, b in both if a is not None and b is not None]
    return max(found), sum(found) / len(found), len(found)


def compare_engines(bench):
    print("\n| form | sessions × threads | frames a second | ratio | "
          "peak memory | start | largest (mean) difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    usual, _ = bench.frames(MODEL, {}, bench.arguments.frames)
    before = bench.engine(MODEL, {}, (2, 1))
    print(f"| **default** | 2 × 1 | {before['inputs_per_s']:.2f} | 1 | {before['peak_mib']} MiB | "
          f"{before['load_ms']:.0f} ms | |", flush=True)
    for name, model, runtime, grid in ENGINES:
        if bench.arguments.only and bench.arguments.only not in name:
            continue
        own = bench.engine(model, runtime, grid)
        after = bench.engine(MODEL, {}, (2, 1))
        rate = (before["inputs_per_s"] + after["inputs_per_s"]) / 2
        before = after
        models, _ = bench.frames(model, {"runtime": runtime,
                                         "models": {"dirs": [str(bench.folder / "models")],
                                                    "sessions": grid[0], "intra_threads": grid[1]}},
                                 bench.arguments.frames)
        most, mean, count = differences(usual, models)
        print(f"| {name} | {grid[0]} × {grid[1]} | {own['inputs_per_s']:.2f} | "
              f"{own['inputs_per_s'] / rate:.2f} | {own['peak_mib']} MiB | {own['load_ms']:.0f} ms | "
              f"{most:.2g} ({mean:.2g}) |", flush=True)
    print(f"\n{count} frames of {len(bench.arguments.clips)} clips.", flush=True)


def compare_frames(bench):
    print("\n| frames | computed | seconds | ratio | largest (mean) difference of a frame | of a video | "
          "same verdict |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    usual, seconds = bench.frames(MODEL, {}, 16)

    def computed(models):
        return sum(m["coverage"]["scored"] - m.get("repeated", 0) for m in models.values())

    print(f"| **all that differ** | {computed(usual)} | {seconds:.1f} | 1 | | | |", flush=True)
    for name, analysis, more in FRAMES:
        models, own = bench.frames(MODEL, {"analysis": analysis}, 16, more)
        most, mean, _ = differences(usual, models)
        videos = [abs(usual[f]["score"] - models[f]["score"]) for f in usual
                  if usual[f]["score"] is not None and models[f]["score"] is not None]
        same = sum(usual[f]["verdict"] == models[f]["verdict"] for f in usual)
        print(f"| {name} | {computed(models)} | {own:.1f} | {seconds / own:.2f} | {most:.2g} ({mean:.2g}) | "
              f"{max(videos):.2g} | {same} of {len(usual)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", nargs="*", default=["engines", "frames"], help="engines, frames")
    parser.add_argument("--jaga", type=Path, default=ROOT / "target" / "release" / "jaga")
    home = ROOT / ".jaga"
    parser.add_argument("--library", type=Path, default=home / "runtime/cpu/libonnxruntime.so.1.31.1")
    parser.add_argument("--openvino", type=Path,
                        default=home / "runtime/openvino/libonnxruntime.so.1.24.1")
    parser.add_argument("--weights", type=Path, default=home / "weights")
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media",
                        help="a folder with clips and manifest.tsv (path, label)")
    parser.add_argument("--inputs", type=int, default=32, help="for each measurement of an engine")
    parser.add_argument("--frames", type=int, default=4, help="of each clip, to compare answers")
    parser.add_argument("--clips", type=int, default=0, help="so many of the clips; 0: all")
    parser.add_argument("--only", default="", help="only forms with this in their name")
    arguments = parser.parse_args()
    with open(arguments.media / "manifest.tsv", encoding="utf-8") as rows:
        clips = [arguments.media / row["path"] for row in csv.DictReader(rows, delimiter="\t")
                 if row["label"]]
    arguments.clips = clips[: arguments.clips or None]
    with tempfile.TemporaryDirectory(prefix="jaga-variants-") as folder:
        bench = Bench(arguments, folder)
        if "engines" in arguments.what:
            compare_engines(bench)
        if "frames" in arguments.what:
            compare_frames(bench)


if __name__ == "__main__":
    sys.exit(main())
