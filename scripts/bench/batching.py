#!/usr/bin/env python3
"""Throughput at batches of 1, 8 and 32 through jaga's batcher, and what waiting for them costs; run it through
scripts/bench/run.

The networks of network.py, first with inputs in memory (`jaga bench engine`), then behind a server with clients
that wait for their answers. Prints Markdown tables.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import clips
import network
from server import serving

BATCHES = [1, 8, 32]


def engine(arguments, name, folder):
    """Inputs in memory. Prints a table; sessions and threads of the fastest point."""
    print(f"\n### {name}, inputs in memory\n")
    print("| sessions × threads | batch at most | inputs a second | mean batch | median of one | p95 |")
    print("| --- | --- | --- | --- | --- | --- |")
    command = [arguments.jaga, "bench", "engine", "--model", name, "--inputs", str(arguments.inputs),
               "--batch", ",".join(map(str, BATCHES))]
    environment = os.environ | {"JAGA_MODELS__DIRS": folder}
    lines = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    points = [json.loads(line) for line in lines.splitlines()]
    points = [p for p in points if p.get("sessions", 0) * p.get("intra_threads", 0) == os.cpu_count()]
    for point in points:
        print(f"| {point['sessions']} × {point['intra_threads']} | {point['max_batch']} "
              f"| {point['inputs_per_s']:.1f} | {point['mean_batch']:.1f} | {point['median_ms']:.0f} ms "
              f"| {point['p95_ms']:.0f} ms |", flush=True)
    best = max(points, key=lambda point: point["inputs_per_s"])
    return best["sessions"], best["intra_threads"]


def totals(server):
    """Runs and inputs of the one backbone so far."""
    text = server.ask("GET", "/metrics")[1]
    return [float(re.search(rf"^jaga_backbone_{what}_total\{{.*\}} (\S+)$", text, re.MULTILINE)[1])
            for what in ("runs", "inputs")]


def behind_a_server(arguments, name, folder, sessions, threads):
    """A frame's wait is the mean over the frames of one upload."""
    print(f"\n### {name} behind a server, {sessions} × {threads}\n")
    print("| clients | batch at most | delay | frames a second | mean batch | a frame waits, median | p99 "
          "| an upload takes, median | p99 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    bodies = [clip.read_bytes() for clip in clips.small(arguments.media)]
    # As many analyses at a time as fill the largest batch of each session twice.
    places = max(2, 2 * sessions * max(BATCHES) // arguments.frames)
    for batch, delay in [(1, 0), *((batch, delay) for batch in BATCHES[1:] for delay in (0, arguments.delay))]:
        settings = {"MODELS__DIRS": folder, "MODELS__MAX_BATCH": batch, "MODELS__MAX_DELAY_MS": delay,
                    "MODELS__SESSIONS": sessions, "MODELS__INTRA_THREADS": threads,
                    "ANALYSIS__CONCURRENCY": places}
        with serving(arguments.jaga, name, **settings) as server:
            for clients in arguments.clients:
                cells = served(server, bodies, clients, arguments)
                print(f"| {clients} | {batch} | {delay} ms | {cells} |", flush=True)


def served(server, bodies, clients, arguments):
    path = f"/v1/score?frames={arguments.frames}&sampling=uniform"
    server.taken(path, bodies[0])
    before, numbers, begin = totals(server), count(), time.monotonic()
    seen = []

    def client(_):
        while (sent := time.monotonic()) < begin + arguments.seconds:
            report = server.taken(path, bodies[next(numbers) % len(bodies)])
            frames = report["models"][0]["coverage"]["scored"]
            seen.append((report["timings_ms"]["queue"] / max(frames, 1), 1e3 * (time.monotonic() - sent)))

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(client, range(clients)))
    runs, inputs = (now - then for now, then in zip(totals(server), before))
    rate = inputs / (time.monotonic() - begin)
    waits, whole = zip(*seen)
    cells = [f"{at(part, values):.0f} ms" for values in (waits, whole) for part in (50, 99)]
    return " | ".join([f"{rate:.1f}", f"{inputs / runs:.1f}", *cells])


def at(part, values):
    return statistics.quantiles(values, n=100, method="inclusive")[part - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaga", type=Path, required=True)
    parser.add_argument("--media", type=Path, default=clips.FOLDER)
    parser.add_argument("--networks", nargs="+", default=list(network.NETWORKS), choices=list(network.NETWORKS))
    parser.add_argument("--inputs", type=int, default=256, help="in memory, of each point")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--delay", type=int, default=50, help="milliseconds, besides none")
    parser.add_argument("--seconds", type=float, default=8, help="of each row behind a server")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=arguments.media) as folder:
        for name in arguments.networks:
            network.write(Path(folder), name)
            sessions, threads = engine(arguments, name, folder)
            behind_a_server(arguments, name, folder, sessions, threads)


if __name__ == "__main__":
    main()
