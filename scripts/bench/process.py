"""Run a command and measure its time and the peak memory of it and all its children together."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Run:
    """`peak_mib` is the largest sum of proportional set sizes seen, sampled every 20 ms."""

    seconds: float
    peak_mib: float
    output: str


def measure(command):
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, done = [0], threading.Event()

    def watch():
        while not done.wait(0.02):
            peak[0] = max(peak[0], tree_kib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - begin
    done.set()
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(map(str, command))}")
    return Run(seconds, peak[0] / 1024, output)


def tree(root):
    """Ids of a process and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry))
    pending = [root]
    while pending:
        process = pending.pop()
        pending.extend(children.get(process, []))
        yield process


def tree_kib(root):
    """Proportional set size of a process and its descendants, in KiB."""
    total = 0
    for process in tree(root):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def cpu_s(process):
    """Processor time of a process so far, and of its children that ended and were waited for."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(map(int, stat[11:13])) / ticks, sum(map(int, stat[13:15])) / ticks


def tree_cpu_s(root):
    """Processor time so far: of a process, and of all its descendants, ended and running ones."""
    own, children = cpu_s(root)
    for process in tree(root):
        if process != root:
            try:
                children += sum(cpu_s(process))
            except OSError:
                continue
    return own, children
