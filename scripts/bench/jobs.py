"""Jobs beside the synchronous way, how fast they are taken, and how long a flag takes beside a full
backfill. Prints Markdown."""

import re
import shutil
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from server import serving

CLIENTS = 4
OPTIONS = "frames=4"
FLAGS = 15


def at_once(server, bodies):
    """Videos a second of as many waiting clients."""
    begin = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda body: server.taken(f"/v1/score?{OPTIONS}", body), bodies))
    return len(bodies) / (time.monotonic() - begin)


def as_jobs(server, bodies):
    """Videos a second from the first job that is sent to the last that is done."""
    begin = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        jobs = list(clients.map(lambda body: server.taken(f"/v1/jobs?{OPTIONS}", body), bodies))
    for job in jobs:
        server.ended(job["id"])
    return len(bodies) / (time.monotonic() - begin)


def compare_ways(server, bodies, rounds):
    print(f"\n## {len(bodies)} clips, {CLIENTS} clients, {OPTIONS}: `/v1/score` beside `/v1/jobs`\n")
    print("| round | /v1/score | /v1/jobs | jobs / score |")
    print("| --- | --- | --- | --- |")
    ratios = []
    as_jobs(server, bodies[:4])
    for number in range(rounds):
        # Each goes first as often.
        ways = [at_once, as_jobs] if number % 2 == 0 else [as_jobs, at_once]
        rate = {way: way(server, bodies) for way in ways}
        ratios.append(rate[as_jobs] / rate[at_once])
        print(f"| {number + 1} | {rate[at_once]:.2f} a second | {rate[as_jobs]:.2f} a second "
              f"| {ratios[-1]:.3f} |", flush=True)
    print(f"\nMedian: {statistics.median(ratios):.3f}")


def measure_acceptance(server, picture, count):
    """By ApacheBench, a client in C: one in Python would be measured itself."""
    tool = shutil.which("ab")
    if tool is None:
        print("\nHow fast jobs are taken is measured with `ab` of apache2-utils, which isn't here.")
        return
    url = f"http://127.0.0.1:{server.port}/v1/jobs?lane=backfill&frames=1"
    command = [tool, "-q", "-k", "-n", str(count), "-c", "64", "-p", picture,
               "-T", "application/octet-stream", url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = float(re.search(r"Requests per second:\s+([\d.]+)", output)[1])
    failed = re.search(r"Non-2xx responses:\s+(\d+)", output)
    print(f"\n{count} jobs of {picture.stat().st_size} bytes were taken at {rate:.0f} a second by 64 "
          f"connections; {failed[1] if failed else 0} were refused.", flush=True)


def flag_seconds(server, body):
    begin = time.monotonic()
    flag = server.taken(f"/v1/flags?organisation=bench&{OPTIONS}", body)
    server.ended(flag["id"])
    return time.monotonic() - begin


def measure_flags(server, bodies):
    print(f"\n## {FLAGS} flags, one after the other, on an idle server and beside a full backfill\n")
    flags = [bodies[number % len(bodies)] for number in range(FLAGS)]
    flag_seconds(server, flags[0])
    idle = [flag_seconds(server, body) for body in flags]
    waiting = [server.taken(f"/v1/jobs?lane=backfill&{OPTIONS}", body) for body in bodies * 40]
    begin = time.monotonic()
    beside = [flag_seconds(server, body) for body in flags]
    took = time.monotonic() - begin
    done = [job for job in server.ask("GET", "/v1/jobs?lane=backfill&status=done&limit=500")[1]["jobs"]]
    running = server.ask("GET", "/v1/jobs?lane=backfill&status=queued&limit=1")[1]["jobs"]
    if not running:
        raise SystemExit("the backfill was over before the flags were")
    item = statistics.median(spent(job) for job in done)
    print("| | median | longest |")
    print("| --- | --- | --- |")
    print(f"| idle | {statistics.median(idle):.2f} s | {max(idle):.2f} s |")
    print(f"| beside {len(waiting)} jobs of the backfill | {statistics.median(beside):.2f} s "
          f"| {max(beside):.2f} s |")
    bound = 1.5 * statistics.median(idle) + item
    print(f"\nA backfill's item takes {item:.2f} s beside them ({len(done) / took:.2f} a second went on). "
          f"1.5 × idle + one item: {bound:.2f} s. Beside / idle: "
          f"{statistics.median(beside) / statistics.median(idle):.2f}")


def spent(job):
    times = [time.mktime(time.strptime(job[key][:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + job[key][19:-1])
             for key in ("started_at", "finished_at")]
    return times[1] - times[0]


def compare_jobs(jaga, model, clips, picture, rounds, count):
    bodies = [clip.read_bytes() for clip in clips]
    with serving(jaga, model) as server:
        compare_ways(server, bodies, rounds)
        measure_flags(server, bodies)
    # One place to work, so that what is taken is scored too, but not on all cores.
    for places in (1, 0):
        with serving(jaga, model, ANALYSIS__CONCURRENCY=places, MODELS__SESSIONS=places) as server:
            print(f"\n`analysis.concurrency` and `models.sessions` {places or 'one a core'}:")
            measure_acceptance(server, picture, count)
