#!/usr/bin/env python3
"""Our generator beside its peers, interleaved, against one fixed server: see README.md here.

Prints medians and the ratio of each peer's figure to ours. Only Python's standard library.
"""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def main():
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two cores are needed: one for the server, one for the generators")
    server_core, generator_core = {cores[-1]}, {cores[0]}
    peers = found_peers(args)
    print(f"server on core {cores[-1]}, generators on core {cores[0]}, {args.connections} connections, "
          f"medians of {args.runs} interleaved runs of {args.seconds} s")
    for name, path in peers.items():
        print(f"  {name:6} {path}")
    with Server(args.bakeoff, server_core) as server:
        bench = Bench(args, peers, server, generator_core)
        bench.closed()
        bench.open_loop()
        bench.stall()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=9, help="interleaved runs of each (9)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--rate", type=int, default=20_000, help="open loop, requests per second (20000)")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--bakeoff", default=os.path.join(ROOT, "target/release/bakeoff"))
    parser.add_argument("--install", action="store_true", help="build oha with cargo where there is none")
    args = parser.parse_args()
    if not os.access(args.bakeoff, os.X_OK):
        sys.exit(f"{args.bakeoff} is not there: cargo build --release, or --bakeoff PATH")
    return args


def found_peers(args):
    """Where each peer is; wrk2 calls itself wrk in most builds, so it is looked for by that name and never built."""
    places = {"wrk": [], "oha": [os.path.expanduser("~/.cargo/bin/oha")], "wrk2": []}
    peers = {}
    for name, more in places.items():
        for path in [shutil.which(name), *more]:
            if path and os.access(path, os.X_OK):
                peers[name] = path
                break
    if "oha" not in peers and args.install:
        subprocess.run(["cargo", "install", "oha", "--locked"], check=True)
        peers["oha"] = os.path.expanduser("~/.cargo/bin/oha")
    if "wrk" not in peers:
        print("no wrk: apt-get install wrk (it is a package of Debian and Ubuntu)")
    if "oha" not in peers:
        print("no oha: --install builds it with cargo")
    if "wrk2" not in peers:
        print("no wrk2: its rows are left out (it has no package; put a built one on PATH as `wrk2`)")
    return peers


class Server:
    """bakeoff's null server on a core of its own: one epoll loop that answers everything with a constant."""

    def __init__(self, bakeoff, core):
        self.command = [bakeoff, "serve", "--model", "null", "--port", "0", "--die-with-parent"]
        self.core = core

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, self.core))
        line = self.process.stdout.readline().split()
        if len(line) != 2:
            sys.exit("the server did not start")
        self.url = f"http://{line[1]}/null"
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait()

    def freeze(self, seconds):
        """Stops the whole process, as a long garbage collection or a swapped-out page would."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)


class Bench:
    def __init__(self, args, peers, server, core):
        self.args, self.peers, self.server, self.core = args, peers, server, core
        self.hgrm = tempfile.NamedTemporaryFile(prefix="peers-", suffix=".json")

    # What is compared

    def closed(self):
        """CPU per request in a closed loop."""
        runs = self.interleaved({
            "ours": lambda: self.ours(["--closed"]),
            "wrk": lambda: self.wrk(),
            "oha": lambda: self.oha([]),
        })
        print("\nClosed loop: requests/s and the generator's CPU (user + system) per request\n")
        print(f"{'':8}{'requests/s':>12}{'us/request':>12}{'ours/theirs':>13}")
        ours = median(runs["ours"], "us_per_request")
        for name, results in runs.items():
            us = median(results, "us_per_request")
            print(f"{name:8}{median(results, 'rps'):>12,.0f}{us:>12.2f}{ours / us:>13.2f}")

    def open_loop(self):
        """Latency at a fixed rate: all of it above the same server is the generator's."""
        rate = self.args.rate
        runs = self.interleaved({
            "ours": lambda: self.ours(["--rate", f"{rate}/s", "--pace", "spin"]),
            "sleep": lambda: self.ours(["--rate", f"{rate}/s", "--pace", "sleep"]),
            "oha": lambda: self.oha(["-q", str(rate), "--latency-correction"]),
            "wrk2": lambda: self.wrk2(rate),
        })
        print(f"\nOpen loop at {rate:,}/s: response time in us, and its p99 over ours\n")
        print(f"{'':8}{'p50':>10}{'p99':>10}{'p99.9':>10}{'theirs/ours':>13}{'lag p50':>10}{'p99':>8}{'p99.9':>8}")
        ours = median(runs["ours"], "p99")
        for name, results in runs.items():
            row = f"{name:8}" + "".join(f"{median(results, p):>10,.0f}" for p in ("p50", "p99", "p99_9"))
            row += f"{median(results, 'p99') / ours:>13.1f}"
            if "lag_p99" in results[0]:
                row += f"{median(results, 'lag_p50'):>10.1f}{median(results, 'lag_p99'):>8.1f}{median(results, 'lag_p99_9'):>8.1f}"
            print(row)

    def stall(self):
        """The server frozen 1 s in a run of 10 s at 1,000/s: the true p95 is 500 ms, the true p99 900 ms."""
        freeze, length, rate = 1.0, 10, 1_000
        true = {q: (freeze - (1 - q) * length) * 1e3 for q in (0.95, 0.99)}
        runs = {}
        for name, command in {
            "ours": self.ours_command(["--rate", f"{rate}/s", "--arrivals", "constant", "--pace", "spin"], length),
            "wrk": self.wrk_command(length),
            "oha": self.oha_command(["-q", str(rate), "--latency-correction"], length),
            "uncorr": self.oha_command(["-q", str(rate)], length),
            "wrk2": self.wrk2_command(rate, length),
        }.items():
            if command is None:
                continue
            started = self.start(command)
            time.sleep(3)
            self.server.freeze(freeze)
            output, _ = self.finish(started)
            runs[name] = self.parsed(name, output)
        print(f"\nServer frozen {freeze:.0f} s in {length} s at {rate:,}/s (one run each): p99 in ms, and over the true one\n")
        print(f"{'true':8}{true[0.99]:>10,.1f}      (p95 {true[0.95]:,.0f})")
        for name, result in runs.items():
            p99 = result["p99"] / 1e3
            print(f"{name:8}{p99:>10,.1f}{p99 / true[0.99]:>8.3f}")

    def interleaved(self, kinds):
        """Each in turn, and again: what the machine does meanwhile hits all of them."""
        runs = {}
        for number in range(self.args.runs):
            for name, run in kinds.items():
                result = run()
                if result is not None:
                    runs.setdefault(name, []).append(result)
            print(f"\r{number + 1}/{self.args.runs}", end="", file=sys.stderr, flush=True)
        print("\r", end="", file=sys.stderr)
        return runs

    # How each is called

    def ours_command(self, flags, seconds):
        return [self.args.bakeoff, "drive", self.server.url, "--connections", str(self.args.connections),
                "--duration", f"{seconds}s", "--format", "json", *flags]

    def wrk_command(self, seconds):
        wrk = self.peers.get("wrk")
        return wrk and [wrk, "-t1", f"-c{self.args.connections}", f"-d{seconds}s", "--latency", self.server.url]

    def oha_command(self, flags, seconds):
        oha = self.peers.get("oha")
        return oha and [oha, "--no-tui", "--output-format", "json", "-c", str(self.args.connections),
                        "-z", f"{seconds}s", *flags, self.server.url]

    def wrk2_command(self, rate, seconds):
        wrk2 = self.peers.get("wrk2")
        return wrk2 and [wrk2, "-t1", f"-c{self.args.connections}", f"-d{seconds}s", f"-R{rate}", "--latency",
                         self.server.url]

    def ours(self, flags):
        return self.measured("ours", self.ours_command(flags, self.args.seconds))

    def wrk(self):
        return self.measured("wrk", self.wrk_command(self.args.seconds))

    def oha(self, flags):
        return self.measured("oha", self.oha_command(flags, self.args.seconds))

    def wrk2(self, rate):
        return self.measured("wrk2", self.wrk2_command(rate, self.args.seconds))

    def measured(self, name, command):
        if command is None:
            return None
        output, cpu = self.finish(self.start(command))
        result = self.parsed(name, output)
        result["us_per_request"] = cpu * 1e6 / result["requests"]
        return result

    def start(self, command):
        return command, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, self.core))

    def finish(self, started):
        """Its output, and the CPU seconds of all its threads from its own rusage."""
        command, process = started
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        # 5: ours measured, and says that the machine was too busy to believe it.
        if process.returncode not in (0, 5):
            sys.exit(f"{' '.join(command)} exited with {process.returncode}")
        return output, usage.ru_utime + usage.ru_stime

    def parsed(self, name, output):
        if name == "ours":
            return of_ours(json.loads(output))
        if name in ("oha", "uncorr"):
            return of_oha(json.loads(output))
        return of_wrk(output)


def of_ours(trial):
    times = trial["response_ns"] or trial["service_ns"]
    # A percentile that ours withholds in JSON is still in its histogram; here it is a gap.
    us = lambda times, name: float("nan") if times[name] is None else times[name] / 1e3
    result = {"requests": trial["requests"], "rps": trial["achieved_rps"]}
    result.update({name: us(times, name) for name in ("p50", "p99", "p99_9")})
    lag = trial["generator_lag_ns"]
    if lag:
        result.update({f"lag_{name}": us(lag, name) for name in ("p50", "p99", "p99_9")})
    return result


def of_oha(report):
    done = sum(report["statusCodeDistribution"].values())
    times = report["latencyPercentiles"]
    return {"requests": done, "rps": report["summary"]["requestsPerSec"],
            "p50": times["p50"] * 1e6, "p99": times["p99"] * 1e6, "p99_9": times["p99.9"] * 1e6}


def of_wrk(text):
    """wrk prints 50, 75, 90 and 99 %; wrk2 more."""
    units = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}
    times = {float(q): float(value) * units[unit]
             for q, value, unit in re.findall(r"^\s*([\d.]+)%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.M)}
    return {"requests": int(re.search(r"(\d+) requests in", text)[1]),
            "rps": float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1]),
            "p50": times[50.0], "p99": times[99.0], "p99_9": times.get(99.9, float("nan"))}


def median(results, name):
    return statistics.median(result[name] for result in results)


if __name__ == "__main__":
    # Ten thousand connections and more are within what the peers can be asked for.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
