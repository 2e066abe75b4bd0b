#!/usr/bin/env python3
"""How cost grows with a video's length, its frames' size and the number of models; run it through
scripts/bench/run.

16 frames of each upload, one upload at a time, by the int8 model. Memory is the resident set, sampled every 50 ms:
the server's before, at its peak and after, and its children's at their peak. Prints Markdown tables.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

import clips
import vitals
from server import serving

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = [("10 s", 10), ("1 min", 60), ("10 min", 600), ("1 h", 3600), ("3 h", 10800)]
SIZES = ["398x224", "1280x720", "1920x1080", "3840x2160"]
HEAD = ("| {} | sampling | time | server before | peak | after | children, peak |\n"
        "| --- | --- | --- | --- | --- | --- | --- |")


class Watch:
    """Memory of a server while this is entered."""

    def __init__(self, server):
        self.server, self.samples, self.over = server, [], threading.Event()

    def __enter__(self):
        self.look()
        self.thread = threading.Thread(target=self.follow)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.look()

    def follow(self):
        while not self.over.wait(0.05):
            self.look()

    def look(self):
        self.samples.append(vitals.look(self.server.process, self.server.data, time.monotonic()))

    def cells(self):
        own = [sample.rss_mib for sample in self.samples]
        children = max(sample.children_rss_mib for sample in self.samples)
        return f"{own[0]:.0f} MiB | {max(own):.0f} MiB | {own[-1]:.0f} MiB | {children:.0f} MiB"


def row(server, name, file, query, arguments):
    """A line of the table: the median of some uploads of one file."""
    for sampling in ("keyframe", "uniform"):
        path, body = f"/v1/score?frames=16&sampling={sampling}{query}", file.read_bytes()
        lasted = []
        with Watch(server) as watch:
            for _ in range(arguments.repeat):
                begin = time.monotonic()
                server.taken(path, body)
                lasted.append(time.monotonic() - begin)
        print(f"| {name} | {sampling} | {statistics.median(lasted):.2f} s | {watch.cells()} |", flush=True)


def lengths(arguments):
    """A real encode, repeated without being decoded: as long as is wanted, and cheap to make.

    It lasts 64 s, so that 16 places in a longer video fall on different frames of it: the same frame again would
    be answered without the model.
    """
    print("\n## A longer video, 320 × 240\n\n" + HEAD.format("length"))
    source = clips.make(arguments.media / "64s-240p.mp4", 64, "320x240", 6, "300k")
    with serving(arguments.jaga, arguments.model, DATA__MAX_UPLOAD_BYTES=str(2 << 30)) as server:
        server.taken("/v1/score", source.read_bytes())
        for name, seconds in LENGTHS:
            file = clips.repeated(source, seconds, arguments.media / f"{seconds}s-240p.mp4")
            row(server, f"{name} ({file.stat().st_size >> 20} MiB)", file, "", arguments)


def sizes(arguments):
    print("\n## A larger frame, 5 s\n\n" + HEAD.format("frame"))
    with serving(arguments.jaga, arguments.model) as server:
        for size in SIZES:
            file = clips.make(arguments.media / f"5s-{size}.mp4", 5, size, 5, "20M" if "3840" in size else "4M")
            row(server, size.replace("x", " × "), file, "", arguments)


def copies(folder, source, number, weights_dir, apart):
    """`number` bundles of one model under other names. `apart`: each graph differs by a text that says nothing,
    so that none shares another's session."""
    for index in range(number):
        name = f"copy-{index}"
        bundle = folder / name
        shutil.copytree(ROOT / "models" / source, bundle)
        for file in (weights_dir / source).iterdir():
            target = bundle / file.name
            target.write_bytes(file.read_bytes())
            if apart and file.suffix == ".onnx":
                with target.open("ab") as graph:
                    # ModelProto.doc_string, field 6; protobuf reads what is appended as a part of the message.
                    graph.write(bytes([6 << 3 | 2, len(name)]) + name.encode("ascii"))
        rename(bundle / "model.toml", source, name)
        yield name


def rename(manifest, source, name):
    """Another name, and the hashes that the files have now."""
    text = manifest.read_text(encoding="utf-8").replace(f'name = "{source}"', f'name = "{name}"')
    lines, path = [], None
    for line in text.splitlines():
        if line.startswith("path = "):
            path = manifest.parent / line.split('"')[1]
        if line.startswith("sha256 = "):
            line = f'sha256 = "{clips.sha256(path)}"'
        # Where set-up got the file from says nothing about the copy.
        if not line.startswith(("source = ", "derive = ")):
            lines.append(line)
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")


def models(arguments):
    weights = Path(os.environ["JAGA_MODELS__WEIGHTS_DIR"])
    clip = clips.twenty(arguments.media)[0]
    for apart in (False, True):
        kind = "each with a graph of its own" if apart else "heads on one backbone"
        print(f"\n## More models, {kind}, 10 s of 720p\n\n" + HEAD.format("models"))
        for number in (1, 2, 4, 8):
            with tempfile.TemporaryDirectory(dir=arguments.media) as folder:
                names = list(copies(Path(folder), arguments.model, number, weights, apart))
                settings = {"MODELS__DIRS": folder, "MODELS__WEIGHTS_DIR": folder}
                with serving(arguments.jaga, ",".join(names), **settings) as server:
                    query = "".join(f"&model={name}" for name in names)
                    server.taken(f"/v1/score?frames=16{query}", clip.read_bytes())
                    row(server, str(number), clip, query, arguments)


PARTS = {"lengths": lengths, "sizes": sizes, "models": models}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--jaga", type=Path, required=True)
    parser.add_argument("--media", type=Path, default=clips.FOLDER)
    parser.add_argument("--model", default="genai-clip-int8")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{arguments.model}, 16 frames, median of {arguments.repeat}, {os.cpu_count()} cores")
    for name in arguments.what:
        PARTS[name](arguments)


if __name__ == "__main__":
    main()
