#!/usr/bin/env python3
"""What the generator must reach with TLS and with a file of arrivals, each with its bound: see README.md here.

    benches/peers/reach.py [--pairs 9] [--seconds 5]

Two cores, wrk on PATH, and nothing beside. It exits with 1 if a bound is missed.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

from run import ROOT, of_wrk

CONNECTIONS = 64
# Of wrk's, and bytes of memory for each instant of a file.
PLAIN_CPU, TLS_CPU = 0.78, 1.3
INSTANT_BYTES = 16


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9, help="pairs of runs of ours and wrk (9)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--bakeoff", default=os.path.join(ROOT, "target/release/bakeoff"))
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    args.server_core, args.core = {cores[-1]}, {cores[0]}
    server = subprocess.Popen([args.bakeoff, "selftest-server", "constant:0ms"], stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, args.server_core))
    try:
        address = server.stdout.readline().split()[-1]
        results = [*rate_over_tls(args, address), *cpu(args, "CPU per request", f"http://{address}/", PLAIN_CPU),
                   *cpu(args, "CPU per request over TLS", f"https://{address}/", TLS_CPU, "--insecure"),
                   *memory(args, address), *replay(args, address)]
    finally:
        server.kill()
        server.wait()
    for what, value, bound, reached in results:
        print(f"{'reached' if reached else 'MISSED' if reached is False else 'stated':8} {what:52} {value:24} {bound}")
    sys.exit(any(reached is False for *_, reached in results))


def rate_over_tls(args, address):
    trial, _ = drive(args, f"https://{address}/", "--insecure", "--rate", "10000/s")
    verdict, ours = trial["validity"]["verdict"], ((trial["response_ns"] or {}).get("ours") or {}).get("p99")
    reasons = "; ".join(trial["validity"]["reasons"])
    return [("TLS at 10,000/s over kept connections", verdict, f"valid {reasons}", verdict == "valid" and not trial["saturated"]),
            ("  the generator's share of p99", *at_most(trial, ours, 0.10, lambda share: f"{100 * share:.1f} %"))]


def at_most(trial, value, bound, shown):
    """A figure, its bound, and whether it is reached: not where it is missing, nor of a saturated server."""
    said = "missing" if value is None else shown(value) + (", saturated" if trial["saturated"] else "")
    return said, f"at most {shown(bound)}", value is not None and value <= bound and not trial["saturated"]


def cpu(args, what, url, bound, *flags):
    """CPU per request of ours over wrk's, pair by pair, each first in every second pair."""
    what, limit = f"{what}, ours / wrk", f"at most {bound}"
    if not shutil.which("wrk"):
        return [(what, "no wrk", limit, False)]

    def ours():
        trial, usage = drive(args, url, "--closed", *flags)
        return (usage.ru_utime + usage.ru_stime) / trial["requests"]

    def wrk():
        output, usage = ran(args, ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{args.seconds}s", "--latency", url])
        return (usage.ru_utime + usage.ru_stime) / of_wrk(output)["requests"]

    ratios = []
    for pair in range(args.pairs):
        if pair % 2:
            theirs = wrk()
            ratios.append(ours() / theirs)
        else:
            own = ours()
            ratios.append(own / wrk())
    ratios.sort()
    value = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return [(what, value, limit, statistics.median(ratios) <= bound)]


def memory(args, address):
    def peak(connections):
        _, usage = drive(args, f"https://{address}/", "--insecure", "--rate", "1000/s", connections=connections)
        return usage.ru_maxrss * 1024

    few, many = peak(100), peak(10_000)
    return [("memory of 10,000 TLS connections", f"{(many - few) / 2**20:.0f} MiB, {(many - few) / 9_900 / 1024:.1f} KiB each",
             "stated", None)]


def replay(args, address):
    """The resident memory of a million instants more, and how late they were sent."""
    with tempfile.TemporaryDirectory() as folder:
        def peak(count):
            path = os.path.join(folder, str(count))
            with open(path, "w") as file:
                file.writelines(f"{k * args.seconds / count:.9f}\n" for k in range(count))
            trial, usage = drive(args, f"http://{address}/", "--replay", path, timed=False)
            return trial, usage.ru_maxrss * 1024

        _, few = peak(1_000)
        trial, many = peak(1_000_000 if args.seconds >= 25 else 40_000 * args.seconds)
        n = trial["requests"]
        lag = (trial["generator_lag_ns"] or {}).get("p99")
        return [(f"peak memory of {n:,} arrivals of a file, reading it",
                 *at_most(trial, (many - few) / n, INSTANT_BYTES, lambda each: f"{each:.0f} bytes each")),
                ("  generator lag p99 on a core of its own", *at_most(trial, lag, 100_000, lambda ns: f"{ns / 1e3:.1f} us"))]


def drive(args, url, *flags, connections=CONNECTIONS, timed=True):
    duration = ["--duration", f"{args.seconds}s"] if timed else []
    output, usage = ran(args, [args.bakeoff, "drive", url, "--connections", str(connections), "--pace", "spin", "--format", "json",
                               *duration, *flags])
    return json.loads(output), usage


def ran(args, command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, args.core))
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 5):
        sys.exit(f"{' '.join(command)} exited with {process.returncode}")
    return output, usage


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
