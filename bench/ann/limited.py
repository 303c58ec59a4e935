#!/usr/bin/env python3
"""VecStore's search when memory is scarce: in a memory cgroup that holds less than the raw vectors.

    limited.py --base B.npy --queries Q.npy --folder DIR [--share 0.6] [--metric cosine] [--rounds 3] [--cgroup FOLDER]

Builds a database in DIR (kept for the next run), then measures in turns: without a limit, and in a cgroup whose limit is
--share times the vectors' float32 bytes. Before each the database's pages are dropped from the page cache. Each is asked for
passes until two in a row differ by less than 5% (the steady rate) or for ten. Prints queries per second at recall 0.95 and 0.99
with scores from the rescoring copy and with exact scores, the ratio to the unlimited run, and RssAnon.

The cgroup is made by systemd-run where systemd runs the machine; else give --cgroup, an empty memory cgroup (version 1 or 2)
that you made and may write to. Where there is neither, the limited run is reported as not measured.
"""
import argparse
import os
import re
import shutil
import subprocess
import tempfile

import numpy as np

import figures
import vectors
from ann import Worker


def drop_pages(folder):
    """Of these files only: what others have in the page cache stays."""
    os.sync()
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_cgroup(args, limit):
    """A prefix for a command that then runs under the limit; None where there is no way."""
    if args.cgroup:
        for name in ("memory.max", "memory.limit_in_bytes"):
            path = os.path.join(args.cgroup, name)
            if os.path.exists(path):
                with open(path, "w") as f:
                    f.write(str(limit))
                return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', args.cgroup]
        return None
    if not os.path.isdir("/run/systemd/system") or not shutil.which("systemd-run"):
        return None
    prefix = ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={limit}", "-p", "MemorySwapMax=0"]
    prefix += [] if os.geteuid() == 0 else ["--user"]
    return prefix if subprocess.run(prefix + ["true"], capture_output=True).returncode == 0 else None


def memory_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return {k: int(v) * 1024 for k, v in re.findall(r"^(RssAnon|RssFile):\s+(\d+)", f.read(), re.M)}


def measure(args, prefix, exact_scores, folder):
    """Points of the last pass, and the process's memory after it."""
    drop_pages(args.db)
    command = prefix + [args.vecstore, "ann", "--base", args.base, "--queries", args.queries, "--metric", args.metric,
                        "--profile", args.profile, "--exact-scores", exact_scores, "--db", args.db,
                        "--truth", args.truth, "--turns", "yes"]
    worker = Worker(command, folder + "/log")
    try:
        worker.lines_until("ready")
        last = None
        for _ in range(10):
            points = [(p["recall_at_10"], p["qps"]) for p in worker.run_pass(os.sched_getaffinity(0))]
            speed = figures.at_recall(points, 0.95)
            if last and speed and abs(speed - last) < 0.05 * last:
                break
            last = speed
        return points, memory_of(worker.process.pid)
    finally:
        worker.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--share", type=float, default=0.6)
    parser.add_argument("--metric", default="cosine")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cgroup")
    parser.add_argument("--vecstore", default="build/release/bin/vecstore-bench")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    args.db = os.path.join(args.folder, "db-" + args.profile)
    args.truth = os.path.join(args.folder, "truth.txt")
    base = vectors.read(args.base)
    limit = int(args.share * base.nbytes)
    if not os.path.exists(args.truth):
        queries = vectors.prepare(vectors.read(args.queries, 2_000), args.metric)
        np.savetxt(args.truth, vectors.exact(vectors.prepare(base, args.metric), queries, args.metric), "%d")
    del base

    with tempfile.TemporaryDirectory() as folder:
        if not os.path.exists(args.db):
            measure(args, [], "no", folder)  # makes the database
        prefix = in_cgroup(args, limit)
        if prefix is None:
            print("limited run: not measured (no systemd, and no --cgroup)")
        for exact_scores in ("no", "yes"):
            rounds = {"unlimited": [], "limited": []}
            memory = {}
            for _ in range(args.rounds):
                for name, before in (("unlimited", []), ("limited", prefix)):
                    if before is not None:
                        points, memory[name] = measure(args, before, exact_scores, folder)
                        rounds[name].append(points)
            for name in (n for n in rounds if rounds[n]):
                speeds = [figures.middle(figures.of_rounds(rounds[name], level)) for level in figures.LEVELS]
                full = [figures.middle(figures.of_rounds(rounds["unlimited"], level)) for level in figures.LEVELS]
                text = ", ".join(f"{s:,.0f} q/s at {level} ({s / f:.2f}x)" for s, f, level in
                                 zip(speeds, full, figures.LEVELS) if s and f)
                held = ", ".join(f"{k} {v / 2**20:.0f} MiB" for k, v in memory[name].items())
                bound = f", {limit / 2**20:.0f} MiB" if name == "limited" else ""
                print(f"exact scores {exact_scores}, {name}{bound}: {text}; {held}", flush=True)


if __name__ == "__main__":
    main()
