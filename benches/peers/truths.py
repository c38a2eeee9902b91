#!/usr/bin/env python3
"""Load generators against servers whose times are known: a table and a chart. See README.md here.

    benches/peers/truths.py --out DIR [--runs 5] [--more benches/peers/optional.json]

Only Python's standard library. Peers that are not on PATH are left out, and the table says so.
"""

import argparse
import asyncio
import json
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from run import ROOT, of_oha, of_ours, of_wrk

CONNECTIONS = 64
# Ours, wrk, oha, k6 and vegeta; `--more` adds others in the same form. `open` has a rate, `closed` has none. A command is split
# at blanks and then filled in; `reads` names the parser. `lateness`: whether it says how late it was itself.
PEERS = {
    "bakeoff": {
        "open": "{bakeoff} drive {url} --rate {rate}/s --arrivals {arrivals} --duration {seconds}s --connections {connections} "
                "--pace {pace} --format json",
        "closed": "{bakeoff} drive {url} --closed --duration {seconds}s --connections {connections} --format json",
        "poisson": True, "reads": "ours", "lateness": "said, per request and percentile",
    },
    "wrk": {
        "closed": "wrk -t1 -c{connections} -d{seconds}s --latency {url}",
        "reads": "wrk", "lateness": "no rate, so none",
    },
    "oha": {
        "open": "oha --no-tui --output-format json -c {connections} -z {seconds}s -q {rate} --latency-correction {url}",
        "closed": "oha --no-tui --output-format json -c {connections} -z {seconds}s {url}",
        "reads": "oha", "lateness": "not said",
    },
    "k6": {
        "open": "k6 run -q --summary-export {file} -e URL={url} -e RATE={rate} -e SECONDS={seconds} -e VUS={connections} {here}/k6.js",
        "reads": "k6", "lateness": "dropped iterations only",
    },
    "vegeta": {
        "open": "vegeta attack -rate={rate} -duration={seconds}s -connections={connections} -targets={targets} -output={file}",
        "reads": "vegeta", "lateness": "not said",
    },
}
HERE = os.path.dirname(os.path.abspath(__file__))
SERVICE_S = 500e-6
UNBOUNDED = float("inf")


def main():
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two cores are needed: one for the server, one for the generators")
    args.server_core, args.core = {cores[-1]}, {cores[0]}
    peers = dict(PEERS, **(json.load(open(args.more)) if args.more else {}))
    missing = [name for name, peer in peers.items() if not found(args, peer)]
    peers = {name: peer for name, peer in peers.items() if name not in missing}
    os.makedirs(args.out, exist_ok=True)
    rows = [row for truth in truths(args.seconds) for row in measured(args, truth, peers)]
    rows += costs(args, peers)
    text = table(args, peers, missing, rows)
    with open(os.path.join(args.out, "truths.md"), "w") as file:
        file.write(text)
    with open(os.path.join(args.out, "truths.svg"), "w") as file:
        file.write(chart(rows))
    print(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="peers-truths", help="folder for truths.md and truths.svg")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each (5)")
    parser.add_argument("--seconds", type=int, default=10, help="length of a run (10)")
    parser.add_argument("--more", help="a JSON file of more peers, such as optional.json")
    parser.add_argument("--bakeoff", default=os.path.join(ROOT, "target/release/bakeoff"))
    args = parser.parse_args()
    if not os.access(args.bakeoff, os.X_OK):
        sys.exit(f"{args.bakeoff} is not there: cargo build --release, or --bakeoff PATH")
    return args


def found(args, peer):
    program = (peer.get("open") or peer["closed"]).split()[0].format(bakeoff=args.bakeoff)
    return shutil.which(program) is not None


# What is true


class Truth:
    """A server, a load, and the p50 and p99 in s that the load must see; `way` and back come on top for everybody."""

    def __init__(self, name, server, rate, p50, p99, arrivals="constant", during=None):
        self.name, self.server, self.rate, self.arrivals, self.during = name, server, rate, arrivals, during
        self.p50, self.p99 = p50, p99


def truths(seconds):
    md1 = queue(0.6, 1_000_000)
    return [
        Truth("stall of 1 s", ["null"], 1_000, 0.0, 1.0 - 0.01 * seconds, during=stall),
        Truth("delay of 10 ms", ["standin", "10ms"], 500, 10e-3, 10e-3),
        Truth("M/D/1 at 0.6", ["selftest", "constant:500us"], 1_200, *md1, arrivals="poisson"),
        Truth("500 us at 1,000/s", ["selftest", "constant:500us"], 1_000, SERVICE_S, SERVICE_S),
        Truth("slowest 1.5 % reset", ["resets"], 1_000, 0.0, UNBOUNDED),
        Truth("Poisson arrivals", ["arrivals"], 1_000, None, None, arrivals="poisson"),
    ]


def queue(rho, n):
    """p50 and p99 of the response time of M/D/1, by Lindley's recursion over n arrivals."""
    draw, wait, times = random.Random(7), 0.0, []
    for _ in range(n):
        times.append(wait + SERVICE_S)
        wait = max(0.0, wait + SERVICE_S - draw.expovariate(rho / SERVICE_S))
    times.sort()
    return times[n // 2], times[n * 99 // 100]


def stall(server):
    time.sleep(3)
    server.send_signal(19)
    time.sleep(1)
    server.send_signal(18)


# Servers


def serve(args, kind, *more):
    command = {
        "null": [args.bakeoff, "serve", "--model", "null", "--port", "0"],
        "standin": [args.bakeoff, "standin", "--pace", "spin", "--latency", *more],
        "selftest": [args.bakeoff, "selftest-server", *more],
    }.get(kind, [sys.executable, os.path.abspath(__file__), "--serve", kind])
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, args.server_core))
    address = server.stdout.readline().split()[-1]
    path = {"null": "/null", "standin": "/upstream/1"}.get(kind, "/")
    return server, f"http://{address}{path}"


class Known(asyncio.Protocol):
    """`resets`: 15 of 1,000 requests are reset after 100 ms, the others answered at once. `arrivals`: `/gaps` gives the
    coefficient of variation of the gaps between requests."""

    kind, count, last, gaps = "", 0, None, []

    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, self.rest = self.rest.split(b"\r\n\r\n", 1)
            self.answer(head)

    def answer(self, head):
        now, body = time.monotonic(), b"ok"
        if head.startswith(b"GET /gaps"):
            gaps, Known.gaps = Known.gaps, []
            body = str(statistics.pstdev(gaps) / statistics.fmean(gaps) if len(gaps) > 1 else 0).encode()
        elif Known.last is not None:
            Known.gaps.append(now - Known.last)
        Known.last = now
        Known.count += 1
        if Known.kind == "resets" and Known.count % 200 in (7, 77, 147):
            asyncio.get_running_loop().call_later(0.1, self.transport.abort)
            return
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def known(kind):
    Known.kind = kind
    server = await asyncio.get_running_loop().create_server(Known, "127.0.0.1", 0, backlog=4096)
    print("listening", "%s:%d" % server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()


# Measuring


def measured(args, truth, peers):
    """The rows of one truth: (truth, peer, figure, median, low, high, error of the median)."""
    seen, failed = {}, {}
    for number in range(args.runs):
        for name, peer in peers.items():
            if name in failed or truth.arrivals == "poisson" and not peer.get("poisson"):
                continue
            server, url = serve(args, *truth.server)
            try:
                during = truth.during and (lambda: truth.during(server))
                result = load(args, peer, url, truth.rate, truth.arrivals, during, "spin")
                if truth.p50 is None:
                    gaps = subprocess.run(["curl", "-s", url + "gaps"], capture_output=True, text=True).stdout
                    result = {"cv": float(gaps)}
            except FAILURES as error:
                failed[name] = error
                continue
            finally:
                server.kill()
                server.wait()
            seen.setdefault(name, []).append(result)
        print(f"\r{truth.name}: {number + 1}/{args.runs}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    figures = [("cv", 1.0)] if truth.p50 is None else [("p50", truth.p50 * 1e6), ("p99", truth.p99 * 1e6)]
    rows = []
    for name, peer in peers.items():
        for figure, true in figures:
            if name in failed or name not in seen:
                rows.append((truth.name, name, figure, true, None, why(failed.get(name)), None))
                continue
            values = sorted(result[figure] for result in seen[name])
            rows.append((truth.name, name, figure, true, statistics.median(values), values[0], values[-1]))
    return rows


def costs(args, peers):
    """CPU per request of the generator, closed and at 20,000/s with the rate that it reached, against the null server."""
    rows = []
    for what, rate in [("CPU, closed", None), ("CPU at 20,000/s", 20_000)]:
        for name, peer in peers.items():
            if ("closed" if rate is None else "open") not in peer:
                rows.append((what, name, "us/request", None, None, None, None))
                continue
            results, failed = [], None
            for _ in range(args.runs):
                server, url = serve(args, "null")
                try:
                    results.append(load(args, peer, url, rate, "constant", None, "sleep"))
                except FAILURES as error:
                    failed = error
                    break
                finally:
                    server.kill()
                    server.wait()
            for figure, key in [("us/request", "us_per_request")] + [("requests/s", "reached")] * (rate is not None):
                if failed is not None:
                    rows.append((what, name, figure, None, None, why(failed), None))
                    continue
                values = sorted(result[key] for result in results)
                rows.append((what, name, figure, None, statistics.median(values), values[0], values[-1]))
    return rows


# What the reader of a peer that failed, or wrote something else, raises.
FAILURES = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


def why(failure):
    return None if failure is None else f"failed ({type(failure).__name__}: {failure})".replace("|", "/")[:100]


def load(args, peer, url, rate, arrivals, during, pace):
    """One run of a generator; one without a rate runs closed. Ours spins on its core where times count. Figures in us."""
    with tempfile.TemporaryDirectory() as folder:
        targets, file = os.path.join(folder, "targets"), os.path.join(folder, "out")
        with open(targets, "w") as out:
            out.write(f"GET {url}\n")
        template = peer.get("open") if rate else peer["closed"]
        values = dict(bakeoff=args.bakeoff, url=url, rate=rate, arrivals=arrivals, seconds=args.seconds,
                      connections=CONNECTIONS, here=HERE, targets=targets, file=file, pace=pace)
        command = [word.format(**values) for word in (template or peer["closed"]).split()]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                   preexec_fn=lambda: os.sched_setaffinity(0, args.core))
        if during:
            during()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        # Ours measured and says: 3, that more failed than it allows; 5, that the machine was too busy to believe it.
        if process.returncode not in (0, 3, 5):
            raise ValueError(f"{command[0]} exited with {process.returncode}")
        result = READERS[peer["reads"]](output, file)
    result["reached"] = result["requests"] / args.seconds
    result["us_per_request"] = (usage.ru_utime + usage.ru_stime) * 1e6 / max(result["requests"], 1)
    return result


def read_ours(output, _):
    trial = json.loads(output)
    result = of_ours(trial)
    # An hour stands for a failure.
    times = trial["response_ns"] or trial["service_ns"]
    for name in ("p50", "p99"):
        if times[name] is not None and times[name] >= 3_600e9:
            result[name] = UNBOUNDED
    return result


def read_k6(_, file):
    metrics = json.load(open(file))["metrics"]
    times = metrics["http_req_duration"]
    return {"requests": metrics["http_reqs"]["count"], "p50": times["med"] * 1e3, "p99": times["p(99)"] * 1e3}


def read_vegeta(_, file):
    report = json.loads(subprocess.run(["vegeta", "report", "-type=json", file], capture_output=True, text=True).stdout)
    times = report["latencies"]
    return {"requests": report["requests"], "p50": times["50th"] / 1e3, "p99": times["99th"] / 1e3}


def read_h2load(output, file):
    """Its log has a line for each response: start in us, status, duration in us."""
    times = sorted(int(line.split("\t")[2]) for line in open(file))
    done = int(re.search(r"requests: \d+ total, \d+ started, (\d+) done", output)[1])
    at = lambda q: float(times[min(int(q * len(times)), len(times) - 1)])
    return {"requests": done, "p50": at(0.5), "p99": at(0.99)}


READERS = {"ours": read_ours, "wrk": lambda output, _: of_wrk(output), "oha": lambda output, _: of_oha(json.loads(output)),
           "k6": read_k6, "vegeta": read_vegeta, "h2load": read_h2load}


# Showing


def table(args, peers, missing, rows):
    lines = ["# Generators against known truths", "",
             f"Medians of {args.runs} interleaved runs of {args.seconds} s, lowest and highest run in brackets, us. `error` is the",
             "median less the truth, which leaves out the way there and back (some 50 us, the same for all). A closed generator has",
             "no rate and meets another load. `nearest` is the smallest error of a row's truth and figure. Times of ours are with",
             "`--pace spin`, its CPU with `--pace sleep`; the others have one way to wait. CPU at a rate is of the rate that was",
             "reached, in the row below it.", ""]
    lines += ["| truth | figure | true | generator | measured | error | |", "|---|---|---:|---|---:|---:|---|"]
    for truth, name, figure, true, median, low, high in rows:
        if median is None:
            lines.append(f"| {truth} | {figure} | {us(true)} | {name} | {low or 'not offered'} | | |")
            continue
        error = "" if true is None else us(off(median, true))
        best = min((abs(off(row[4], row[3])) for row in rows
                    if row[0] == truth and row[2] == figure and row[4] is not None and true is not None), default=None)
        nearest = "nearest" if best is not None and abs(off(median, true)) == best else ""
        lines.append(f"| {truth} | {figure} | {us(true)} | {name} | {us(median)} ({us(low)} to {us(high)}) | {error} | {nearest} |")
    lines += ["", "| generator | its own lateness |", "|---|---|"]
    lines += [f"| {name} | {peer['lateness']} |" for name, peer in peers.items()]
    if missing:
        lines += ["", f"Not on this machine, and left out: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def off(value, true):
    return 0.0 if value == true else value - true


def us(value):
    if value is None:
        return ""
    if value != value:
        return "withheld"
    if value in (UNBOUNDED, -UNBOUNDED):
        return "unbounded" if value > 0 else "below it"
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"


def chart(rows):
    """Errors of p99 beside each other, on a logarithmic scale of us; an unbounded one is a full bar."""
    shown = [row for row in rows if row[2] == "p99" and row[4] is not None and row[4] == row[4]]
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{40 + 22 * len(shown)}" font-family="sans-serif" '
             'font-size="13"><rect width="100%" height="100%" fill="white"/>',
             '<text x="10" y="22">Error of p99 against the known truth, us (logarithmic)</text>']
    for place, (truth, name, _, true, median, _, _) in enumerate(shown):
        y, error = 50 + 22 * place, abs(off(median, true))
        length = 280.0 if error == UNBOUNDED else 280 * min(1.0, len_log(error) / 6)
        colour = "#0B6E4F" if name == "bakeoff" else "#8A93A0"
        lines.append(f'<text x="10" y="{y}">{truth}: {name}</text><rect x="270" y="{y - 11}" width="{length:.1f}" height="13" '
                     f'fill="{colour}"/><text x="{276 + length:.1f}" y="{y}">{us(error)}</text>')
    return "\n".join(lines) + "\n</svg>\n"


def len_log(value):
    return len(str(int(value))) - 1 + (value / 10 ** (len(str(int(value))) - 1)) / 10


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(known(sys.argv[2]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
