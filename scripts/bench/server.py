"""A jaga server of its own for a measurement, and requests to it."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

# On the disk that a server would use; /tmp may be memory.
BENCH = pathlib.Path(__file__).resolve().parents[2] / ".jaga" / "bench"


class Server:
    """Speaks to a server that listens on a port of this machine."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None):
        """Status and JSON of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def taken(self, path, body):
        status, answer = self.ask("POST", path, body)
        if status not in (200, 202):
            raise SystemExit(f"{path}: {status} {answer}")
        return answer

    def ended(self, job):
        """Waits for a job's last event; the job."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        with contextlib.closing(connection):
            connection.request("GET", f"/v1/jobs/{job}/events")
            data = [line for line in connection.getresponse().read().split(b"\n")
                    if line.startswith(b"data:")]
        last = json.loads(data[-1][5:])
        if last["status"] != "done":
            raise SystemExit(f"job {job} ended {last}")
        return last


@contextlib.contextmanager
def serving(jaga, model, **settings):
    """A server over an empty data directory that asks for no key, ready to score."""
    with tempfile.TemporaryDirectory(dir=BENCH) as data:
        own = {"DATA_DIR": data, "MODELS__LOAD": model, "MODELS__DEFAULT": model,
               "ANALYSIS__RECALL__MAX_BYTES": "0", "LOG__FORMAT": "json", **settings}
        environment = os.environ | {f"JAGA_{key}": str(value) for key, value in own.items()}
        log = pathlib.Path(data, "log")
        with log.open("w", encoding="utf-8") as errors:
            child = subprocess.Popen([jaga, "serve", "--listen", "127.0.0.1:0"], env=environment,
                                     stderr=errors)
        try:
            yield Server(ready_at(child, log))
        finally:
            child.kill()
            child.wait()


def ready_at(child, log):
    """The port of a server once it is ready."""
    while child.poll() is None:
        found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text(encoding="utf-8"))
        if found and Server(int(found[1])).ask("GET", "/readyz")[0] == 200:
            return int(found[1])
        time.sleep(0.1)
    raise SystemExit(log.read_text(encoding="utf-8"))
