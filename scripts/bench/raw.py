#!/usr/bin/env python3
"""ONNX Runtime alone, without any server: inputs a second of a bundle's graph, inputs in memory.

A thread for each session, all sessions in one process. Prints a line of JSON a point of the grid.
"""

import argparse
import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime
import rival

WARM_UP = 2


def session_of(bundle, weights_dir, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return rival.Bundle(bundle, weights_dir, options)


def measure(arguments, sessions, threads, batch):
    """Inputs a second, and seconds of processor time of one."""
    models = [session_of(arguments.bundle, arguments.weights_dir, threads) for _ in range(sessions)]
    section = models[0].manifest["input"]
    shape = (batch, 3, *reversed(section["crop"]["size"]))
    inputs = {section["name"]: np.random.default_rng(1).normal(size=shape).astype(section["dtype"])}
    for model in models:
        for _ in range(WARM_UP):
            model.session.run(None, inputs)
    ended, begin, spent = [0] * sessions, time.monotonic(), time.process_time()
    end = begin + arguments.seconds

    def run(number):
        while time.monotonic() < end:
            models[number].session.run(None, inputs)
            ended[number] += batch

    workers = [threading.Thread(target=run, args=(number,)) for number in range(sessions)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lasted, spent = time.monotonic() - begin, time.process_time() - spent
    return {"sessions": sessions, "threads": threads, "batch": batch,
            "inputs_per_s": sum(ended) / lasted, "cpu_s_per_input": spent / sum(ended)}


def main():
    cores = os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10, help="of each point")
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    for sessions, threads in dict.fromkeys([(1, cores), (cores, 1)]):
        for batch in arguments.batch:
            print(json.dumps(measure(arguments, sessions, threads, batch)), flush=True)


if __name__ == "__main__":
    main()
