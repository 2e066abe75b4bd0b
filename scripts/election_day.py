#!/usr/bin/env python3
"""A day in an election, on a server of its own.

Three organisations flag, a platform posts live traffic, a backfill runs, the policy switches at midnight to its
election rules, reviewers overturn some decisions. At the end the period's transparency table, the figures of the
flaggers' channel and the audit of the chain are printed, and everything must add up: exit code 1 where it doesn't.

    scripts/election_day.py --jaga target/release/jaga --model genai-clip

The server's clock is turned by libfaketime (Debian: libfaketime), everything else is real. Pictures are made here
unless --files names videos. Settings of the server come from JAGA_… variables as always.
"""

import argparse
import contextlib
import glob
import http.client
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))
from server import ready_at  # noqa: E402

ORGANISATIONS = ["election-commission", "fact-checkers", "civic-watch"]
EVE, DAY, NEXT = "2027-02-13", "2027-02-14", "2027-02-15"
CLIENTS = 4

# Everyday rules label what is nearly sure; from election day on flags are escalated much earlier.
POLICY = f"""
[policy]
name = "election"
version = "2027.1"
actions = ["none", "label", "escalate"]

[[rule]]
name = "synthetic"
question = "ai_generated"
min_score = {{everyday}}
action = "label"

[[rule]]
name = "flagged-during-the-election"
question = "ai_generated"
min_score = {{election}}
lane = "flagger"
from = "{DAY}"
to = "2027-02-28"
action = "escalate"
"""


class Failure(Exception):
    """Something doesn't add up."""


def picture(number, tone):
    """A PNG of noise around one tone, like no other."""
    noise = random.Random(number)
    rows = b"".join(
        b"\0" + bytes(min(255, max(0, tone + noise.randint(-20, 20))) for _ in range(3 * 64))
        for _ in range(48)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class Material:
    """Uploads, each unlike the others, so that each is a decision of its own."""

    def __init__(self, files):
        self.files = [Path(file).read_bytes() for file in files]
        self.number = 0
        self.lock = threading.Lock()

    def next(self):
        with self.lock:
            self.number += 1
            number = self.number
        if not self.files:
            return picture(number, 30 + 37 * number % 200)
        # A box that players skip makes it another file.
        box = struct.pack(">I4sQ", 16, b"free", number)
        return self.files[number % len(self.files)] + box


class Clock:
    """The server's clock."""

    def __init__(self, folder):
        self.file = folder / "clock"

    def set(self, text):
        wanted = datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()
        part = self.file.with_suffix(".part")
        part.write_text(f"{wanted - time.time():+.0f}", encoding="ascii")
        part.replace(self.file)

    def environment(self):
        libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not libraries:
            raise Failure("libfaketime is missing; Debian has it in a package of this name")
        return {"LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": str(self.file),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Caller:
    """One key's holder."""

    def __init__(self, address, key):
        self.address, self.key = address, key

    def ask(self, method, path, body=None, accept=None):
        connection = http.client.HTTPConnection(*self.address, timeout=300)
        headers = {"Authorization": f"Bearer {self.key}"}
        if accept:
            headers["Accept"] = accept
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= 300:
            raise Failure(f"{method} {path}: {answer.status} {text}")
        return text if accept else json.loads(text)


class Day:
    """The server, its clock and all who call it."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.clock = Clock(folder)
        self.material = Material(arguments.files)
        self.reports = []

    def environment(self):
        own = {"JAGA_DATA_DIR": str(self.folder / "data"), "JAGA_POLICY__FILES": str(self.folder / "policy.toml"),
               "JAGA_POLICY__DEFAULT": "election", "JAGA_MODELS__DEFAULT": self.arguments.model,
               "JAGA_MODELS__LOAD": self.arguments.model, "JAGA_SERVER__AUTH": "required",
               "JAGA_LIMITS__KEY_REQUESTS_PER_MINUTE": "0"}
        return os.environ | own

    def command(self, *words):
        done = subprocess.run([self.arguments.jaga, *words], env=self.environment(), capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"jaga {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    @contextlib.contextmanager
    def serving(self):
        text = POLICY.format(everyday=self.arguments.everyday, election=self.arguments.election)
        (self.folder / "policy.toml").write_text(text, encoding="utf-8")
        create = ["keys", "create", "--role"]
        flaggers = {name: self.command(*create, "flagger", "--organisation", name) for name in ORGANISATIONS}
        platform, reviewer = (self.command(*create, role) for role in ("client", "reviewer"))
        self.clock.set(f"{EVE}T23:40:00")
        log = self.folder / "log"
        with log.open("w", encoding="utf-8") as errors:
            child = subprocess.Popen([self.arguments.jaga, "serve", "--listen", "127.0.0.1:0"],
                                     env=self.environment() | self.clock.environment(), stderr=errors)
        try:
            address = "127.0.0.1", ready_at(child, log)
            self.flaggers = {name: Caller(address, key) for name, key in flaggers.items()}
            self.platform, self.reviewer = Caller(address, platform), Caller(address, reviewer)
            yield
        finally:
            child.terminate()
            child.wait(60)

    def live(self, count):
        """What the platform posts and waits for."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            posts = [self.material.next() for _ in range(count)]
            reports = list(clients.map(lambda body: self.platform.ask("POST", "/v1/score", body), posts))
        self.reports += [(report["id"], "live") for report in reports]

    def flag(self, count):
        """What each organisation flags; waits for the answers."""
        taken = []
        for number in range(count):
            for name, caller in self.flaggers.items():
                path = f"/v1/flags?case_ref={number}&reason=seen%20in%20a%20chat"
                taken.append((caller, caller.ask("POST", path, self.material.next())["id"]))
        for caller, flag in taken:
            answered = until(lambda: caller.ask("GET", f"/v1/flags/{flag}"), lambda f: f["outcome"])
            if answered["outcome"] != "done":
                raise Failure(f"flag {flag} ended {answered}")
            self.reports.append((answered["report_id"], "flagger"))

    def backfill(self, count):
        """The catalogue, which runs beside all else."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            path = "/v1/jobs?lane=backfill"
            posts = (self.material.next() for _ in range(count))
            return [job["id"] for job in clients.map(lambda body: self.platform.ask("POST", path, body), posts)]

    def finish(self, jobs):
        for job in jobs:
            ended = until(lambda: self.platform.ask("GET", f"/v1/jobs/{job}"),
                          lambda j: j["status"] not in ("queued", "running"))
            if ended["status"] != "done":
                raise Failure(f"job {job} ended {ended}")
            self.reports.append((ended["report_id"], "backfill"))

    def review(self):
        """Of the flags that were escalated every other is overturned, the rest is upheld."""
        rulings = []
        for report, lane in self.reports:
            if lane != "flagger":
                continue
            found = self.reviewer.ask("GET", f"/v1/reports/{report}")
            if found["policy"]["action"] == "escalate":
                ruling = "overturned" if len(rulings) % 2 == 0 else "upheld"
                body = {"ruling": ruling, "reviewer": "ana", "note": "seen on election night"}
                self.reviewer.ask("POST", f"/v1/reports/{report}/decision", body)
                rulings.append(ruling)
        return rulings


def until(look, is_over):
    """Looks until it is over."""
    while True:
        found = look()
        if is_over(found):
            return found
        time.sleep(0.02)


def add_up(day, table, figures, rulings):
    """Raises where the period's numbers don't agree with what was sent and decided."""
    def expect(what, got, want):
        if got != want:
            raise Failure(f"{what}: {got} in place of {want}")

    sent = {lane: sum(own == lane for _, own in day.reports) for lane in ("live", "flagger", "backfill")}
    groups = table["groups"]
    expect("decisions", table["total"], len(day.reports))
    expect("the table's sum", sum(group["count"] for group in groups), len(day.reports))
    for lane, count in sent.items():
        expect(lane, sum(g["count"] for g in groups if g["lane"] == lane), count)
    expect("reports", len({report for report, _ in day.reports}), len(day.reports))
    early = [g for g in groups if g["action"] == "escalate" and g["day"] != DAY]
    expect("escalated before the election", early, [])
    for name in ("overturned", "upheld"):
        automation = {"overturned": "not", "upheld": "partly"}[name]
        got = sum(g["count"] for g in groups if g["automation"] == automation)
        expect(name, got, rulings.count(name))
    if not rulings:
        raise Failure("nothing was escalated: --everyday and --election don't fit the model")
    of_all = figures["organisations"]
    expect("organisations", sorted(of_all), sorted(ORGANISATIONS))
    expect("flags", sum(f["received"] for f in of_all.values()), sent["flagger"])
    expect("answered", sum(f["answered"] for f in of_all.values()), sent["flagger"])
    # Right are those on which a rule acted, unless a reviewer overturned it.
    acted = sum(g["count"] for g in groups if g["lane"] == "flagger" and g["action"] != "none")
    expect("upheld flags", sum(f["upheld"] for f in of_all.values()), acted - rulings.count("overturned"))


def run(arguments):
    with tempfile.TemporaryDirectory() as folder:
        day = Day(arguments, Path(folder))
        with day.serving():
            catalogue = day.backfill(arguments.backfill)
            day.live(arguments.live)
            day.flag(arguments.flags)
            day.clock.set(f"{DAY}T00:00:01")
            day.live(arguments.live)
            day.flag(arguments.flags)
            day.finish(catalogue)
            rulings = day.review()
            period = f"from={EVE}&to={NEXT}"
            cut = "group_by=day,lane,action,automation"
            table = day.reviewer.ask("GET", f"/v1/transparency?{period}&{cut}")
            csv = day.reviewer.ask("GET", f"/v1/transparency?{period}&{cut}", accept="text/csv")
            figures = day.reviewer.ask("GET", f"/v1/flags/figures?{period}")
        audit = day.command("audit", "verify", "--head", table["chain"]["hash"])
        add_up(day, table, figures, rulings)
    print(csv)
    print(json.dumps(figures["organisations"], indent=2))
    print(audit)
    print(f"{table['total']} decisions, {len(rulings)} reviewed, {rulings.count('overturned')} of them overturned: "
          "everything adds up")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jaga", required=True, help="the program")
    parser.add_argument("--model", default="genai-clip", help="the model that scores")
    parser.add_argument("--files", nargs="*", default=[], help="MP4 files to send in place of made pictures")
    parser.add_argument("--everyday", type=float, default=0.85, help="score from which everyday rules label")
    parser.add_argument("--election", type=float, default=0.5, help="score from which flags are escalated")
    parser.add_argument("--backfill", type=int, default=1000, help="videos of the catalogue")
    parser.add_argument("--live", type=int, default=30, help="live uploads before midnight, and after")
    parser.add_argument("--flags", type=int, default=10, help="flags of each organisation, before and after")
    try:
        run(parser.parse_args())
    except Failure as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
