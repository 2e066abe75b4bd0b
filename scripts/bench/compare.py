#!/usr/bin/env python3
"""jaga beside Python on the same files; run it through scripts/bench/run. Prints Markdown tables."""

import argparse
import json
import platform
import sys
from pathlib import Path

import clips
from adaptive import compare_adaptive, labelled
from evaluation import compare_eval, mixed_manifest
from jobs import compare_jobs
from process import measure
from sharing import compare_sharing

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WAYS = ["av", "decord", "cv2"]


def decode_ms(command):
    return json.loads(measure(command).output)["median_ms"]


def compare_decoding(jaga, clip, repeat):
    print(f"\n## Decode and resize 16 frames of {clip.name}\n")
    print("| sampling | jaga | PyAV | decord | OpenCV | fastest Python / jaga |")
    print("| --- | --- | --- | --- | --- | --- |")
    for sampling in ("keyframe", "uniform"):
        common = ["--frames", "16", "--sampling", sampling, "--repeat", str(repeat)]
        own = decode_ms([jaga, "bench", "decode", clip, *common])
        python = [
            decode_ms([sys.executable, HERE / "decode.py", clip, "--decoder", way, *common])
            for way in WAYS
        ]
        cells = " | ".join(f"{ms:.1f} ms" for ms in [own, *python])
        print(f"| {sampling} | {cells} | {min(python) / own:.2f} |", flush=True)


def compare_scoring(jaga, files, model, sampling):
    print(f"\n## Score {len(files)} clips with {model}, {sampling} sampling\n")
    print("| program | seconds | videos a second | peak memory |")
    print("| --- | --- | --- | --- |")
    script = [sys.executable, HERE / "score_clips.py", "--bundle", ROOT / "models" / model]
    commands = {
        "Python (PyAV)": [*script, "--sampling", sampling, *files],
        "jaga": [jaga, "score", "--format", "jsonl", "--model", model, "--sampling", sampling, *files],
    }
    runs = {name: measure(command) for name, command in commands.items()}
    for name, run in runs.items():
        rate = len(files) / run.seconds
        print(f"| {name} | {run.seconds:.1f} | {rate:.2f} | {run.peak_mib:.0f} MiB |")
    python, own = runs["Python (PyAV)"], runs["jaga"]
    print(f"\njaga / Python: {python.seconds / own.seconds:.2f} × the videos a second, "
          f"{own.peak_mib / python.peak_mib:.2f} × the peak memory", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["decode", "score", "sharing"],
                        help="decode, score, sharing, adaptive, jobs, eval")
    parser.add_argument("--jaga", type=Path, required=True)
    parser.add_argument("--media", type=Path, default=ROOT / ".jaga" / "bench")
    parser.add_argument("--clips", type=Path, nargs="+", help="score these instead of generated clips")
    parser.add_argument("--labelled", type=Path, default=ROOT.parent / "shared" / "media",
                        help="for adaptive and jobs: a folder with clips and manifest.tsv (path, label)")
    parser.add_argument("--model", default="genai-clip")
    parser.add_argument("--sampling", choices=["uniform", "keyframe"], default="uniform")
    parser.add_argument("--frames", type=int, default=16, help="for eval: frames a clip")
    parser.add_argument("--weights-dir", type=Path, default=ROOT / ".jaga" / "weights")
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {platform.system()} {platform.release()}")
    if "decode" in arguments.what:
        compare_decoding(arguments.jaga, clips.one_long(arguments.media), arguments.repeat)
    if "score" in arguments.what:
        files = arguments.clips or clips.twenty(arguments.media)
        compare_scoring(arguments.jaga, files, arguments.model, arguments.sampling)
    if "adaptive" in arguments.what:
        compare_adaptive(arguments.jaga, arguments.labelled, arguments.model)
    if "jobs" in arguments.what:
        files = arguments.clips or labelled(arguments.labelled)
        picture = clips.picture(arguments.media)
        compare_jobs(arguments.jaga, arguments.model, files, picture, arguments.repeat, 10_000)
    if "eval" in arguments.what:
        manifest = mixed_manifest(arguments.media)
        compare_eval(arguments.jaga, manifest, arguments.model, arguments.frames, arguments.weights_dir)
    if "sharing" in arguments.what:
        clip = clips.one_long(arguments.media)
        compare_sharing(arguments.jaga, clip, ROOT / ".jaga" / "weights", arguments.repeat)


if __name__ == "__main__":
    main()
