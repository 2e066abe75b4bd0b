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

import clips


class Server:
    """Speaks to a server that listens on a port of this machine."""

    def __init__(self, port, child=None, data=None, keys=None):
        self.port, self.child, self.data, self.keys = port, child, data, keys or {}

    @property
    def process(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def log_tail(self):
        return pathlib.Path(self.data, "log").read_text(encoding="utf-8")[-2000:]

    def ask(self, method, path, body=None, role=None):
        """Status and JSON of one request on a connection of its own, with the key of `role`."""
        with self.answer(method, path, body, role) as answer:
            text = answer.read()
            is_json = "json" in (answer.getheader("content-type") or "json")
            return answer.status, json.loads(text or b"null") if is_json else text.decode()

    @contextlib.contextmanager
    def answer(self, method, path, body=None, role=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        headers = {"Authorization": f"Bearer {self.keys.get(role, 'jaga_none')}"} if role else {}
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            yield connection.getresponse()

    def taken(self, path, body):
        status, answer = self.ask("POST", path, body)
        if status not in (200, 202):
            raise SystemExit(f"{path}: {status} {answer}")
        return answer

    def events(self, job, role=None):
        """How a job stood, up to its end."""
        with self.answer("GET", f"/v1/jobs/{job}/events", role=role) as answer:
            lines = answer.read().split(b"\n")
        return [json.loads(line[5:]) for line in lines if line.startswith(b"data:")]

    def ended(self, job):
        """Waits for a job's last event; the job."""
        last = self.events(job)[-1]
        if last["status"] != "done":
            raise SystemExit(f"job {job} ended {last}")
        return last


@contextlib.contextmanager
def serving(jaga, model, roles=(), **settings):
    """A server over an empty data directory, ready to score.

    It has a key for each of `roles`, pairs of a role and more arguments of `jaga keys create`.
    """
    with tempfile.TemporaryDirectory(dir=clips.FOLDER) as data:
        own = {"DATA_DIR": data, "MODELS__LOAD": model, "MODELS__DEFAULT": model,
               "ANALYSIS__RECALL__MAX_BYTES": "0", "LOG__FORMAT": "json", **settings}
        environment = os.environ | {f"JAGA_{key}": str(value) for key, value in own.items()}
        keys = {role: key_of(jaga, environment, role, more) for role, more in roles}
        log = pathlib.Path(data, "log")
        with log.open("w", encoding="utf-8") as errors:
            child = subprocess.Popen([jaga, "serve", "--listen", "127.0.0.1:0"], env=environment,
                                     stderr=errors)
        try:
            yield Server(ready_at(child, log), child, data, keys)
        finally:
            child.kill()
            child.wait()


def key_of(jaga, environment, role, more):
    command = [jaga, "keys", "create", "--role", role, *more]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def ready_at(child, log):
    """The port of a server on a loopback address once it is ready; its log says where it listens."""
    while child.poll() is None:
        found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text(encoding="utf-8"))
        with contextlib.suppress(ConnectionError):
            if found and Server(int(found[1])).ask("GET", "/readyz")[0] == 200:
                return int(found[1])
        time.sleep(0.1)
    raise SystemExit(log.read_text(encoding="utf-8"))
