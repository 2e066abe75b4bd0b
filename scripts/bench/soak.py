#!/usr/bin/env python3
"""A server under mixed traffic for a bounded time, watched from outside; run it through scripts/bench/run.

Good clips, odd and hostile files, broken connections, jobs, flags, cancelled jobs, wrong keys and what is no
HTTP at all. Writes a line of CSV every few seconds. At the end the idle server must hold no more descriptors,
threads, children and spool files than the idle server at the start, its memory must not have grown over the
second half, and every answer must have been one that its request can have: else exit code 1.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import astuple
from pathlib import Path

import clips
import vitals
from server import serving
from traffic import Traffic, keep_acting

ROOT = Path(__file__).resolve().parents[2]
# A file that a client would have to send for minutes is no part of this.
LARGEST = 32 << 20
WARM_UP_ACTS = 300
ROLES = [("client", []), ("flagger", ["--organisation", "soak"]), ("admin", [])]


def settle(server, since, goal=None, limit_s=90):
    """The vitals of the idle server: once they are those of `goal`, or don't change for 15 s."""
    end, last, unchanged = time.monotonic() + limit_s, None, 0
    while time.monotonic() < end:
        now = vitals.look(server.process, server.data, time.monotonic() - since)
        if goal and not vitals.left_behind(goal, now):
            return now
        shape = (now.descriptors, now.threads, now.children, now.spool_files)
        unchanged = unchanged + 1 if shape == last else 0
        if not goal and unchanged >= 15:
            return now
        last = shape
        time.sleep(1)
    return now


def load(server, traffic, seconds, arguments, record=lambda sample: None):
    """`arguments.clients` threads act for so long; the vitals meanwhile."""
    over, samples, begin = threading.Event(), [], time.monotonic()
    clients = [threading.Thread(target=keep_acting, args=(traffic, over, f"{arguments.seed}-{number}"))
               for number in range(arguments.clients)]
    for client in clients:
        client.start()
    try:
        while (at := time.monotonic() - begin) < seconds and server.alive():
            samples.append(vitals.look(server.process, server.data, at))
            record(samples[-1])
            time.sleep(min(arguments.every, seconds / 8))
    finally:
        over.set()
        for client in clients:
            client.join()
    return samples


def odd_files(arguments):
    """The hostile corpus, made where it is missing, and odd files that lie at hand."""
    corpus = arguments.media / "hostile"
    if not (corpus / "list.tsv").exists():
        make = ROOT / "tests" / "hostile" / "make.py"
        subprocess.run([sys.executable, "-B", make, corpus], check=True)
    folders = [corpus, *(folder for folder in arguments.odd if folder.is_dir())]
    files = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    return [path for path in files if path.suffix != ".tsv" and path.stat().st_size <= LARGEST]


def soak(arguments):
    settings = {"SERVER__AUTH": "required", "LIMITS__KEY_REQUESTS_PER_MINUTE": "0",
                "LIMITS__ADDRESS_REQUESTS_PER_MINUTE": "0"}
    odd = odd_files(arguments)
    with serving(arguments.jaga, arguments.model, ROLES, **settings) as server:
        traffic = Traffic(server, clips.various(arguments.media), odd, f"frames={arguments.frames}")
        begin = time.monotonic()
        # What is opened once and kept, such as connections to the store, isn't counted as left behind.
        while sum(traffic.counts.values()) < WARM_UP_ACTS and server.alive():
            load(server, traffic, min(30, 20 * arguments.minutes), arguments)
        before, held = settle(server, begin), vitals.inventory(server.process)
        with arguments.csv.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(vitals.COLUMNS)

            def record(sample):
                rows.writerow(astuple(sample))
                file.flush()

            samples = load(server, traffic, 60 * arguments.minutes, arguments, record)
        if not server.alive():
            return [f"the server ended: {server.log_tail()}"]
        after = settle(server, begin, before)
        more = vitals.inventory(server.process) - held
        summarise(traffic, before, samples, after)
        found = vitals.faults(before, samples, after)
        if vitals.left_behind(before, after):
            found += [f"{times} more: {what}" for what, times in more.items()]
        return found + traffic.wrong[:20]


def summarise(traffic, before, samples, after):
    grew, usual = vitals.growth(samples)
    print("\n| | idle before | under load, median | most | idle after |")
    print("| --- | --- | --- | --- | --- |")
    for name in vitals.COLUMNS[1:]:
        values = [getattr(sample, name) for sample in samples]
        cells = [getattr(before, name), statistics.median(values), max(values), getattr(after, name)]
        print(f"| {name} | " + " | ".join(f"{cell:.10g}" for cell in cells) + " |")
    print(f"\nOver the second half memory grew by {grew:.1f} MiB, of {usual:.0f} MiB (slope of Theil and Sen).\n")
    print("| act | ended | times |")
    print("| --- | --- | --- |")
    for (act, status), times in sorted(traffic.counts.items(), key=str):
        print(f"| {act} | {status} | {times} |")
    print(f"\n{sum(traffic.counts.values())} acts, {len(traffic.wrong)} with an answer that can't be.", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaga", type=Path, required=True)
    parser.add_argument("--model", default="genai-clip-int8")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--every", type=float, default=5, help="seconds between two samples")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--seed", default="soak")
    parser.add_argument("--csv", type=Path, default=Path("soak.csv"))
    parser.add_argument("--media", type=Path, default=clips.FOLDER, help="where clips are made")
    parser.add_argument("--odd", type=Path, nargs="*", default=[ROOT.parent / "shared" / "media" / "odd"],
                        help="folders with more files to send")
    arguments = parser.parse_args()
    print(f"Soak of {arguments.minutes:g} minutes, {arguments.clients} clients, {arguments.model}, "
          f"{os.cpu_count()} cores", flush=True)
    found = soak(arguments)
    for fault in found:
        print(f"FAULT: {fault}")
    print("Sound." if not found else f"{len(found)} faults.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
