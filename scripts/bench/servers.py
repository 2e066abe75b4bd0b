#!/usr/bin/env python3
"""jaga beside FastAPI and LitServe with the same model and sampling; run it through scripts/bench/run.

Each server runs alone; 1, 4, 16 and 64 clients post one clip as a form. Peak memory is the largest sum of
proportional set sizes over a server and all its children, sampled every 50 ms; processor time is that of the
same processes. Prints a Markdown table.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import clips
import load
from process import tree_cpu_s, tree_kib
from server import serving

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RIVALS = {"FastAPI": "rival_fastapi.py", "LitServe": "rival_litserve.py"}


@contextlib.contextmanager
def rival(script, arguments):
    """A Python server; its process and URL."""
    port = 18080
    command = [sys.executable, HERE / script, "--port", str(port), "--frames", str(arguments.frames),
               "--sampling", arguments.sampling, "--bundle", ROOT / "models" / arguments.model,
               "--weights-dir", os.environ["JAGA_MODELS__WEIGHTS_DIR"]]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        until_healthy(child, f"{url}/healthz")
        yield child.pid, f"{url}/v1/score"
    finally:
        # With its workers, which may outlive it.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def until_healthy(child, url):
    while child.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise SystemExit(f"{url} ended with {child.returncode}")


@contextlib.contextmanager
def own(arguments):
    """jaga as it comes, but for the deadline: all 64 clients are to be waited for."""
    with serving(arguments.jaga, arguments.model, ANALYSIS__DEADLINE_S="600", **arguments.settings) as server:
        query = f"frames={arguments.frames}&sampling={arguments.sampling}"
        yield server.process, f"http://127.0.0.1:{server.port}/v1/score?{query}"


class Peak:
    """The largest memory of a process tree while this is entered."""

    def __init__(self, process):
        self.process, self.kib, self.over = process, 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def watch(self):
        while not self.over.wait(0.05):
            self.kib = max(self.kib, tree_kib(self.process))


def rows(name, server, arguments):
    """A line of the table for each number of clients."""
    process, url = server
    load.send(url, arguments.clip, 2, 4)
    for clients in arguments.clients:
        requests = min(max(arguments.least, clients * arguments.each), max(arguments.most, clients))
        spent = sum(tree_cpu_s(process))
        with Peak(process) as peak:
            seen = load.send(url, arguments.clip, clients, requests)
        spent = (sum(tree_cpu_s(process)) - spent) / requests
        print(f"| {clients} | {name} | {seen.per_second:.2f} | {seen.p50_ms:.0f} ms | {seen.p99_ms:.0f} ms "
              f"| {seen.refused + seen.broken} of {requests} | {spent:.2f} s | {peak.kib / 1024:.0f} MiB |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaga", type=Path, required=True)
    parser.add_argument("--media", type=Path, default=clips.FOLDER)
    parser.add_argument("--model", default="genai-clip-int8")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--sampling", choices=["uniform", "keyframe"], default="uniform")
    parser.add_argument("--long", action="store_true", help="30 s of 1080p in place of 10 s of 720p")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--each", type=int, default=2, help="requests of each client")
    parser.add_argument("--least", type=int, default=8, help="requests of one row at least")
    parser.add_argument("--most", type=int, default=80, help="requests of one row at most")
    parser.add_argument("--only", choices=["jaga", *RIVALS], nargs="+", default=["jaga", *RIVALS])
    parser.add_argument("--settings", nargs="*", default=[], metavar="KEY=VALUE",
                        help="of jaga, such as MODELS__SESSIONS=1")
    arguments = parser.parse_args()
    arguments.clip = clips.one_long(arguments.media) if arguments.long else clips.twenty(arguments.media)[0]
    arguments.settings = dict(pair.split("=", 1) for pair in arguments.settings)
    print(f"{arguments.clip.name}, {arguments.model}, {arguments.frames} frames, {arguments.sampling}, "
          f"{os.cpu_count()} cores\n")
    print("| clients | server | videos a second | p50 | p99 | errors | processor time of a video | peak memory |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.only:
        with own(arguments) if name == "jaga" else rival(RIVALS[name], arguments) as server:
            rows(name, server, arguments)


if __name__ == "__main__":
    main()
