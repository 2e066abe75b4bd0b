"""Load by ApacheBench (`ab`, Debian's apache2-utils), a client in C that costs the servers next to nothing."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

BOUNDARY = "jaga-bench-boundary"


@dataclass(frozen=True)
class Load:
    """What so many clients saw. `refused` are answers other than 2xx, `broken` requests without one."""

    per_second: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int


def form(clip, folder):
    """The clip as a browser or `curl -F file=@…` sends it, in a file."""
    head = (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{clip.name}\"\r\n"
            "Content-Type: video/mp4\r\n\r\n")
    body = Path(folder, clip.name + ".form")
    body.write_bytes(head.encode("ascii") + clip.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode("ascii"))
    return body


def send(url, clip, clients, requests):
    """`requests` uploads of a clip by `clients` that each wait for their answer before the next one."""
    if shutil.which("ab") is None:
        raise SystemExit("the client is `ab` of Debian's apache2-utils, which isn't here")
    with tempfile.TemporaryDirectory() as folder:
        # -l: answers differ in length, as their times do.
        command = ["ab", "-q", "-l", "-n", str(requests), "-c", str(clients), "-s", "600",
                   "-p", form(clip, folder), "-T", f"multipart/form-data; boundary={BOUNDARY}", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"ab: {done.stderr or done.stdout}")
    return read(done.stdout)


def read(printed):
    """What `ab` printed."""
    def number(pattern, missing="0"):
        found = re.search(pattern, printed, re.MULTILINE)
        return float(found[1] if found else missing)

    return Load(
        per_second=number(r"^Requests per second:\s+([\d.]+)"),
        p50_ms=number(r"^\s+50%\s+(\d+)", "nan"),
        p99_ms=number(r"^\s+99%\s+(\d+)", "nan"),
        refused=int(number(r"^Non-2xx responses:\s+(\d+)")),
        broken=int(number(r"^Failed requests:\s+(\d+)")),
    )
