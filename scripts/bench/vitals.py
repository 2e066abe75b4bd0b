"""What a server takes of its machine, read from outside, and whether that grew."""

import contextlib
import os
import re
import statistics
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

# Memory may end the second half of a run so much larger than it began it: the allocator's noise.
TOLERATED_GROWTH = 0.05
TOLERATED_MIB = 16.0


@dataclass(frozen=True)
class Vitals:
    """One look at a server. Sizes of memory are resident sets, the children's added up."""

    at_s: float
    rss_mib: float
    descriptors: int
    threads: int
    children: int
    children_rss_mib: float
    spool_files: int
    spool_bytes: int


COLUMNS = [field.name for field in fields(Vitals)]


def look(process, data, at_s):
    """The vitals of the server with the id `process` over the data directory `data`."""
    status = fields_of(process)
    children = [fields_of(child) for child in children_of(process)]
    folders = [Path(data, name) for name in ("spool", "jobs", "batches")]
    spool = [size for folder in folders for size in sizes(folder)]
    spool += nameless(process, str(data))
    return Vitals(
        at_s=round(at_s, 1),
        rss_mib=round(mib(status), 1),
        descriptors=len(os.listdir(f"/proc/{process}/fd")),
        threads=int(status["Threads"]),
        # One that ended and wasn't waited for counts as well.
        children=len(children),
        children_rss_mib=round(sum(map(mib, children)), 1),
        spool_files=len(spool),
        spool_bytes=sum(spool),
    )


def mib(status):
    return int(status.get("VmRSS", "0 kB").split()[0]) / 1024


def fields_of(process):
    """The lines of /proc/…/status; none of a process that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def children_of(process):
    """Ids of a process' own children, whichever of its threads began them."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            found += (task / "children").read_text(encoding="ascii").split()
        except OSError:
            continue
    return found


def sizes(folder):
    """Of the files below a folder that may change meanwhile."""
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.stat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                continue


def nameless(process, data):
    """Sizes of files below `data` that a process has open and that have no name any more."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = os.readlink(link)
            if target.startswith(data) and target.endswith("(deleted)"):
                yield os.stat(link).st_size
        except OSError:
            continue


def inventory(process):
    """Threads by name and descriptors by what they are, counted: tells what it is that there is more of."""
    found = Counter()
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            found["thread " + (task / "comm").read_text(encoding="utf-8").strip()] += 1
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            found["descriptor of " + re.sub(r"\d+", "N", os.readlink(link))] += 1
    for child in children_of(process):
        status = fields_of(child)
        found[f"child {status.get('Name')}, {status.get('State')}"] += 1
    return found


def growth(samples):
    """MiB that memory grew by over the second half of the samples, and its median there.

    The slope is Theil and Sen's, the median over all pairs, which single peaks don't move.
    """
    half = samples[len(samples) // 2:]
    slopes = [(b.rss_mib - a.rss_mib) / (b.at_s - a.at_s)
              for i, a in enumerate(half) for b in half[i + 1:] if b.at_s > a.at_s]
    if not slopes:
        raise ValueError("growth needs four samples or more")
    lasted = half[-1].at_s - half[0].at_s
    return statistics.median(slopes) * lasted, statistics.median(s.rss_mib for s in half)


def left_behind(before, after):
    """What an idle server holds that it didn't hold when it was idle before: words for each."""
    found = [f"{getattr(after, name)} {name} at the end, {getattr(before, name)} at the start"
             for name in ("descriptors", "threads", "children")
             if getattr(after, name) > getattr(before, name)]
    if after.spool_files:
        found.append(f"{after.spool_files} files of {after.spool_bytes} bytes left in the spool")
    return found


def faults(before, samples, after):
    """What a run did to a server: words for each fault, none for a sound one.

    `before` and `after` are looks at the idle server, `samples` those under load.
    """
    grew, usual = growth(samples)
    found = left_behind(before, after)
    if grew > max(TOLERATED_GROWTH * usual, TOLERATED_MIB):
        found.append(f"memory grew by {grew:.1f} MiB over the second half (median {usual:.0f} MiB)")
    return found
