#!/usr/bin/env python3
"""The server's frames a second beside raw ONNX Runtime's; run it through scripts/bench/run.

Raw: the same graph, inputs in memory, the best of one session on all cores and a session a core, by Python's
onnxruntime and by `jaga bench engine`. Server: clients that wait for their answers, uploads of small clips, whose
decoding costs next to nothing, and of 720p ones. What the model ran is read from /metrics, so that frames
which are answered without it don't count. Processor time is that of the server and of its decoder children.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import clips
from process import tree_cpu_s
from server import serving

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def raw_points(arguments):
    """(words, inputs a second, seconds of processor time of an input or None)."""
    weights = os.environ["JAGA_MODELS__WEIGHTS_DIR"]
    command = [sys.executable, HERE / "raw.py", "--bundle", ROOT / "models" / arguments.model,
               "--weights-dir", weights, "--seconds", str(arguments.seconds)]
    for point in printed(command):
        words = f"onnxruntime in Python, {point['sessions']} × {point['threads']}"
        yield words, point["inputs_per_s"], point["cpu_s_per_input"]
    inputs = str(max(8, int(arguments.seconds * 8)))
    command = [arguments.jaga, "bench", "engine", "--model", arguments.model, "--batch", "1", "--inputs", inputs]
    for point in printed(command):
        if "inputs_per_s" in point and point["sessions"] * point["intra_threads"] == os.cpu_count():
            words = f"jaga bench engine, {point['sessions']} × {point['intra_threads']}"
            yield words, point["inputs_per_s"], None


def printed(command):
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def inputs_run(server):
    text = server.ask("GET", "/metrics")[1]
    return sum(float(n) for n in re.findall(r"^jaga_backbone_inputs_total\{.*\} (\S+)$", text, re.MULTILINE))


def served(server, bodies, arguments):
    """Frames a second of so many clients, and processor seconds of a frame: server, children."""
    path = f"/v1/score?frames={arguments.frames}&sampling=uniform"
    end, numbers = time.monotonic() + arguments.seconds, count()
    bodies = list(bodies)

    def client(_):
        while time.monotonic() < end:
            server.taken(path, bodies[next(numbers) % len(bodies)])

    begin, frames, spent = time.monotonic(), inputs_run(server), tree_cpu_s(server.process)
    with ThreadPoolExecutor(arguments.clients) as clients:
        list(clients.map(client, range(arguments.clients)))
    ran = inputs_run(server) - frames
    lasted = time.monotonic() - begin
    own, children = (now - then for now, then in zip(tree_cpu_s(server.process), spent))
    return ran / lasted, own / ran, children / ran


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaga", type=Path, required=True)
    parser.add_argument("--media", type=Path, default=clips.FOLDER)
    parser.add_argument("--model", default="genai-clip")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20, help="of each row")
    arguments = parser.parse_args()
    print(f"{arguments.model}, {arguments.clients} clients, {arguments.frames} frames, {os.cpu_count()} cores\n")
    print("| what | frames a second | of the best raw | processor time a frame: server | children |")
    print("| --- | --- | --- | --- | --- |")
    best = 0
    for words, rate, spent in raw_points(arguments):
        best = max(best, rate)
        cell = f"{1e3 * spent:.1f} ms" if spent else ""
        print(f"| {words} | {rate:.2f} | | {cell} | |", flush=True)
    with serving(arguments.jaga, arguments.model, ANALYSIS__DEADLINE_S="600") as server:
        for name, files in (("320 × 240, 2 s", clips.small), ("1280 × 720, 10 s", clips.twenty)):
            bodies = [file.read_bytes() for file in files(arguments.media)]
            rate, own, children = served(server, bodies, arguments)
            print(f"| server, {name} | {rate:.2f} | {rate / best:.1%} | {1e3 * own:.1f} ms "
                  f"| {1e3 * children:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
