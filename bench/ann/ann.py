#!/usr/bin/env python3
"""Nearest-neighbour search: VecStore beside its peers, in one run, in turns.

    ann.py --base B.npy --queries Q.npy --out DIR [--metric cosine|dot|euclidean] [--threads 1] [--rounds 3]
           [--peers glass,hnswlib,...] [--profiles balanced] [--cache DIR] [--clock wall|cpu]

Every index lives in a process of its own, builds with --build-threads threads while nothing else runs, and then waits. In
each round they are asked one after the other for a pass over their settings: same queries, ten neighbours, ids and scores,
all of a process's threads bound to the same --threads processors. One pass before the first round is not counted: it warms
up, and chooses for each peer which of its degrees go on (the best at recall 0.95 and the best at 0.99). VecStore is measured
through its Collection API (vecstore-bench ann), one query per call. Figures are read off at recall 0.95 and 0.99 between
neighbouring settings, so nobody's setting is picked on the timed queries.

Writes DIR/ann.json (all points, machine, compiler, command), DIR/ann.svg (curves) and prints a table.
Without --base: seeded rows (--n, --dim). Peers that are not installed, or refuse this machine, are named with the reason.
"""
import argparse
import hashlib
import json
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

import figures
import vectors
from peers import KINDS

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = ("glass", "svs", "hnswlib", "faiss-ivf", "faiss-hnsw", "usearch", "zvec")


class Worker:
    """A process that answers each line on its standard input with the points of one pass."""

    def __init__(self, command, log, environment=None):
        self.log = open(log, "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env={**os.environ, **(environment or {})})

    def lines_until(self, key):
        """The JSON lines up to the one that holds the key, which comes last."""
        lines = []
        for line in self.process.stdout:
            lines.append(json.loads(line))
            if key in lines[-1]:
                return lines
        code = self.process.wait()
        self.log.seek(0)
        said = [line for line in self.log.read().splitlines() if line.strip()]
        raise RuntimeError((said[-1][:200] if said else "nothing printed") + f" (exit status {code})")

    def run_pass(self, processors):
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                os.sched_setaffinity(int(task), processors)
            except ProcessLookupError:
                pass  # a thread that ended meanwhile
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.lines_until("pass")[:-1]

    def end(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:  # still at work
                self.process.kill()
                self.process.wait()
        self.log.close()


def machine():
    with open("/proc/cpuinfo") as f:
        fields = dict(re.findall(r"^([\w ]+?)\s*:\s*(.*)$", f.read(), re.M))
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) * 1024
    flags = [f for f in fields.get("flags", "").split() if re.match(r"avx|fma|amx|f16c|sse4", f)]
    return {"cpu": fields.get("model name", platform.machine()), "flags": flags, "processors": os.cpu_count(),
            "memory_bytes": memory, "kernel": platform.release(), "load_average": os.getloadavg()}


def compiler_of(program):
    """Compilers leave their names in the program."""
    with open(program, "rb") as f:
        names = set(re.findall(rb"GCC: \([^)\0]*\) [\d.]+|clang version [\d.]+", f.read()))
    return sorted(n.decode() for n in names)


def version_of(kind):
    from importlib import metadata
    package = {"faiss": "faiss-cpu", "svs": "scalable-vs"}.get(kind.split("-")[0], kind.split("-")[0])
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def prepare(args, folder):
    """base.npy, queries.npy and truth.npy for the peers; the same rows for VecStore."""
    if args.base:
        base, queries = vectors.read(args.base), vectors.read(args.queries, args.most_queries)
    else:
        base = vectors.seeded(args.n + args.most_queries, args.dim)
        base, queries = base[:args.n], base[args.n:]
        args.base, args.queries = folder + "/raw-base.npy", folder + "/raw-queries.npy"
        np.save(args.base, base)
        np.save(args.queries, queries)
    base, queries = vectors.prepare(base, args.metric), vectors.prepare(queries, args.metric)
    np.save(folder + "/base.npy", base)
    np.save(folder + "/queries.npy", queries)
    key = hashlib.sha1(base[:: max(1, len(base) // 1000)].tobytes() + queries.tobytes()
                       + f"{base.shape}{args.metric}".encode()).hexdigest()[:16]
    cache = os.path.join(args.cache or folder, key)
    os.makedirs(cache, exist_ok=True)
    truth = vectors.cached_exact(base, queries, args.metric, cache + "/truth.npy")
    np.save(folder + "/truth.npy", truth)
    np.savetxt(folder + "/truth.txt", truth, "%d")
    return cache, base.shape, len(queries)


STARTED = []


def start(name, command, log, environment=None):
    """A worker that has built its index, and what it said about that; or None, and why not."""
    print(f"{time.strftime('%H:%M:%S')} {name} ...", end=" ", flush=True, file=sys.stderr)
    worker = Worker(command, log, environment)
    STARTED.append(worker)
    try:
        ready = worker.lines_until("ready")[-1]
    except RuntimeError as error:
        print("skipped", file=sys.stderr)
        return None, str(error)
    print("from the cache" if ready.get("cached") else f"built in {ready['build_s']:.1f} s", file=sys.stderr)
    return worker, ready


def clock_of(args, point):
    return point["cpu_qps" if args.clock == "cpu" else "qps"]


def start_vecstore(args, folder):
    out = []
    for profile in args.profiles:
        command = [args.vecstore, "ann", "--base", args.base, "--queries", args.queries, "--metric", args.metric,
                   "--threads", str(args.threads), "--build-threads", str(args.build_threads), "--profile", profile,
                   "--exact-scores", "both", "--turns", "yes", "--truth", folder + "/truth.txt"]
        command += args.vecstore_args + (["--folder", args.folder] if args.folder else [])
        worker, ready = start(f"vecstore {profile}", command, f"{folder}/vecstore-{profile}.log")
        if worker is None:
            sys.exit(f"vecstore {profile}: {ready}")
        out.append((f"VecStore {profile}", worker, ready))
    return out


def start_peers(args, folder, cache, skipped):
    """For each kind its workers, one per degree."""
    environment = {"OMP_NUM_THREADS": str(max(args.build_threads, args.threads)), "GLASS": args.glass}
    chosen = [k for p in args.peers for k in KINDS if k == p or k.startswith(p + "-")]
    out = []
    for kind in dict.fromkeys(chosen):
        for degree in next((d for p, d in args.degrees if kind == p or kind.startswith(p + "-")), KINDS[kind][1]):
            command = [sys.executable, HERE + "/peers.py", kind, str(degree), folder, args.metric,
                       str(args.build_threads), str(args.threads), cache]
            worker, ready = start(f"{kind} {degree}", command, f"{folder}/{kind}-{degree}.log", environment)
            if worker is None:
                skipped[kind] = ready
                break
            out.append({"name": f"{kind} {degree}", "kind": kind, "degree": degree, "peer": True, "worker": worker,
                        "rounds": [], "version": version_of(kind), **ready})
    return out


def choose_degrees(args, peers, processors):
    """One pass that is not counted; of each kind the degrees stay that are best at a level."""
    for p in peers:
        found = p["worker"].run_pass(processors)
        p["trial"] = [(x["recall"], clock_of(args, x)) for x in found]
    kept = []
    for kind in dict.fromkeys(p["kind"] for p in peers):
        of_kind = [p for p in peers if p["kind"] == kind]
        best = set()
        for level in figures.LEVELS:
            speed = [figures.at_recall(p["trial"], level) or 0 for p in of_kind]
            if max(speed) > 0:
                best.add(speed.index(max(speed)))
        for i, p in enumerate(of_kind):
            p["trial_at"] = {str(level): figures.at_recall(p["trial"], level) for level in figures.LEVELS}
            if i in best or not best:
                kept.append(p)
            else:
                p["worker"].end()
    return kept


def run_rounds(args, stores, peers, processors):
    """VecStore's series; the peers' rounds are added to theirs."""
    series = {}
    turns = [("store", name, worker, ready) for name, worker, ready in stores]
    turns += [("peer", p, p["worker"], None) for p in peers]
    for number in range(args.rounds):
        # Another index begins each round.
        print(f"{time.strftime('%H:%M:%S')} round {number + 1} of {args.rounds}", file=sys.stderr)
        shift = number % len(turns)
        for kind, what, worker, ready in turns[shift:] + turns[:shift]:
            points = worker.run_pass(processors)
            if kind == "peer":
                what["rounds"].append([(x["recall"], clock_of(args, x)) for x in points])
                what.setdefault("points", []).append(points)
                continue
            for exact in (True, False):
                mine = [x for x in points if x["params"]["exact_scores"] == exact]
                name = what + (", exact scores" if exact else "")
                s = series.setdefault(name, {"name": name, "peer": False, "rounds": [], "points": [], "exact": exact})
                s["rounds"].append([(x["recall_at_10"], clock_of(args, x)) for x in mine])
                s["points"].append(mine)
                s["bytes_per_vector"] = mine[0]["bytes_per_vector"]
                s.update(build_s=ready["build_s"], build_cpu_s=ready.get("build_cpu_s"))
    return list(series.values())


def report(args, series, skipped, data):
    figures.summarise(series)
    os.makedirs(args.out, exist_ok=True)
    for s in series:
        s.pop("worker", None)
    with open(os.path.join(args.out, "ann.json"), "w") as f:
        json.dump({"command": sys.argv, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                   "machine": machine(), "compiler": compiler_of(args.vecstore), "data": data, "clock": args.clock,
                   "series": series, "skipped": skipped}, f, indent=1)
    title = f"{data['rows']:,} x {data['dimension']} {args.metric}, {args.threads} thread(s), {machine()['cpu']}"
    with open(os.path.join(args.out, "ann.svg"), "w") as f:
        f.write(figures.svg(series, title))
    print(f"\n{title}; {args.rounds} rounds, medians; {args.clock} clock; {', '.join(compiler_of(args.vecstore))}\n")
    print(figures.table(series))
    if any(s.get("cached") for s in series):
        print("\n* built by an earlier run, or with another search on the same graph; the time is that of the build")
    stores = {s["name"]: s for s in series if not s["peer"]}
    for name, s in stores.items():
        other = stores.get(name + ", exact scores")
        if other and None not in (s["at"]["0.95"], other["at"]["0.95"], s["at"]["0.99"], other["at"]["0.99"]):
            print(f"\n{name}: with exact scores {other['at']['0.95'] / s['at']['0.95']:.2f}x at 0.95, "
                  f"{other['at']['0.99'] / s['at']['0.99']:.2f}x at 0.99")
    for kind, why in skipped.items():
        print(f"\nskipped: {kind}: {why}")


def degrees_of(text):
    peer, _, numbers = text.partition("=")
    return peer, [int(n) for n in numbers.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base")
    parser.add_argument("--queries")
    parser.add_argument("--metric", default="cosine", choices=["cosine", "dot", "euclidean"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--build-threads", type=int, default=os.cpu_count())
    parser.add_argument("--peers", default=",".join(GROUPS), help="of " + ", ".join(GROUPS) + ", or single kinds")
    parser.add_argument("--degrees", type=degrees_of, action="append", default=[], metavar="PEER=12,16",
                        help="other degrees than the three that a peer is tried with; may be given more than once")
    parser.add_argument("--profiles", default="balanced")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cache", help="keeps the peers' built indexes for further runs")
    parser.add_argument("--folder", help="where VecStore's database is made for the run")
    parser.add_argument("--glass", default=os.environ.get("GLASS", ""), help="folder of the module glass")
    parser.add_argument("--vecstore", default="build/release/bin/vecstore-bench")
    parser.add_argument("--vecstore-args", type=shlex.split, default=[], help="more options of vecstore-bench ann")
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"],
                        help="cpu: seconds of the searching process; for machines that others use too")
    parser.add_argument("--cpu", type=int, help="first processor to search on; the last ones unless given")
    parser.add_argument("--most-queries", type=int, default=2_000)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    args = parser.parse_args()
    if bool(args.base) != bool(args.queries):
        parser.error("--base and --queries go together")
    args.profiles = args.profiles.split(",")
    args.peers = [p for p in args.peers.split(",") if p]
    usable = sorted(os.sched_getaffinity(0))
    first = usable.index(args.cpu) if args.cpu is not None else len(usable) - args.threads
    processors = set(usable[max(0, first):][:args.threads])

    # Ended from outside, it still ends its workers and removes its folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        cache, (rows, dimension), count = prepare(args, folder)
        data = {"base": os.path.basename(os.path.dirname(os.path.abspath(args.base))), "rows": rows,
                "dimension": dimension, "queries": count, "metric": args.metric, "threads": args.threads,
                "build_threads": args.build_threads}
        skipped = {}
        try:
            stores = start_vecstore(args, folder)
            peers = start_peers(args, folder, cache, skipped)
            for _, worker, _ in stores:
                worker.run_pass(processors)
            peers = choose_degrees(args, peers, processors)
            series = run_rounds(args, stores, peers, processors)
        finally:
            for worker in STARTED:
                worker.end()
        report(args, series + peers, skipped, data)


if __name__ == "__main__":
    main()
