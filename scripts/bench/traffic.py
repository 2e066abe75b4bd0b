"""What a soak sends: one act after the other, each of which the server has to survive."""

import contextlib
import http.client
import json
import random
import socket
from collections import Counter
from threading import Lock

# Of an upload, whatever is in it: scored, refused, or too much for its child.
OF_ANY_FILE = {200, 202, 400, 413, 415, 422, 429}


class Unexpected(Exception):
    """An answer that the act has no room for."""


class Traffic:
    """Acts against one server, and counts of them. Any number of threads may call `act`."""

    def __init__(self, server, clips, odd, options):
        self.server, self.clips, self.odd, self.options = server, clips, odd, options
        self.counts, self.wrong, self.lock = Counter(), [], Lock()

    def act(self, chance):
        """One act that `chance` picks."""
        (act,) = chance.choices(ACTS, [weight for _, weight in WEIGHTS])
        try:
            status = act(self, chance)
            with self.lock:
                self.counts[act.__name__, status] += 1
        except (Unexpected, OSError, http.client.HTTPException, ValueError) as error:
            with self.lock:
                self.wrong.append(f"{act.__name__}: {error!r}")

    def ask(self, method, path, body=None, role="client", expected=(200,)):
        status, answer = self.server.ask(method, path, body, role)
        if status not in expected:
            raise Unexpected(f"{method} {path}: {status} {json.dumps(answer)[:300]}")
        return status, answer

    def clip(self, chance):
        return chance.choice(self.clips).read_bytes()

    def good(self, chance):
        sampling = chance.choice(["keyframe", "uniform"])
        path = f"/v1/score?{self.options}&sampling={sampling}"
        return self.ask("POST", path, self.clip(chance), expected=(200, 429))[0]

    def strange(self, chance):
        """An odd or hostile file."""
        body = chance.choice(self.odd).read_bytes()
        return self.ask("POST", f"/v1/score?{self.options}", body, expected=OF_ANY_FILE)[0]

    def cut(self, chance):
        """An upload whose connection breaks off on the way."""
        body = self.clip(chance)
        with self.connection() as connection:
            connection.sendall(self.head("POST", "/v1/score", len(body)))
            connection.sendall(body[:chance.randrange(len(body))])
        return "left"

    def gone(self, chance):
        """A client that sent everything and doesn't wait for the answer."""
        body = self.clip(chance)
        with self.connection() as connection:
            connection.sendall(self.head("POST", f"/v1/score?{self.options}", len(body)) + body)
            connection.settimeout(chance.uniform(0.01, 1.0))
            with contextlib.suppress(TimeoutError):
                connection.recv(1)
        return "left"

    def job(self, chance):
        body = self.clip(chance) if chance.random() < 0.7 else chance.choice(self.odd).read_bytes()
        lane = chance.choice(["live", "backfill"])
        return self.ended("/v1/jobs", f"lane={lane}", body, "client")

    def flag(self, chance):
        about = f"case_ref={chance.randrange(10**6)}&reason=soak"
        return self.ended("/v1/flags", about, self.clip(chance), "flagger")

    def ended(self, path, query, body, role):
        """Sends work for later and follows it to its end."""
        taken = {202} | (OF_ANY_FILE - {200})
        status, job = self.ask("POST", f"{path}?{self.options}&{query}", body, role, taken)
        if status != 202:
            return status
        last = self.server.events(job["id"], role)[-1]
        if last["status"] not in ("done", "failed"):
            raise Unexpected(f"{path}: ended {last['status']}")
        return last["status"]

    def cancelled(self, chance):
        _, job = self.ask("POST", f"/v1/jobs?{self.options}", self.clip(chance), expected=(202,))
        with self.connection() as reader:
            # Who follows its events leaves in the middle.
            reader.sendall(self.head("GET", f"/v1/jobs/{job['id']}/events", 0))
            reader.recv(256)
        return self.ask("DELETE", f"/v1/jobs/{job['id']}", expected=(200, 202, 204))[0]

    def keyless(self, chance):
        """A key that isn't one."""
        return self.ask("POST", "/v1/score", self.clip(chance), "nobody", (401,))[0]

    def garbage(self, chance):
        """What is no HTTP."""
        with self.connection() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(chance.randbytes(chance.randrange(1, 4000)) + b"\r\n\r\n")
                connection.recv(4096)
        return "left"

    def watch(self, chance):
        """What probes, dashboards and people ask for."""
        path = chance.choice(["/readyz", "/metrics", "/v1/models", "/v1/jobs?limit=50", "/v1/nothing"])
        expected = (404,) if path == "/v1/nothing" else (200,)
        return self.ask("GET", path, role="admin", expected=expected)[0]

    @contextlib.contextmanager
    def connection(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            yield connection

    def head(self, method, path, length):
        key = self.server.keys["client"]
        return (f"{method} {path} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Length: {length}\r\n\r\n").encode("ascii")


WEIGHTS = [
    (Traffic.good, 8), (Traffic.strange, 10), (Traffic.cut, 4), (Traffic.gone, 4), (Traffic.job, 4),
    (Traffic.flag, 2), (Traffic.cancelled, 3), (Traffic.keyless, 2), (Traffic.garbage, 2), (Traffic.watch, 4),
]
ACTS = [act for act, _ in WEIGHTS]


def keep_acting(traffic, over, seed):
    """Acts until `over`, an event, is set."""
    chance = random.Random(seed)
    while not over.is_set():
        traffic.act(chance)
